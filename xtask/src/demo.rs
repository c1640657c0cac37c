//! `cargo xtask demo`: the main job, for the eye.
//!
//! Client, balancer and four backends as network namespaces; real connections through the XDP
//! program; backends changed by command while traffic flows. Then requests at layer 7 while the
//! service goes on, and the same over TLS, each of which must be answered by whom its route says.
//!
//! Everything it makes is named `shunt-demo-*` or stands where `examples/nginx-stream.toml` puts it,
//! and is removed at the end, also after Ctrl-C and after errors, because its owners are dropped.

mod answers;
mod claim;
mod config;
mod keep;
mod layer7;
mod progress;
mod refusals;
mod report;
mod site;
mod stage;
mod steps;
#[cfg(test)]
mod tests;
mod tls;
mod tls_server;

use std::{process::ExitCode, time::Instant};

use ::tests::{
    interrupt,
    require::{self, Need},
};
use anyhow::{Result, bail};

use self::{claim::Claim, stage::Stage};
use crate::{
    process::{Spec, root, target_dir},
    setup::{self, Group},
};

/// The configuration that is run.
const EXAMPLE: &str = "examples/nginx-stream.toml";
/// What a shell makes of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave everything running at the end, and print how to play on by hand; Ctrl-C ends it
    #[arg(long)]
    keep: bool,
    /// Only end a demo that is still running, and remove what a killed one has left
    #[arg(long, conflicts_with = "keep")]
    clean: bool,
    /// Connections for each measurement of the spread
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    connections: u32,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    refuse_without(&[Need::Root, Need::Namespaces])?;
    if args.clean {
        println!("{}", claim::clean()?);
        return Ok(ExitCode::SUCCESS);
    }
    setup::ensure(&[Group::Build, Group::Demo])?;
    refuse_without(&require::network())?;
    println!("Building shunt ...");
    if !Spec::words("cargo build --package lb-userspace --bin shunt").run()? {
        return Ok(ExitCode::FAILURE);
    }
    interrupt::listen();
    let claim = Claim::take()?;
    let played = play(args, &claim);
    drop(claim);
    if interrupt::requested() && !(args.keep && played.is_ok()) {
        println!("\nInterrupted. Everything that the demo made has been removed.");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    played.map(|()| ExitCode::SUCCESS)
}

fn refuse_without(needs: &[Need]) -> Result<()> {
    let lacks = require::lacks(needs);
    if !lacks.is_empty() {
        bail!("the demo cannot run here: {}", lacks.join("; "));
    }
    Ok(())
}

fn play(args: &Args, claim: &Claim) -> Result<()> {
    let start = Instant::now();
    let connections = usize::try_from(args.connections)?;
    let stage = Stage::build(&root().join(EXAMPLE), &target_dir().join("debug/shunt"), claim)?;
    report::heading(&format!("{connections} connections to http://{}/", stage.vip()));
    steps::spread(&stage, connections)?;
    steps::change_under_load(&stage)?;
    report::heading(&format!("{connections} connections with the changed pool"));
    steps::spread(&stage, connections)?;
    steps::counters(&stage)?;
    layer7::over_http(&stage)?;
    let _servers = tls::over_tls(&stage, claim)?;
    refusals::misplaced_paths(&stage, claim)?;
    println!("\nThat took {:.0} s.", start.elapsed().as_secs_f32());
    if args.keep {
        keep::keep(&stage, claim);
    } else {
        println!("\nTo play on by hand, let everything run: cargo xtask demo --keep");
    }
    Ok(())
}
