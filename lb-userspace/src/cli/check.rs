//! `shunt check`: every mistake in a configuration file, without a daemon.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Outcome, format};
use crate::{
    config::{self, ConfigError},
    model::Desired,
};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    file: PathBuf,
    ok: bool,
    /// What a file without mistakes holds.
    #[serde(flatten)]
    counts: Option<Counts>,
    /// The mistakes.
    errors: Vec<ConfigError>,
}

#[derive(Debug, Serialize)]
struct Counts {
    services: usize,
    listeners: usize,
    pools: usize,
    backends: usize,
    interfaces: usize,
}

pub(super) fn check(file: &Path, json: bool) -> anyhow::Result<Outcome> {
    let file = file.to_owned();
    let report = match config::load(&file) {
        Ok(desired) => Report { file, ok: true, counts: Some(count(&desired)), errors: Vec::new() },
        Err(errors) if json => {
            Report { file, ok: false, counts: None, errors: errors.iter().cloned().collect() }
        }
        Err(errors) => return Err(errors.into()),
    };
    let outcome = Outcome::view(&report, json, words)?;
    Ok(Outcome { done: report.ok, ..outcome })
}

fn count(desired: &Desired) -> Counts {
    Counts {
        services: desired.services.len(),
        listeners: desired.listeners.len(),
        pools: desired.pools.len(),
        backends: desired.pools.values().map(|pool| pool.backends.len()).sum(),
        interfaces: desired.interfaces.len(),
    }
}

fn words(report: &Report) -> String {
    let parts = report.counts.iter().flat_map(|counts| {
        let listeners = format::count(counts.listeners, "listener");
        [
            Some(format::count(counts.services, "service")),
            (counts.listeners > 0).then_some(listeners),
            Some(format::count(counts.pools, "pool")),
            Some(format::count(counts.backends, "backend")),
            Some(format::count(counts.interfaces, "interface")),
        ]
        .into_iter()
        .flatten()
    });
    format!("{}: ok: {}\n", report.file.display(), parts.collect::<Vec<_>>().join(", "))
}
