//! Waiting for a condition, never for luck: every wait has a bound and says what it waited for.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::interrupt;

const STEP: Duration = Duration::from_millis(10);

/// Tries again until `attempt` succeeds, at most for `bound`; then fails with its last error.
pub fn until<T>(what: &str, bound: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        interrupt::check()?;
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() >= bound => {
                return Err(error)
                    .with_context(|| format!("waited {} s for {what}", bound.as_secs_f32()));
            }
            Err(_) => thread::sleep(STEP),
        }
    }
}

/// Lets time pass, for load that is meant to last; a signal ends it early.
pub fn pause(length: Duration) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < length {
        interrupt::check()?;
        thread::sleep(STEP.min(length));
    }
    Ok(())
}
