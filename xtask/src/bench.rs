//! `cargo xtask bench`: sets the machine up if need be, then runs the benchmark.
//!
//! The benchmark is a program of its own (`bench`), because it embeds BPF objects, which xtask must not
//! need.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    process::Spec,
    setup::{self, Group},
};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// What the benchmark is told; `cargo xtask bench --help` and `cargo xtask bench l4 --help` list it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    rest: Vec<String>,
}

/// Builds the benchmark with optimisation, and runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[Group::Build, Group::Bench])?;
    // At layer 7 it is the daemon itself that is measured.
    let daemon = Spec::words("cargo build --release --package lb-userspace --bin shunt");
    if args.rest.first().is_some_and(|layer| layer == "l7") && !daemon.run()? {
        return Ok(ExitCode::FAILURE);
    }
    let bench = Spec::words("cargo run --release --package bench --").args(args.rest.clone());
    Ok(if bench.run()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
