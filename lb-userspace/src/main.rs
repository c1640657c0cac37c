//! The binary `shunt`: daemon and command line in one.

use std::{env, process::ExitCode};

use lb_userspace::{
    app,
    cli::{self, Daemon, Decap},
};

fn main() -> ExitCode {
    let decap =
        Decap { attach: app::decap::attach, view: app::decap::view, detach: app::decap::detach };
    let daemon = Daemon { run: app::run, detach: app::detach, decap };
    match cli::parse(env::args_os()) {
        Ok(cli) => cli::run(cli, &daemon),
        Err(code) => code,
    }
}
