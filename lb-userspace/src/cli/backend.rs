//! `shunt backend`: the members of pools, and every change to them.

use std::net::SocketAddr;

use hyper::Method;
use serde::Serialize;

use super::{
    Outcome,
    args::{BackendCommand, Members},
    format,
    table::{
        self,
        Column::{self, Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{BackendView, Changed, HealthState, HealthView, NextHopView, PoolView},
    },
    model::{BackendState, Change, Name, Weight},
};

const COLUMNS: [Column; 7] = [
    Text("BACKEND"),
    Number("WEIGHT"),
    Text("STATE"),
    Number("SENT"),
    Number("BYTES"),
    Text("HEALTH"),
    Text("NEXT HOP"),
];

pub(super) async fn backend(client: &Client, command: BackendCommand) -> anyhow::Result<Outcome> {
    match command {
        BackendCommand::List { pool, output } => list(client, pool.as_ref(), output.json).await,
        BackendCommand::Add { members, weight } => {
            let add = |pool, address| Change::AddBackend { pool, address, weight };
            change(client, &members, add).await
        }
        BackendCommand::Remove(members) => {
            change(client, &members, |pool, address| Change::RemoveBackend { pool, address }).await
        }
        BackendCommand::Drain(members) => set_state(client, &members, BackendState::Drained).await,
        BackendCommand::Enable(members) => set_state(client, &members, BackendState::Enabled).await,
        BackendCommand::Weight { pool, address, weight } => {
            set_weight(client, pool, address, weight).await
        }
    }
}

async fn set_state(
    client: &Client,
    members: &Members,
    state: BackendState,
) -> anyhow::Result<Outcome> {
    change(client, members, |pool, address| Change::SetState { pool, address, state }).await
}

async fn set_weight(
    client: &Client,
    pool: Name,
    address: SocketAddr,
    weight: Weight,
) -> anyhow::Result<Outcome> {
    let members = Members { pool, addresses: vec![address] };
    change(client, &members, |pool, address| Change::SetWeight { pool, address, weight }).await
}

/// Asks for the same change to each of the backends: all are changed, or none.
async fn change(
    client: &Client,
    members: &Members,
    make: impl Fn(Name, SocketAddr) -> Change,
) -> anyhow::Result<Outcome> {
    let changes: Vec<Change> =
        members.addresses.iter().map(|&address| make(members.pool.clone(), address)).collect();
    send(client, &changes).await
}

/// Asks for changes, all or none.
pub(super) async fn send(client: &Client, changes: &[Change]) -> anyhow::Result<Outcome> {
    let _: Changed = client.send(Method::POST, "/v1/changes", &changes).await?;
    Ok(Outcome::text(changes.iter().map(done).collect()))
}

/// A line that says what a change did.
fn done(change: &Change) -> String {
    match change {
        Change::AddBackend { pool, address, weight } => {
            format!("added {address} to pool {pool} (weight {weight})\n")
        }
        Change::RemoveBackend { pool, address } => format!("removed {address} from pool {pool}\n"),
        Change::SetWeight { pool, address, weight } => {
            format!("set the weight of {address} in pool {pool} to {weight}\n")
        }
        Change::SetState { pool, address, state: BackendState::Drained } => {
            format!("drained {address} in pool {pool}\n")
        }
        Change::SetState { pool, address, state: BackendState::Enabled } => {
            format!("enabled {address} in pool {pool}\n")
        }
        Change::AddSource { service, list, prefix } => {
            format!("added {prefix} to `{}` of service {service}\n", list.name())
        }
        Change::RemoveSource { service, list, prefix } => {
            format!("removed {prefix} from `{}` of service {service}\n", list.name())
        }
    }
}

/// A backend together with its pool.
#[derive(Debug, Serialize)]
struct Member<'a> {
    pool: &'a Name,
    #[serde(flatten)]
    backend: &'a BackendView,
}

async fn list(client: &Client, pool: Option<&Name>, json: bool) -> anyhow::Result<Outcome> {
    let pools: Vec<PoolView> = match pool {
        Some(pool) => vec![client.get(&format!("/v1/pools/{pool}")).await?],
        None => client.get("/v1/pools").await?,
    };
    let all: Vec<Member<'_>> = pools
        .iter()
        .flat_map(|pool| pool.backends.iter().map(|backend| Member { pool: &pool.name, backend }))
        .collect();
    Outcome::view(all.as_slice(), json, all_members)
}

fn all_members(members: &[Member<'_>]) -> String {
    let mut table = Table::new(&[&[Text("POOL")], COLUMNS.as_slice()].concat());
    for member in members {
        table.row([member.pool.to_string()].into_iter().chain(cells(member.backend)));
    }
    table.to_string()
}

/// The backends of one pool.
pub(super) fn members(pool: &PoolView) -> String {
    let mut table = Table::new(&COLUMNS);
    for backend in &pool.backends {
        table.row(cells(backend));
    }
    table.to_string()
}

fn cells(backend: &BackendView) -> [String; COLUMNS.len()] {
    let [packets, bytes] = table::counter(backend.sent);
    [
        backend.address.to_string(),
        backend.weight.to_string(),
        state(backend.state).to_owned(),
        packets,
        bytes,
        health(&backend.health),
        next_hop(&backend.next_hop),
    ]
}

/// A state in a cell.
pub(super) fn state(state: BackendState) -> &'static str {
    match state {
        BackendState::Enabled => "enabled",
        BackendState::Drained => "drained",
    }
}

/// Health in a cell: the state, for how long, and what is wrong.
fn health(health: &HealthView) -> String {
    let time = health.seconds.map(|seconds| format!(" for {}", format::duration(seconds)));
    let time = time.unwrap_or_default();
    match (health.state, &health.result) {
        (HealthState::Unchecked, None) => "-".to_owned(),
        (HealthState::Unchecked, Some(result)) => format!("unchecked: {result}"),
        (HealthState::Up, _) => format!("up{time}"),
        (HealthState::Down, result) => {
            let reason = result.as_deref().unwrap_or("not probed yet");
            format!("! down{time}: {reason}")
        }
    }
}

/// A next hop in a cell.
pub(super) fn next_hop(next_hop: &NextHopView) -> String {
    match next_hop {
        NextHopView::Resolved { interface, mac } => format!("{mac} on {interface}"),
        NextHopView::Unneeded => "-".to_owned(),
        NextHopView::Unresolved { reason } => format!("! unresolved: {reason}"),
    }
}
