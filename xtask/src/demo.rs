//! `cargo xtask demo`: the main job, for the eye.
//!
//! Client, balancer and four backends as network namespaces; real connections through the XDP
//! program; backends changed by command while traffic flows. Everything it makes is named
//! `shunt-demo-*` or stands where `examples/nginx-stream.toml` puts it, and is removed at the end,
//! also after Ctrl-C and after errors: the owners of all of it are dropped.

mod report;
mod stage;
mod steps;

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use tests::{interrupt, require, sweep};

use self::stage::Stage;
use crate::{
    process::{Spec, root, target_dir},
    setup::{self, Group},
};

/// Names of the demo's namespaces begin so.
const NAME: &str = "shunt-demo";
/// The configuration it runs.
const EXAMPLE: &str = "examples/nginx-stream.toml";
/// Where that configuration puts things: the defaults.
const SOCKET: &str = "/run/shunt/admin.sock";
const PIN_DIR: &str = "/sys/fs/bpf/shunt";
const STATE_DIR: &str = "/var/lib/shunt";

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave everything running at the end, and print how to play on by hand; Ctrl-C ends it
    #[arg(long)]
    keep: bool,
    /// Connections for each measurement of the spread
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[Group::Build, Group::Demo])?;
    let lacking = require::lacks(&require::balancer());
    if !lacking.is_empty() {
        bail!("the demo cannot run here: {}", lacking.join("; "));
    }
    println!("Building shunt ...");
    if !Spec::words("cargo build -p lb-userspace").run()? {
        return Ok(ExitCode::FAILURE);
    }
    interrupt::listen();
    clean_up_earlier()?;
    let made = Made::new()?;
    let played = play(args);
    drop(made);
    played.map(|()| ExitCode::SUCCESS)
}

fn play(args: &Args) -> Result<()> {
    let example = root().join(EXAMPLE);
    let stage = Stage::build(&example, &target_dir().join("debug/shunt"))?;
    let connections = usize::try_from(args.connections)?;
    steps::spread(&stage, connections)?;
    steps::change_under_load(&stage, connections)?;
    steps::counters(&stage)?;
    if args.keep {
        steps::keep(&stage);
    } else {
        println!("\nEverything is removed again. `cargo xtask demo --keep` leaves it running.");
    }
    Ok(())
}

/// A demo that was killed leaves namespaces, pins and a state directory. A daemon that is not the
/// demo's is never touched.
fn clean_up_earlier() -> Result<()> {
    let left = sweep::namespaces(NAME)?;
    for path in [SOCKET, PIN_DIR] {
        if Path::new(path).exists() && left.is_empty() {
            bail!(
                "{path} exists: a Shunt daemon runs on this host, or has run; the demo uses the same places, so stop it and run `shunt detach` first"
            );
        }
    }
    if !left.is_empty() {
        println!("Removed what an earlier demo had left.");
        sweep::pins(Path::new(PIN_DIR))?;
        remove_directory(Path::new(STATE_DIR))?;
        remove_directory(socket_directory())?;
    }
    Ok(())
}

fn socket_directory() -> &'static Path {
    Path::new(SOCKET).parent().unwrap_or(Path::new("/run/shunt"))
}

fn remove_directory(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    std::fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))
}

/// Directories that the daemon makes, and that were not there before.
struct Made(Vec<&'static Path>);

impl Made {
    fn new() -> Result<Self> {
        let state = Path::new(STATE_DIR);
        if state.join("changes.json").exists() || state.join("vips.json").exists() {
            bail!("{STATE_DIR} holds the state of a Shunt daemon; move it away to run the demo");
        }
        let directories = [state, socket_directory()];
        Ok(Self(directories.into_iter().filter(|path| !path.exists()).collect()))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = remove_directory(path) {
                eprintln!("{error:#}");
            }
        }
    }
}
