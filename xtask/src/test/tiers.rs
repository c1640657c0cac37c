//! The tiers of tests.

use std::env;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    libtest::{Counts, listed},
    machine,
    summary::{Done, Outcome},
};
use crate::process::Spec;

/// The integration binary with the tests that need privileges.
const INTEGRATION: &str = "it";
/// The binary that tests the benchmark, which needs them, too.
const SMOKE: &str = "smoke";

/// Tests without privileges: units, properties, documentation.
pub(super) fn host() -> Result<Done> {
    let unprivileged = |test: &String| test != INTEGRATION && test != SMOKE;
    let others = integration_tests()?.into_iter().filter(unprivileged);
    let targets = others.flat_map(|test| ["--test".to_owned(), test]);
    let units = cargo_test("--lib --bins --examples").args(targets);
    let rest = integration("--skip kernel:: --skip netns::");
    run_tests(&[units, cargo_test("--doc"), rest])
}

/// The program in the kernel, by `BPF_PROG_TEST_RUN`.
pub(super) fn kernel() -> Result<Done> {
    let tests = integration("kernel::");
    match machine::lacks_for_kernel() {
        Some(reason) => skip(&tests, &reason),
        None => run_tests(&[tests]),
    }
}

/// Real traffic. The tests start the `shunt` binary, which their crate cannot depend on.
pub(super) fn netns() -> Result<Done> {
    let tests = integration("netns:: --test-threads=2");
    if let Some(reason) = machine::lacks_for_netns() {
        return skip(&tests, &reason);
    }
    if !Spec::words("cargo build --package lb-userspace --bin shunt").run()? {
        return Ok(Done::failed("the binary does not build"));
    }
    run_tests(&[tests, cargo_test(&format!("--test {SMOKE}"))])
}

/// What somebody sees first. It fails unless every connection and request came out as it says.
pub(super) fn demo() -> Result<Done> {
    if let Some(reason) = machine::lacks_for_netns() {
        return without(&reason, || Ok(0));
    }
    let shown = Spec::words("cargo xtask demo").run()?;
    Ok(if shown { Done::passed("") } else { Done::failed("`cargo xtask demo` failed") })
}

/// All tiers choose the same packages and features: otherwise cargo would build dependencies anew
/// for each.
fn cargo_test(targets: &str) -> Spec {
    let all = "cargo test --workspace --exclude lb-ebpf --exclude bench-ebpf \
               --features lb-common/std --no-fail-fast";
    Spec::words(&format!("{all} {targets}"))
}

fn integration(arguments: &str) -> Spec {
    cargo_test(&format!("--test {INTEGRATION} -- {arguments}"))
}

fn run_tests(commands: &[Spec]) -> Result<Done> {
    let mut counts = Vec::new();
    let mut broken = None;
    for command in commands {
        println!("$ {command}");
        let before = counts.len();
        let succeeded = command.tee(|line| counts.extend(Counts::from_line(line)))?;
        // A failed test is counted; anything else is a build error or a crash of the harness.
        if !succeeded && counts[before..].iter().all(|counts| counts.failed == 0) {
            broken = Some(format!("`{command}` failed"));
        }
    }
    Ok(judge(counts.into_iter().sum(), broken))
}

/// What the counts mean. A tier without a single test proves nothing, so that is a failure.
pub(super) fn judge(counts: Counts, broken: Option<String>) -> Done {
    let Counts { passed, failed, skipped } = counts;
    let (outcome, detail) = match broken {
        Some(broken) => (Outcome::Failed, broken),
        None if failed > 0 => (Outcome::Failed, format!("{failed} of {} failed", passed + failed)),
        None if passed == 0 => (Outcome::Failed, "not a single test ran".to_owned()),
        None if skipped > 0 => (Outcome::Passed, format!("{passed} tests, {skipped} ignored")),
        None => (Outcome::Passed, format!("{passed} tests")),
    };
    Done { outcome, counts, detail }
}

fn skip(tests: &Spec, reason: &str) -> Result<Done> {
    let list = tests.clone().args(["--list".to_owned()]);
    let skipped = || list.capture().map(|output| output.map_or(0, |output| listed(&output)));
    without(reason, skipped)
}

/// The machine does not meet the needs: that is a failure where all is required.
fn without(reason: &str, skipped: impl FnOnce() -> Result<usize>) -> Result<Done> {
    println!("cannot run here: {reason}");
    if env::var("SHUNT_REQUIRE_ALL").is_ok_and(|value| value == "1") {
        return Ok(Done::failed(&format!("{reason} (SHUNT_REQUIRE_ALL=1)")));
    }
    let counts = Counts { skipped: skipped()?, ..Counts::default() };
    Ok(Done { outcome: Outcome::Skipped, counts, detail: reason.to_owned() })
}

fn integration_tests() -> Result<Vec<String>> {
    let metadata = Spec::words("cargo metadata --no-deps --format-version=1")
        .capture()?
        .context("`cargo metadata` fails; run it to see why")?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages
        .filter(|package| package["name"] != "lb-ebpf" && package["name"] != "bench-ebpf")
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect())
}
