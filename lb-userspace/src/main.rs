//! The binary `shunt`: daemon and command line in one.

use std::{env, process::ExitCode};

use lb_userspace::{
    app,
    cli::{self, Daemon},
};

fn main() -> ExitCode {
    let daemon = Daemon { run: app::run, detach: app::detach };
    match cli::parse(env::args_os()) {
        Ok(cli) => cli::run(cli, &daemon),
        Err(code) => code,
    }
}
