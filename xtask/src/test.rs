//! `cargo xtask test`: everything that proves the repository, step by step, with one summary.
//!
//! No step is left out silently, and a failed one does not keep the others from running. A tier
//! whose needs the machine does not meet is skipped with the reason, or fails when
//! `SHUNT_REQUIRE_ALL=1`, which CI sets. The last line has the form `N passed, N failed` (and
//! `, N skipped`), because CI reads it: it counts tests, and a failed check (formatting, a build
//! error) as one failure. Checks that pass are not counted.

mod cargo_deny;
mod checks;
mod libtest;
mod machine;
mod summary;
#[cfg(test)]
mod tests;
mod tiers;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;

use self::{
    libtest::Counts,
    summary::{Done, Outcome, Report},
};
use crate::setup::{self, Group};

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this tier (may be repeated); all when not given
    #[arg(long = "tier", value_enum)]
    tiers: Vec<Tier>,
}

/// What the steps are grouped by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Tier {
    /// Formatting, lints, architecture, dependencies
    Checks,
    /// Tests that need no privileges
    Host,
    /// The program in the kernel, without a network
    Kernel,
    /// Real traffic through network namespaces, and the demo
    Netns,
}

impl Tier {
    const ALL: [Self; 4] = [Self::Checks, Self::Host, Self::Kernel, Self::Netns];

    fn needs(self) -> &'static [Group] {
        match self {
            Self::Checks => &[Group::Build, Group::Lint],
            Self::Host => &[Group::Build],
            Self::Kernel => &[Group::Build, Group::Test],
            Self::Netns => &[Group::Build, Group::Test, Group::Demo],
        }
    }
}

struct Step {
    name: &'static str,
    tier: Tier,
    run: fn() -> Result<Done>,
}

const STEPS: [Step; 9] = [
    Step { name: "fmt", tier: Tier::Checks, run: checks::fmt },
    Step { name: "clippy", tier: Tier::Checks, run: checks::clippy },
    Step { name: "tidy", tier: Tier::Checks, run: checks::tidy },
    Step { name: "deny", tier: Tier::Checks, run: cargo_deny::policy },
    Step { name: "advisories", tier: Tier::Checks, run: cargo_deny::advisories },
    Step { name: "host tests", tier: Tier::Host, run: tiers::host },
    Step { name: "kernel tests", tier: Tier::Kernel, run: tiers::kernel },
    Step { name: "namespace tests", tier: Tier::Netns, run: tiers::netns },
    Step { name: "demo", tier: Tier::Netns, run: tiers::demo },
];

/// Runs the steps of the chosen tiers.
pub(crate) fn run(args: &Args) -> ExitCode {
    let tiers = if args.tiers.is_empty() { &Tier::ALL } else { args.tiers.as_slice() };
    let mut reports = vec![timed("setup", || set_up(tiers))];
    for step in STEPS.iter().filter(|step| tiers.contains(&step.tier)) {
        reports.push(timed(step.name, step.run));
    }
    print!("{}", summary::render(&reports));
    let failed = reports.iter().any(|report| report.done.outcome == Outcome::Failed);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What lacks here shows in the steps that need it, so a failure does not end the run.
fn set_up(tiers: &[Tier]) -> Result<Done> {
    let needs: Vec<_> = tiers.iter().flat_map(|tier| tier.needs()).copied().collect();
    setup::ensure(&needs)?;
    Ok(Done::passed("everything is present"))
}

fn timed(name: &'static str, run: impl FnOnce() -> Result<Done>) -> Report {
    println!("\n== {name}");
    let start = Instant::now();
    let done = run().unwrap_or_else(|error| Done {
        outcome: Outcome::Failed,
        counts: Counts::default(),
        detail: format!("{error:#}"),
    });
    println!("== {name}: {} {}", done.outcome, done.detail);
    Report { name, done, took: start.elapsed() }
}
