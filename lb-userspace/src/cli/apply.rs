//! `shunt apply`: make the running daemon match a file.

use std::{fs, path::Path};

use anyhow::Context;
use hyper::Method;

use super::{Outcome, format};
use crate::admin::{
    client::Client,
    types::{Apply, Changed},
};

pub(super) async fn apply(
    client: &Client,
    file: &Path,
    dry_run: bool,
    json: bool,
) -> anyhow::Result<Outcome> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let apply = Apply { file: name, text, dry_run };
    let changed: Changed = client.send(Method::POST, "/v1/apply", &apply).await?;
    Outcome::view(&changed, json, |changed| words(&apply.file, dry_run, changed))
}

fn words(file: &str, dry_run: bool, changed: &Changed) -> String {
    let operations = &changed.operations;
    if operations.is_empty() {
        return format!("{file}: nothing to change\n");
    }
    let number = format::count(operations.len(), "operation");
    let head = if dry_run {
        format!("{file}: {number} to do (dry run, nothing was changed):\n")
    } else {
        format!("{file}: applied, {number}:\n")
    };
    operations.iter().fold(head, |out, operation| out + "  " + operation + "\n")
}
