//! Durations as people write them: `500ms`, `30s`, `5m`, `1h`.
//!
//! A whole number and one unit, and never a number alone: the programs that take one disagree on
//! whether it means seconds or milliseconds.

pub(crate) mod as_milliseconds;
#[cfg(test)]
mod tests;

use std::time::Duration;

use thiserror::Error;

/// Units with their milliseconds, the largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is not the duration that is wanted.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum DurationError {
    /// Not a whole number and a unit.
    #[error(
        "`{given}` is not a duration: write a whole number and one of the units ms, s, m and h, such as `500ms` or `30s`"
    )]
    Text {
        /// What was given.
        given: String,
    },
    /// Too short or too long for its purpose.
    #[error("{given} is out of range; use {} to {}", text(*least), text(*most))]
    Range {
        /// What was given.
        given: String,
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
}

/// Reads a duration.
pub fn duration(given: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError::Text { given: given.to_owned() };
    let digits = given.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = given.split_at(digits);
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(*milliseconds).map(Duration::from_millis).ok_or_else(wrong)
}

/// Reads a duration that has bounds, both of them allowed.
pub fn duration_within(
    given: &str,
    least: Duration,
    most: Duration,
) -> Result<Duration, DurationError> {
    let read = duration(given)?;
    if (least..=most).contains(&read) {
        Ok(read)
    } else {
        Err(DurationError::Range { given: given.to_owned(), least, most })
    }
}

/// A duration as it would be written, in the largest unit that it is a whole number of. What is
/// below a millisecond is cut off.
pub fn text(duration: Duration) -> String {
    let whole = duration.as_millis();
    let unit = UNITS.iter().find(|(_, unit)| whole > 0 && whole.is_multiple_of(u128::from(*unit)));
    match unit {
        Some((name, unit)) => format!("{}{name}", whole / u128::from(*unit)),
        None => "0s".to_owned(),
    }
}
