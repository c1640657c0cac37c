//! Which crate of the workspace depends on which, against the table.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Finding,
    files::File,
    layers::{CRATES, CRATES_IN_TESTS, Layer},
};
use crate::process::Spec;

/// Checks what cargo says of the workspace.
pub(super) fn check(files: &[File]) -> Result<Vec<Finding>> {
    let metadata = Spec::words("cargo metadata --no-deps --format-version=1")
        .capture()?
        .context("`cargo metadata` fails; run it to see why")?;
    let metadata = serde_json::from_str(&metadata).context("`cargo metadata` printed no JSON")?;
    Ok(check_metadata(&metadata, files))
}

/// Checks the output of `cargo metadata --no-deps`.
pub(super) fn check_metadata(metadata: &Value, files: &[File]) -> Vec<Finding> {
    let packages: Vec<_> = metadata["packages"].as_array().into_iter().flatten().collect();
    let members: Vec<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = format!("{name}/Cargo.toml");
        if row(CRATES, name).is_none() {
            let text = format!("crate `{name}` has no row in xtask/src/tidy/layers.rs; add one");
            findings.push(Finding::error(&manifest, 1, "crates", text));
            continue;
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let in_tests = dependency["kind"] == "dev";
            if members.contains(&on) && !allowed(name, on, in_tests) {
                let line = line_of(files, &manifest, on);
                let text = format!("`{name}` must not depend on `{on}`; see the table of layers");
                findings.push(Finding::error(&manifest, line, "crates", text));
            }
        }
    }
    findings
}

fn allowed(name: &str, on: &str, in_tests: bool) -> bool {
    let has = |table| row(table, name).is_some_and(|layers| layers.contains(&on));
    has(CRATES) || (in_tests && has(CRATES_IN_TESTS))
}

fn row(table: &[Layer], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed)
}

fn line_of(files: &[File], manifest: &str, dependency: &str) -> usize {
    let file = files.iter().find(|file| file.path == manifest);
    let position = |file: &File| file.text.lines().position(|line| line.starts_with(dependency));
    file.and_then(position).map_or(1, |at| at + 1)
}
