//! Limits of how often something may happen: how many flows may begin, how many requests may be made.

use std::fmt;

use lb_common::limit::Rate;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const SECOND: u64 = 1_000_000_000;

/// Longest time that a burst may stand for, in nanoseconds: sums with the time since boot must fit
/// into 64 bits.
const LONGEST_BURST: u64 = u64::MAX / 4;

/// So many per second in the long run, and so many at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    rate: u64,
    burst: u64,
}

/// Why there is no such limit.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum LimitError {
    /// The rate is out of range.
    #[error("a rate of {given} per second is out of range; use 1 to {SECOND}")]
    Rate {
        /// What was given.
        given: i64,
    },
    /// The burst is out of range.
    #[error("a burst of {given} is out of range at {rate} per second; use 1 to {most}")]
    Burst {
        /// What was given.
        given: i64,
        /// The rate.
        rate: u64,
        /// The largest.
        most: u64,
    },
}

impl RateLimit {
    /// A limit per second; as many as of a second may come at once, unless told otherwise.
    pub fn new(rate: i64, burst: Option<i64>) -> Result<Self, LimitError> {
        let error = LimitError::Rate { given: rate };
        let rate = u64::try_from(rate).ok().filter(|rate| (1..=SECOND).contains(rate));
        let rate = rate.ok_or(error)?;
        let Some(given) = burst else { return Ok(Self { rate, burst: rate }) };
        let most = LONGEST_BURST / (SECOND / rate);
        let burst = u64::try_from(given).ok().filter(|burst| (1..=most).contains(burst));
        let burst = burst.ok_or(LimitError::Burst { given, rate, most })?;
        Ok(Self { rate, burst })
    }

    /// The limit as the tables have it.
    pub const fn entry(self) -> Rate {
        Rate { interval: SECOND / self.rate, burst: self.burst }
    }

    /// How many per second.
    pub const fn rate(self) -> u64 {
        self.rate
    }

    /// How many at once.
    pub const fn burst(self) -> u64 {
        self.burst
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, burst } = self;
        write!(f, "{rate} per second, {burst} at once")
    }
}
