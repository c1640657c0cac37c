//! Time in milliseconds since the process began to look: small enough for one atomic word.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Now.
pub(super) fn now() -> u64 {
    milliseconds(elapsed())
}

/// Now, in nanoseconds.
pub(super) fn precise() -> u64 {
    u64::try_from(elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn elapsed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// A duration in whole milliseconds.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
