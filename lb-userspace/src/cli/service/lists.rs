//! `shunt service allow|deny`: who may connect, looked at and changed while the daemon runs.

use std::fmt::Write as _;

use crate::{
    admin::client::Client,
    cli::{
        Outcome,
        args::{ListCommand, ListOf},
        backend,
    },
    model::{Change, Prefix, Rule},
};

pub(in crate::cli) async fn lists(
    client: &Client,
    list: Rule,
    of: ListOf,
) -> anyhow::Result<Outcome> {
    let ListOf { name: service, command } = of;
    let changes: Vec<Change> = match command {
        ListCommand::List { output } => {
            let path = format!("/v1/services/{service}/{}", list.name());
            let prefixes: Vec<Prefix> = client.get(&path).await?;
            return Outcome::view(prefixes.as_slice(), output.json, words);
        }
        ListCommand::Add { prefixes } => prefixes
            .into_iter()
            .map(|prefix| Change::AddSource { service: service.clone(), list, prefix })
            .collect(),
        ListCommand::Remove { prefixes } => prefixes
            .into_iter()
            .map(|prefix| Change::RemoveSource { service: service.clone(), list, prefix })
            .collect(),
    };
    backend::send(client, &changes).await
}

/// A line each.
fn words(prefixes: &[Prefix]) -> String {
    prefixes.iter().fold(String::new(), |mut out, prefix| {
        _ = writeln!(out, "{prefix}");
        out
    })
}
