use std::time::Duration;

use super::{
    libtest::{Counts, listed},
    machine::has_capability,
    summary::{Done, Outcome, Report, render},
    tiers::judge,
};

fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
    Counts { passed, failed, skipped }
}

fn report(done: Done) -> Report {
    Report { name: "step", done, took: Duration::from_millis(1500) }
}

fn last_line(reports: Vec<Done>) -> String {
    let text = render(&reports.into_iter().map(report).collect::<Vec<_>>());
    assert!(text.ends_with('\n'));
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn counts_are_read_from_result_lines_only() {
    let ok = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; \
              finished in 0.01s";
    assert_eq!(Counts::from_line(ok), Some(counts(12, 0, 3)));
    let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
    assert_eq!(Counts::from_line(failed), Some(counts(1, 2, 0)));
    assert_eq!(Counts::from_line("test result_of::parsing ... ok"), None);
    assert_eq!(Counts::from_line("running 3 tests"), None);
}

#[test]
fn a_list_of_tests_is_counted_without_benchmarks() {
    assert_eq!(listed("kernel::nat: test\nkernel::dsr: test\nslow: benchmark\n\n2 tests"), 2);
}

#[test]
fn a_tier_without_tests_fails() {
    assert_eq!(judge(counts(0, 0, 0), None).outcome, Outcome::Failed);
    assert_eq!(judge(counts(0, 0, 5), None).outcome, Outcome::Failed);
    assert_eq!(judge(counts(1, 0, 0), None).outcome, Outcome::Passed);
    assert_eq!(judge(counts(9, 1, 0), None).outcome, Outcome::Failed);
    assert_eq!(judge(counts(9, 0, 0), Some("crash".to_owned())).outcome, Outcome::Failed);
}

#[test]
fn the_last_line_has_the_totals_alone() {
    let tests = judge(counts(10, 0, 0), None);
    assert_eq!(last_line(vec![Done::passed(""), tests.clone()]), "10 passed, 0 failed");
    assert_eq!(
        last_line(vec![tests.clone(), judge(counts(3, 2, 1), None)]),
        "13 passed, 2 failed, 1 skipped"
    );
}

#[test]
fn a_failed_check_and_a_build_error_count_as_one_failure_each() {
    let broken = judge(counts(4, 0, 0), Some("does not build".to_owned()));
    assert_eq!(last_line(vec![Done::failed("run cargo fmt"), broken]), "4 passed, 2 failed");
    let unreachable = Done::without_tests(Outcome::NotChecked, "no database");
    assert_eq!(last_line(vec![unreachable, judge(counts(1, 0, 0), None)]), "1 passed, 0 failed");
}

#[test]
fn capabilities_are_bits_of_the_effective_set() {
    let status = "Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t0000000000201000\n";
    assert!(has_capability(status, 12));
    assert!(has_capability(status, 21));
    assert!(!has_capability(status, 39));
    assert!(!has_capability("", 0));
}
