//! Random choices that can be made again: a failing test prints its seed.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// Environment variable with the seed of an earlier run.
const SEED: &str = "SHUNT_TEST_SEED";

/// A generator: xorshift64* (Vigna 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        // The generator never leaves zero.
        Self(seed ^ 0x9e37_79b9_7f4a_7c15 | 1)
    }

    /// With a seed of its own, or that of `SHUNT_TEST_SEED`; it is printed, so that a failure can
    /// be repeated.
    pub fn printed() -> Self {
        let given = env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = given.unwrap_or_else(|| now().subsec_nanos().into());
        println!("{SEED}={seed}");
        Self::new(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below a limit, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        // The low bits are the weaker ones.
        ((self.next() >> 16) % limit as u64) as usize
    }

    /// One of several; none of none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())]) }
    }
}
