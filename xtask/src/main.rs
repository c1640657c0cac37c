//! `cargo xtask`: what a developer or CI does with this repository, one file per command.
//!
//! Nothing here may depend on a crate that embeds the BPF object: `setup` must compile on a
//! machine that cannot build it yet.

mod build;
mod demo;
mod process;
mod setup;
mod test;
mod tidy;
mod toolchain;

use std::process::ExitCode;

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
    /// Real connections over four backends, which change while traffic flows
    Demo(demo::Args),
    /// Formatting, lints, dependencies, and all tests, with one summary
    Test(test::Args),
    /// Check the architecture: who imports whom, file sizes, reasons of dependencies
    Tidy,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => Ok(test::run(&args)),
        Command::Tidy => tidy::run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
