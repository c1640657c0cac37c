//! `cargo xtask`: what a developer or CI does with this repository, one file per command.
//!
//! Nothing here may depend on a crate that embeds the BPF object: `setup` must compile on a
//! machine that cannot build it yet.

mod bench;
mod build;
mod demo;
mod process;
mod setup;
mod test;
mod tidy;
mod toolchain;

use std::{env, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Work on Shunt")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this machine able to build and test: says what it installs, and can be run again
    Setup(setup::Args),
    /// Build the `shunt` binary with the XDP program in it
    Build(build::Args),
    /// Real connections over four backends, which change while traffic flows, and requests by routes
    Demo(demo::Args),
    /// Formatting, lints, dependencies, and all tests, with one summary
    Test(test::Args),
    /// What the packet path costs, beside bare programs and the kernel's own ways
    Bench(bench::Args),
    /// Check the architecture: who imports whom, file sizes, reasons of dependencies
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    // What we call works on the whole workspace, wherever we were called.
    env::set_current_dir(process::root()).context("cannot enter the root of the workspace")?;
    match command {
        Command::Setup(args) => setup::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => Ok(test::run(&args)),
        Command::Bench(args) => bench::run(&args),
        Command::Tidy => tidy::run(),
    }
}
