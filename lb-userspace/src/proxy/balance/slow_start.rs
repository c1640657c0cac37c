//! The share of a backend that has just come.

use std::time::Duration;

use super::PARTS;

/// The least share of a backend that has come just now, as a divisor of its whole one.
const LEAST: u64 = 10;

/// A weight in parts, `age` after the backend has come: it grows evenly over `slow_start`, from a tenth on.
pub(in crate::proxy) fn eased(weight: u32, slow_start: Duration, age: Duration) -> u32 {
    let whole = u64::from(weight) * u64::from(PARTS);
    let (all, age) = (slow_start.as_millis(), age.as_millis());
    let part = if age >= all {
        whole
    } else {
        let part = u128::from(whole) * age / all;
        u64::try_from(part).unwrap_or(whole).max(whole / LEAST)
    };
    u32::try_from(part).unwrap_or(u32::MAX).max(1)
}
