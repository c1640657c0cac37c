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
        pools: desired.pools.len(),
        backends: desired.pools.values().map(|pool| pool.backends.len()).sum(),
        interfaces: desired.interfaces.len(),
    }
}

fn words(report: &Report) -> String {
    let parts = report.counts.iter().flat_map(|counts| {
        [
            format::count(counts.services, "service"),
            format::count(counts.pools, "pool"),
            format::count(counts.backends, "backend"),
            format::count(counts.interfaces, "interface"),
        ]
    });
    format!("{}: ok: {}\n", report.file.display(), parts.collect::<Vec<_>>().join(", "))
}
