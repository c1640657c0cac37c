//! `shunt service`: the VIPs and how their packets are spread.

use std::{collections::BTreeMap, net::SocketAddr};

use lb_common::abi::Reason;

use super::{
    Outcome, backend, format, status,
    table::{
        self,
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{BackendView, CounterView, PoolView, ServiceView},
    },
    model::Name,
};

pub(super) async fn list(client: &Client, json: bool) -> anyhow::Result<Outcome> {
    let services: Vec<ServiceView> = client.get("/v1/services").await?;
    Outcome::view(services.as_slice(), json, table)
}

pub(super) async fn show(client: &Client, name: &Name, json: bool) -> anyhow::Result<Outcome> {
    let service: ServiceView = client.get(&format!("/v1/services/{name}")).await?;
    let pool: PoolView = client.get(&format!("/v1/pools/{}", service.pool)).await?;
    Outcome::view(&service, json, |service| words(service, &pool))
}

/// All services, a line each.
pub(super) fn table(services: &[ServiceView]) -> String {
    let mut table = Table::new(&[
        Text("SERVICE"),
        Text("LISTEN"),
        Text("FORWARD"),
        Text("POOL"),
        Number("FORWARDED"),
        Number("BYTES"),
        Number("RETURNED"),
        Number("OTHER"),
    ]);
    for service in services {
        let of = |reason: Reason| service.packets.get(reason.name()).copied().unwrap_or_default();
        let [forwarded, bytes] = table::counter(of(Reason::Forwarded));
        table.row([
            service.name.to_string(),
            service.listen.to_string(),
            service.forward.name().to_owned(),
            service.pool.to_string(),
            forwarded,
            bytes,
            format::thousands(of(Reason::Returned).packets),
            format::thousands(other(&service.packets)),
        ]);
    }
    table.to_string()
}

/// Packets that the program delivered neither to a backend nor to a client.
fn other(packets: &BTreeMap<String, CounterView>) -> u64 {
    let delivered =
        |name: &str| Reason::ALL.iter().any(|reason| reason.is_delivery() && reason.name() == name);
    packets.iter().filter(|(name, _)| !delivered(name)).map(|(_, counter)| counter.packets).sum()
}

pub(super) fn words(service: &ServiceView, pool: &PoolView) -> String {
    let address = service.vip_interface.as_ref().map_or_else(
        || "the operator's to configure".to_owned(),
        |interface| format!("kept on {interface} by the daemon"),
    );
    let head = format!(
        "service {}\n  listen   {}\n  address  {address}\n  forward  {}\n  pool     {}\n  slots    {}\n",
        service.name,
        service.listen,
        service.forward.name(),
        service.pool,
        format::thousands(service.slots.into()),
    );
    [head, shares(service, pool), status::reasons(&service.packets)].join("\n")
}

/// The backends of the pool with their part of the ring, and owners that have left the pool.
fn shares(service: &ServiceView, pool: &PoolView) -> String {
    let mut table = Table::new(&[
        Text("BACKEND"),
        Number("WEIGHT"),
        Text("STATE"),
        Number("SLOTS"),
        Number("SHARE"),
        Text("NEXT HOP"),
    ]);
    let members: BTreeMap<SocketAddr, &BackendView> =
        pool.backends.iter().map(|backend| (backend.address, backend)).collect();
    let mut row = |who: String, backend: Option<&BackendView>, slots: u32| {
        let of = |cell: fn(&BackendView) -> String| backend.map_or_else(|| "-".to_owned(), cell);
        table.row([
            who,
            of(|backend| backend.weight.to_string()),
            of(|backend| backend::state(backend.state).to_owned()),
            format::thousands(slots.into()),
            format::share(slots, service.slots),
            of(|backend| backend::next_hop(&backend.next_hop)),
        ]);
    };
    for (address, backend) in &members {
        let slots = service.owners.get(address).copied().unwrap_or(0);
        row(address.to_string(), Some(backend), slots);
    }
    for (address, slots) in &service.owners {
        if !members.contains_key(address) {
            row(address.to_string(), None, *slots);
        }
    }
    let unowned = service.slots.saturating_sub(service.owners.values().sum());
    if unowned > 0 {
        row("(nobody)".to_owned(), None, unowned);
    }
    table.to_string()
}
