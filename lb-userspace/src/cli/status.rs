//! `shunt status`: the daemon at a glance.

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr};

use lb_common::{abi::Reason, limits::MAX_FLOWS};

use super::{
    Outcome, format, listener, pool, service,
    table::{
        self,
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{CounterView, InterfaceView, NextHopView, Status},
    },
    model::AttachMode,
};

pub(super) async fn status(client: &Client, json: bool) -> anyhow::Result<Outcome> {
    let status: Status = client.get("/v1/status").await?;
    Outcome::view(&status, json, words)
}

pub(super) fn words(status: &Status) -> String {
    let mut out = format!(
        "shunt {}, process {}, up {}, pinned in {}\n\n",
        status.version,
        status.pid,
        format::duration(status.uptime_seconds),
        status.pin_dir.display()
    );
    let problems = problems(status);
    for problem in &problems {
        _ = writeln!(out, "! {problem}");
    }
    if !problems.is_empty() {
        out.push('\n');
    }
    let listeners = (!status.listeners.is_empty()).then(|| listener::table(&status.listeners));
    let parts = [
        Some(interfaces(&status.interfaces)),
        Some(service::table(&status.services)),
        listeners,
        Some(pool::table(&status.pools)),
        Some(reasons(&status.packets)),
        Some(format!(
            "{} of at most {} flows remembered; those that no change could break need no memory\n",
            format::thousands(status.remembered_flows as u64),
            format::thousands(u64::from(MAX_FLOWS))
        )),
    ];
    out + &parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// What the daemon complains about, and unresolved backends that it does not mention. It may name
/// them by their address without port, because the next hop is that of the host.
fn problems(status: &Status) -> Vec<String> {
    let mut problems = status.problems.clone();
    for pool in &status.pools {
        for backend in &pool.backends {
            let NextHopView::Unresolved { reason } = &backend.next_hop else { continue };
            let address = backend.address;
            if !status.problems.iter().any(|problem| mentions(problem, address)) {
                problems.push(format!(
                    "backend {address} of pool {} is unresolved: {reason}",
                    pool.name
                ));
            }
        }
    }
    problems
}

fn mentions(problem: &str, address: SocketAddr) -> bool {
    let (address, host) = (address.to_string(), address.ip().to_string());
    problem
        .split(|c: char| c.is_whitespace() || "`,;()".contains(c))
        .map(|word| word.strip_suffix([':', '.']).unwrap_or(word))
        .any(|word| word == address || word == host)
}

fn interfaces(interfaces: &[InterfaceView]) -> String {
    let mut table = Table::new(&[Text("INTERFACE"), Text("CONFIGURED"), Text("ATTACHED")]);
    for interface in interfaces {
        let attached = interface.attached.map_or("! not attached", AttachMode::name);
        let configured = interface.configured.name();
        table.row([interface.name.clone(), configured.to_owned(), attached.to_owned()]);
    }
    table.to_string()
}

/// Packets by reason, with what each reason means.
pub(super) fn reasons(packets: &BTreeMap<String, CounterView>) -> String {
    let mut table =
        Table::new(&[Text("REASON"), Number("PACKETS"), Number("BYTES"), Text("MEANING")]);
    for (name, &counter) in packets {
        let known = Reason::ALL.iter().find(|reason| reason.name() == name);
        let [packets, bytes] = table::counter(counter);
        let meaning = known.map_or("", |reason| reason.explanation());
        table.row([name.clone(), packets, bytes, meaning.to_owned()]);
    }
    table.to_string()
}
