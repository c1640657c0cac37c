//! Benchmarks of Shunt, as `cargo xtask bench` runs them.
//!
//! The programs that are measured are always optimised, however this one is built: the build scripts
//! see to that.

mod l4;
mod l7;
mod machine;
mod output;
mod stats;
mod tables;
mod target;

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
    L4(output::Args),
    /// Layer 7: cost of requests, beside other proxies and layer 4
    L7(output::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::L4(args) => l4::run(&args),
        Command::L7(args) => l7::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
