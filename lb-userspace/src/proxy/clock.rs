//! Time in whole milliseconds since the host began: one atomic word. It is the kernel's coarse clock, which moves every
//! few milliseconds and costs next to nothing to read: a request asks for the time again and again. Limits may be
//! missed by as much, in either direction. While a task has its turn, time may as well stand still ([`standing_still`]).

use std::{cell::Cell, time::Duration};

use rustix::time::{ClockId, Timespec, clock_gettime};

thread_local! {
    /// What time it is where it stands still.
    static PRESENT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Does something that takes no time worth speaking of: the clock is looked at once.
pub(super) fn standing_still<T>(work: impl FnOnce() -> T) -> T {
    /// Lets it go on, also if there is a panic.
    struct Stands;

    impl Drop for Stands {
        fn drop(&mut self) {
            PRESENT.set(None);
        }
    }

    let _stands = Stands;
    PRESENT.set(Some(now()));
    work()
}

/// Now.
pub(super) fn now() -> u64 {
    PRESENT.get().unwrap_or_else(look)
}

fn look() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::MonotonicCoarse);
    unsigned(tv_sec) * 1000 + unsigned(tv_nsec) / 1_000_000
}

/// Now in nanoseconds, and to the nanosecond.
pub(super) fn precise() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    unsigned(tv_sec) * 1_000_000_000 + unsigned(tv_nsec)
}

/// This clock has nothing below zero.
fn unsigned(part: i64) -> u64 {
    u64::try_from(part).unwrap_or_default()
}

/// A duration in whole milliseconds.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
