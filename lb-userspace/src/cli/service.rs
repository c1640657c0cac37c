//! `shunt service`: the VIPs and how their packets are spread.

mod lists;
mod settings;
mod shares;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::Context;
use lb_common::{abi::Reason, quic};

pub(super) use self::lists::lists;
use super::{
    Outcome, format, status,
    table::{
        self,
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{CounterView, PoolView, ServiceView},
    },
    model::{Name, duration},
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
            format::thousands(other(&service.packets).packets),
        ]);
    }
    table.to_string()
}

/// Packets that the program delivered neither to a backend nor to a client.
pub(super) fn other(packets: &BTreeMap<String, CounterView>) -> CounterView {
    let others = packets.iter().filter(|(name, _)| !is_delivery(name));
    others.fold(CounterView::default(), |sum, (_, counter)| CounterView {
        packets: sum.packets.saturating_add(counter.packets),
        bytes: sum.bytes.saturating_add(counter.bytes),
    })
}

/// Whether packets of this reason were delivered by the program.
pub(super) fn is_delivery(name: &str) -> bool {
    Reason::ALL.iter().any(|reason| reason.is_delivery() && reason.name() == name)
}

/// The service of this name, or a refusal that says which there are.
pub(super) fn named<'a>(
    services: &'a [ServiceView],
    name: &Name,
) -> anyhow::Result<&'a ServiceView> {
    services.iter().find(|service| service.name == *name).with_context(|| {
        if services.is_empty() {
            return format!("there is no service `{name}`, nor any other");
        }
        let those = table::names(services.iter().map(|service| &service.name));
        format!("there is no service `{name}`; those there are: {those}")
    })
}

pub(super) fn words(service: &ServiceView, pool: &PoolView) -> String {
    let address = service.vip_interface.as_ref().map_or_else(
        || "the operator's to configure".to_owned(),
        |interface| format!("kept on {interface} by the daemon"),
    );
    let mut lines = vec![
        ("listen", service.listen.to_string()),
        ("address", address),
        ("forward", service.forward.name().to_owned()),
        ("pool", service.pool.to_string()),
    ];
    if !service.source.is_empty() {
        lines.push(("source", source(service)));
    }
    lines.extend(settings::lines(service));
    lines.push(("idle", duration::text(Duration::from_millis(service.idle_timeout_ms))));
    let slots = format::thousands(service.slots.into());
    lines.push((
        "slots",
        match service.moving {
            0 => slots,
            moving => format!("{slots} ({} moving)", format::thousands(moving.into())),
        },
    ));
    let mut head = vec![format!("service {}", service.name)];
    let width = lines.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
    head.extend(lines.into_iter().map(|(what, text)| format!("  {what:width$}  {text}")));
    let head = head.join("\n") + "\n";
    let mut parts = vec![head, shares::table(service, pool)];
    parts.extend(service.server_ids.as_ref().map(server_ids));
    parts.push(status::reasons(&service.packets));
    parts.join("\n")
}

/// Source addresses, and ports if those are replaced, too.
fn source(service: &ServiceView) -> String {
    let prefixes: Vec<_> = service.source.iter().map(ToString::to_string).collect();
    match service.source_ports {
        Some(ports) => format!("{} ports {ports}", prefixes.join(", ")),
        None => prefixes.join(", "),
    }
}

/// What the connection ids of QUIC servers must look like.
fn server_ids(ids: &BTreeMap<SocketAddr, String>) -> String {
    let mut table = Table::new(&[Text("BACKEND"), Text("SERVER ID")]);
    for (address, id) in ids {
        table.row([address.to_string(), id.clone()]);
    }
    format!(
        "{table}\nConnection ids name a server by an octet below {:#04x}, its server id, and at least {} random bytes.\n",
        1 << 5,
        quic::LEAST_CID_LEN - quic::SERVER_ID_LEN - 1,
    )
}
