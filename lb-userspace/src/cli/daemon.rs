//! `shunt run` and `shunt detach`: the daemon's beginning and end.

use std::path::Path;

use hyper::Method;
use lb_common::limits::DEFAULT_PIN_DIR;

use super::{Decap, Outcome, wait};
use crate::{
    admin::{
        client::Client,
        types::{Changed, Status},
    },
    config::DEFAULT_STATE_DIR,
};

/// What the daemon itself does. The command line is below the daemon, so the binary hands it in.
#[derive(Clone, Copy, Debug)]
pub struct Daemon {
    /// Runs with a configuration file until it is told to end.
    pub run: fn(config: &Path) -> anyhow::Result<()>,
    /// Removes what an ended daemon left behind in its pin and state directories, and says what
    /// that was, a line each.
    pub detach: fn(pin_dir: &Path, state_dir: &Path) -> anyhow::Result<Vec<String>>,
    /// What `shunt decap` does; no daemon runs for that.
    pub decap: Decap,
}

pub(super) fn run(daemon: &Daemon, config: &Path) -> anyhow::Result<Outcome> {
    (daemon.run)(config)?;
    Ok(Outcome::text(String::new()))
}

/// Asks the daemon to remove everything and end; without a daemon removes what one left behind.
pub(super) fn detach(
    daemon: &Daemon,
    client: &Client,
    pin_dir: Option<&Path>,
    state_dir: Option<&Path>,
) -> anyhow::Result<Outcome> {
    if let Some(changed) = wait(ask(client, pin_dir))? {
        return Ok(Outcome::text(lines(&changed.operations)));
    }
    let pin_dir = pin_dir.unwrap_or(Path::new(DEFAULT_PIN_DIR));
    let state_dir = state_dir.unwrap_or(Path::new(DEFAULT_STATE_DIR));
    let removed = (daemon.detach)(pin_dir, state_dir)?;
    if removed.is_empty() {
        let out = format!("nothing to remove: nothing is pinned in {}\n", pin_dir.display());
        return Ok(Outcome::text(out));
    }
    Ok(Outcome::text(lines(&removed)))
}

/// Asks the daemon, if one is there that has its pins in the directory in question.
async fn ask(client: &Client, pin_dir: Option<&Path>) -> anyhow::Result<Option<Changed>> {
    let asked = async {
        if let Some(pin_dir) = pin_dir {
            let status: Status = client.get("/v1/status").await?;
            if status.pin_dir != pin_dir {
                return Ok(None);
            }
        }
        client.send(Method::POST, "/v1/detach", &()).await.map(Some)
    };
    match asked.await {
        Err(error) if error.is_absent() => Ok(None),
        answer => Ok(answer?),
    }
}

pub(super) fn lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
