//! `shunt pool`: the sets of backends.

use std::time::Duration;

use super::{
    Outcome, backend, format,
    table::{
        self,
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{BackendView, HealthState, NextHopView, PoolView},
    },
    model::{BackendState, Name, duration},
};

pub(super) async fn list(client: &Client, json: bool) -> anyhow::Result<Outcome> {
    let pools: Vec<PoolView> = client.get("/v1/pools").await?;
    Outcome::view(pools.as_slice(), json, table)
}

pub(super) async fn show(client: &Client, name: &Name, json: bool) -> anyhow::Result<Outcome> {
    let pool: PoolView = client.get(&format!("/v1/pools/{name}")).await?;
    Outcome::view(&pool, json, words)
}

/// All pools, a line each.
pub(super) fn table(pools: &[PoolView]) -> String {
    let mut table = Table::new(&[
        Text("POOL"),
        Number("BACKENDS"),
        Number("ENABLED"),
        Number("DRAINED"),
        Number("DOWN"),
        Number("UNRESOLVED"),
        Text("SERVICES"),
    ]);
    for pool in pools {
        let number = |wanted: fn(&BackendView) -> bool| {
            pool.backends.iter().filter(|backend| wanted(backend)).count().to_string()
        };
        table.row([
            pool.name.to_string(),
            pool.backends.len().to_string(),
            number(|backend| backend.state == BackendState::Enabled),
            number(|backend| backend.state == BackendState::Drained),
            number(|backend| backend.health.state == HealthState::Down),
            number(|backend| matches!(backend.next_hop, NextHopView::Unresolved { .. })),
            table::names(&pool.services),
        ]);
    }
    table.to_string()
}

pub(super) fn words(pool: &PoolView) -> String {
    let services = table::names(&pool.services);
    let health = pool.health.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let drain = pool.drain_timeout_ms.map(|timeout| duration::text(Duration::from_millis(timeout)));
    let drain = drain.as_deref().unwrap_or("none");
    let listeners = match &pool.listeners[..] {
        [] => String::new(),
        names => format!("  listeners      {}\n", table::names(names)),
    };
    format!(
        "pool {}\n  services       {services}\n{listeners}  health         {health}\n  drain-timeout  {drain}\n\n{}{}",
        pool.name,
        backend::members(pool),
        requests(pool)
    )
}

/// Requests by backend, if any route leads to the pool.
fn requests(pool: &PoolView) -> String {
    let mut table = Table::new(&[
        Text("BACKEND"),
        Number("REQUESTS"),
        Number("NOW"),
        Number("FAILED"),
        Text("EJECTED"),
    ]);
    let mut some = false;
    for backend in &pool.backends {
        let Some(requests) = backend.requests else { continue };
        some = true;
        table.row([
            backend.address.to_string(),
            format::thousands(requests.sent),
            format::thousands(requests.active.into()),
            format::thousands(requests.failed),
            if requests.ejected { "! yes" } else { "no" }.to_owned(),
        ]);
    }
    if some { format!("\n{table}") } else { String::new() }
}
