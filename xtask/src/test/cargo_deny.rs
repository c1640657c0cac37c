//! Dependencies: their licences, sources and known vulnerabilities.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::summary::{Done, Outcome};
use crate::process::Spec;

/// How long the database of advisories may take to arrive.
const PATIENCE: Duration = Duration::from_mins(1);

/// What `deny.toml` allows; needs no network.
pub(super) fn policy() -> Result<Done> {
    let allowed = Spec::words("cargo deny check licenses bans sources").run()?;
    Ok(if allowed { Done::passed("") } else { Done::failed("see deny.toml") })
}

/// Known vulnerabilities, if their database can be had. Fetching and checking are two commands, so
/// that an unreachable database is told from a vulnerability.
pub(super) fn advisories() -> Result<Done> {
    if Spec::words("cargo deny --version").capture()?.is_none() {
        return Ok(Done::failed("there is no cargo-deny"));
    }
    let mut fetch = Spec::words("cargo deny fetch db").command();
    if !within(&mut fetch, PATIENCE)? {
        let detail = "the database cannot be reached";
        println!("advisories: not checked, {detail}");
        return Ok(Done::without_tests(Outcome::NotChecked, detail));
    }
    let clean = Spec::words("cargo deny check --disable-fetch advisories").run()?;
    Ok(if clean { Done::passed("") } else { Done::failed("see above") })
}

/// Runs a command, but not longer than this; true if it succeeded in time.
fn within(command: &mut Command, limit: Duration) -> Result<bool> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // No password prompts of git.
    let mut child = quiet.env("GIT_TERMINAL_PROMPT", "0").spawn().context("cannot run cargo")?;
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(Duration::from_millis(100));
    }
    child.kill()?;
    child.wait()?;
    Ok(false)
}
