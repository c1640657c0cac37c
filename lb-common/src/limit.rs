//! Limits of how often something may happen.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A): one word, the time at which the bucket is
//! full again, and no division. The word is read and written by one packet at a time, or by several
//! whose loss against each other does not matter.

/// So often, and so many at once.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rate {
    /// Nanoseconds between two events in the long run.
    pub interval: u64,
    /// Events that may follow each other at once.
    pub burst: u64,
}

impl Rate {
    /// What the bucket's word becomes by another event, or `None` if there may be none. All are
    /// nanoseconds of one clock.
    #[inline(always)]
    pub const fn take(self, word: u64, now: u64) -> Option<u64> {
        let full = if word > now { word } else { now };
        let next = full + self.interval;
        if next - now > self.interval * self.burst { None } else { Some(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    const RATE: Rate = Rate { interval: 1_000, burst: 3 };

    fn taken(word: &mut u64, now: u64) -> bool {
        let next = RATE.take(*word, now);
        *word = next.unwrap_or(*word);
        next.is_some()
    }

    #[test]
    fn a_burst_at_once_and_then_one_for_each_interval() {
        let mut word = 0;
        let at = 5_000_000;
        assert_eq!([0; 5].map(|_| taken(&mut word, at)), [true, true, true, false, false]);
        assert!(!taken(&mut word, at + 999));
        assert!(taken(&mut word, at + 1_000));
        assert!(!taken(&mut word, at + 1_999));
        assert!(taken(&mut word, at + 2_000));
    }

    #[test]
    fn what_was_not_used_is_no_more_than_a_burst() {
        let mut word = 0;
        assert!(taken(&mut word, 1_000));
        let later = 1_000_000_000;
        assert_eq!([0; 4].map(|_| taken(&mut word, later)), [true, true, true, false]);
    }

    #[test]
    fn in_the_long_run_no_more_than_the_rate() {
        let mut word = 0;
        let taken = (0..1_000_000).step_by(100).filter(|at| taken(&mut word, *at)).count();
        assert!((1_000..=1_003).contains(&taken), "{taken}");
    }
}
