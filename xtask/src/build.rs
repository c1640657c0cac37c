//! `cargo xtask build`: sets the machine up if need be, then builds.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    process::{Spec, target_dir},
    setup::{self, Group},
};

/// Arguments of `cargo xtask build`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Optimise; takes longer
    #[arg(long)]
    release: bool,
}

/// Builds the workspace's host crates and says where the binary is.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[Group::Build])?;
    let profile = args.release.then(|| "--release".to_owned());
    if !Spec::words("cargo build").args(profile).run()? {
        return Ok(ExitCode::FAILURE);
    }
    let directory = if args.release { "release" } else { "debug" };
    println!("built: {}", target_dir().join(directory).join("shunt").display());
    Ok(ExitCode::SUCCESS)
}
