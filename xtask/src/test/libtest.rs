//! Reads what Rust's test harness prints.

use std::iter::Sum;

/// How many tests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    /// Passed.
    pub(super) passed: usize,
    /// Failed.
    pub(super) failed: usize,
    /// Ignored, or of a tier that was skipped.
    pub(super) skipped: usize,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            passed: a.passed + b.passed,
            failed: a.failed + b.failed,
            skipped: a.skipped + b.skipped,
        })
    }
}

impl Counts {
    /// From `test result: ok. 5 passed; 0 failed; 1 ignored; ...`; other lines say nothing.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let (_, numbers) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let number = |what: &str| {
            let of = |part: &str| part.trim().strip_suffix(what)?.trim().parse().ok();
            numbers.split(';').find_map(of)
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("ignored")?,
        })
    }
}

/// How many tests a `--list` names.
pub(super) fn listed(output: &str) -> usize {
    output.lines().filter(|line| line.ends_with(": test")).count()
}
