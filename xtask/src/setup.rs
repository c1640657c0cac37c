//! `cargo xtask setup`: makes an empty Debian-like machine able to build and test.
//!
//! What the machine needs is a list ([`needs`]); each need is probed first and installed only when
//! it lacks, so that a second run does nothing. A need that cannot be had does not keep the others
//! from being installed; all failures are shown at the end, each with what to do.

mod ebpf;
mod install;
mod need;
mod needs;
mod progress;
#[cfg(test)]
mod tests;

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use self::{
    install::{Failure, Installer},
    need::{Need, Probe},
};
use crate::toolchain::{Machine, ThisMachine};

pub(crate) use self::need::Group;

/// Arguments of `cargo xtask setup`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only look; print a table, and exit with 1 when something lacks
    #[arg(long)]
    check: bool,
    /// Only what this needs (may be repeated); everything when not given
    #[arg(long = "for", value_enum, value_name = "GROUP")]
    groups: Vec<Group>,
}

/// Runs the command: shows every need, then installs what lacks.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let groups = if args.groups.is_empty() { &Group::ALL } else { args.groups.as_slice() };
    let probed = probe(&ThisMachine, groups);
    for (need, found) in &probed {
        println!("{}", row(need, found));
    }
    let lacking = lacking(probed);
    if lacking.is_empty() {
        println!("everything is present");
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        println!("{} missing; `cargo xtask setup` installs what lacks", lacking.len());
        return Ok(ExitCode::FAILURE);
    }
    install_all(&lacking)?;
    println!("everything is present now");
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the needs of these groups are there. Prints nothing when they are.
pub(crate) fn ensure(groups: &[Group]) -> Result<()> {
    let lacking = lacking(probe(&ThisMachine, groups));
    if lacking.is_empty() { Ok(()) } else { install_all(&lacking) }
}

fn probe(machine: &dyn Machine, groups: &[Group]) -> Vec<(Need, Probe)> {
    needs::all()
        .into_iter()
        .filter(|need| need.groups.iter().any(|group| groups.contains(group)))
        .map(|need| (need, (need.probe)(machine)))
        .collect()
}

fn lacking(probed: Vec<(Need, Probe)>) -> Vec<Need> {
    let lacks = |(need, found)| matches!(found, Probe::Missing(_)).then_some(need);
    probed.into_iter().filter_map(lacks).collect()
}

fn row(need: &Need, found: &Probe) -> String {
    let (state, detail) = match found {
        Probe::Present(detail) => ("present", detail),
        Probe::Missing(detail) => ("MISSING", detail),
    };
    format!("  {state}  {:<12}  {detail}", need.name)
}

fn install_all(lacking: &[Need]) -> Result<()> {
    println!("to install:");
    for need in lacking {
        println!("  {:<12}  {}", need.name, need.why);
    }
    let mut installer = Installer::new(&ThisMachine, &progress::run_logged);
    let failures = install_each(lacking, &mut installer);
    if failures.is_empty() {
        return Ok(());
    }
    eprintln!("\nwhat could not be had:");
    for (need, failure) in &failures {
        eprint!("{}", report(need, failure));
    }
    let names: Vec<_> = failures.iter().map(|(need, _)| need.name).collect();
    bail!("this machine still lacks: {}", names.join(", "))
}

/// Installs one after the other and goes on after a failure.
fn install_each<'a>(
    lacking: &'a [Need],
    installer: &mut Installer<'_>,
) -> Vec<(&'a Need, Failure)> {
    let mut failures = Vec::new();
    for need in lacking {
        // An earlier need may have brought this one along.
        if let Probe::Present(_) = (need.probe)(installer.machine) {
            continue;
        }
        println!("\n{}", need.name);
        let start = Instant::now();
        let outcome = (need.install)(installer).and_then(|()| verify(need, installer.machine));
        match outcome {
            Ok(()) => println!("  done in {} s", start.elapsed().as_secs()),
            Err(failure) => {
                println!("  FAILED after {} s", start.elapsed().as_secs());
                failures.push((need, failure));
            }
        }
    }
    failures
}

/// A command may succeed and yet not bring what we need.
fn verify(need: &Need, machine: &dyn Machine) -> Result<(), Failure> {
    match (need.probe)(machine) {
        Probe::Present(_) => Ok(()),
        Probe::Missing(detail) => Err(Failure::of(&format!("installed, and yet: {detail}"))),
    }
}

fn report(need: &Need, failure: &Failure) -> String {
    let mut lines = vec![String::new(), format!("  {}", need.name)];
    let mut add = |what: &str, text: &str| lines.push(format!("    {what:<8} {text}"));
    add("needed:", need.why);
    if let Some(command) = &failure.command {
        add("tried:", command);
    }
    failure.said.lines().for_each(|line| add("said:", line));
    if let Some(log) = &failure.log {
        add("log:", &log.display().to_string());
    }
    add("to do:", need.by_hand);
    lines.join("\n") + "\n"
}
