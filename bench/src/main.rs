//! Benchmarks of Shunt, as `cargo xtask bench` runs them.
//!
//! The programs that are measured are always optimised, however this one is built: the build scripts
//! see to that.

mod l4;
mod stats;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Benchmarks of Shunt")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Layer 4: cost per packet and packet rate, beside bare programs and the kernel
    L4(l4::Args),
}

fn main() -> ExitCode {
    let Command::L4(args) = Cli::parse().command;
    match l4::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
