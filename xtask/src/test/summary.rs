//! What came of the steps: a table, and the line that CI reads.

use std::{fmt, time::Duration};

use super::libtest::Counts;

/// How a step ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// The machine does not meet its needs.
    Skipped,
    /// It needs something of the outside world that cannot be reached; never a failure.
    NotChecked,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
            Self::NotChecked => "not checked",
        })
    }
}

/// What a step brought about.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Its tests; none for a check.
    pub(super) counts: Counts,
    /// One line more.
    pub(super) detail: String,
}

impl Done {
    /// A check that went well.
    pub(super) fn passed(detail: &str) -> Self {
        Self::without_tests(Outcome::Passed, detail)
    }

    /// A check that did not.
    pub(super) fn failed(detail: &str) -> Self {
        Self::without_tests(Outcome::Failed, detail)
    }

    /// A step that has no tests to count.
    pub(super) fn without_tests(outcome: Outcome, detail: &str) -> Self {
        Self { outcome, counts: Counts::default(), detail: detail.to_owned() }
    }
}

/// A step that was run.
pub(super) struct Report {
    /// Its name.
    pub(super) name: &'static str,
    /// What came of it.
    pub(super) done: Done,
    /// How long it took.
    pub(super) took: Duration,
}

/// The table, and alone on the last line the totals.
pub(super) fn render(reports: &[Report]) -> String {
    let mut text = format!("\n{:<16} {:<12} {:>7}  detail\n", "step", "result", "time");
    for Report { name, done, took } in reports {
        let detail = done.detail.lines().next().unwrap_or_default();
        let seconds = format!("{:.1} s", took.as_secs_f64());
        text += format!("{name:<16} {:<12} {seconds:>7}  {detail}", done.outcome).trim_end();
        text.push('\n');
    }
    text + "\n" + &totals(reports) + "\n"
}

fn totals(reports: &[Report]) -> String {
    let mut total: Counts = reports.iter().map(|report| report.done.counts).sum();
    // A step that failed without a failed test (a check, a build error) must show in the totals.
    let failed = |done: &Done| done.outcome == Outcome::Failed && done.counts.failed == 0;
    total.failed += reports.iter().filter(|report| failed(&report.done)).count();
    let skipped = match total.skipped {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    format!("{} passed, {} failed{skipped}", total.passed, total.failed)
}
