//! The binary `shunt`: daemon and command line in one.

use std::{env, process::ExitCode};

use lb_userspace::{
    app,
    cli::{self, Daemon, Decap},
};
use tikv_jemallocator::Jemalloc;

/// Connections have memory while requests come, and none while they rest. This allocator keeps blocks of like
/// size together, so that whole pages become free, and a thread of its own gives them back to the kernel.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let decap =
        Decap { attach: app::decap::attach, view: app::decap::view, detach: app::decap::detach };
    let daemon = Daemon { run: app::run, detach: app::detach, decap };
    match cli::parse(env::args_os()) {
        Ok(cli) => cli::run(cli, &daemon),
        Err(code) => code,
    }
}
