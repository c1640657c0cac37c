//! `shunt drops`: why packets were neither forwarded nor returned.

use std::{cmp::Reverse, fmt::Write};

use lb_common::abi::Reason;
use serde::Serialize;

use super::{
    Outcome, format, service,
    table::{
        self,
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{CounterView, ServiceView, Status},
    },
    model::Name,
};

/// What any host meets that is no business of a service.
const HARMLESS: [Reason; 2] = [Reason::NotIp, Reason::NotOurs];

/// Packets of one service, or of none, that have the same reason.
#[derive(Debug, Serialize)]
pub(super) struct Undelivered {
    /// Nothing if they are of no service.
    pub(super) service: Option<Name>,
    pub(super) reason: String,
    /// Nothing if the daemon is newer and has a reason of its own, and so with the explanation.
    pub(super) verdict: Option<Verdict>,
    #[serde(flatten)]
    pub(super) counter: CounterView,
    pub(super) explanation: Option<&'static str>,
}

/// What became of packets that were not delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Left to the kernel.
    Passed,
    /// Discarded.
    Dropped,
}

impl Verdict {
    pub(super) fn of(reason: Reason) -> Self {
        if reason.is_drop() { Self::Dropped } else { Self::Passed }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Dropped => "dropped",
        }
    }
}

pub(super) async fn drops(
    client: &Client,
    service: Option<&Name>,
    all: bool,
    json: bool,
) -> anyhow::Result<Outcome> {
    let status: Status = client.get("/v1/status").await?;
    let drops = select(&status, service)?;
    let (left_out, shown) = split(drops, all);
    Outcome::view(shown.as_slice(), json, |shown| words(shown, &left_out, service))
}

/// Everything that was not delivered, of one service or altogether, most packets first.
pub(super) fn select(status: &Status, only: Option<&Name>) -> anyhow::Result<Vec<Undelivered>> {
    let mut drops: Vec<_> = match only {
        Some(name) => service::named(&status.services, name).map(of_service)?.collect(),
        None => of_none(status).chain(status.services.iter().flat_map(of_service)).collect(),
    };
    // The sort is stable: of equal ones those of no service come first, then by names.
    drops.sort_by_key(|drop| Reverse(drop.counter.packets));
    Ok(drops)
}

/// What is left out, and what is shown.
pub(super) fn split(drops: Vec<Undelivered>, all: bool) -> (Vec<Undelivered>, Vec<Undelivered>) {
    drops.into_iter().partition(|drop| !all && drop.is_harmless())
}

fn of_service(service: &ServiceView) -> impl Iterator<Item = Undelivered> {
    let packets = service.packets.iter().map(|(reason, counter)| (reason.as_str(), *counter));
    undelivered(Some(&service.name), packets)
}

/// Of no service is what the services leave of all packets.
fn of_none(status: &Status) -> impl Iterator<Item = Undelivered> {
    let rest = status.packets.iter().map(|(reason, &all)| {
        let parts = status.services.iter().filter_map(|service| service.packets.get(reason));
        let rest = parts.fold(all, |rest, part| CounterView {
            packets: rest.packets.saturating_sub(part.packets),
            bytes: rest.bytes.saturating_sub(part.bytes),
        });
        (reason.as_str(), rest)
    });
    undelivered(None, rest)
}

fn undelivered<'a>(
    service: Option<&'a Name>,
    packets: impl Iterator<Item = (&'a str, CounterView)>,
) -> impl Iterator<Item = Undelivered> {
    packets
        .filter(|(reason, counter)| counter.packets > 0 && !service::is_delivery(reason))
        .map(move |(reason, counter)| Undelivered::new(service.cloned(), reason, counter))
}

impl Undelivered {
    fn new(service: Option<Name>, reason: &str, counter: CounterView) -> Self {
        let known = Reason::ALL.iter().find(|known| known.name() == reason);
        Self {
            service,
            reason: reason.to_owned(),
            verdict: known.map(|known| Verdict::of(*known)),
            counter,
            explanation: known.map(|known| known.explanation()),
        }
    }

    fn is_harmless(&self) -> bool {
        self.service.is_none() && HARMLESS.iter().any(|reason| reason.name() == self.reason)
    }
}

pub(super) fn words(
    shown: &[Undelivered],
    left_out: &[Undelivered],
    service: Option<&Name>,
) -> String {
    let mut out = if shown.is_empty() {
        let of = service.map_or_else(String::new, |name| format!(" of service {name}"));
        let but = if left_out.is_empty() { "" } else { ", but for those left out" };
        format!("every packet{of} was forwarded or returned{but}\n")
    } else {
        table(shown)
    };
    if !left_out.is_empty() {
        _ = write!(out, "\n{}", summary(left_out));
    }
    out
}

fn table(drops: &[Undelivered]) -> String {
    let mut table = Table::new(&[
        Text("SERVICE"),
        Text("REASON"),
        Text("VERDICT"),
        Number("PACKETS"),
        Number("BYTES"),
        Text("MEANING"),
    ]);
    for drop in drops {
        let [packets, bytes] = table::counter(drop.counter);
        table.row([
            drop.service.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            drop.reason.clone(),
            drop.verdict.map_or("-", Verdict::name).to_owned(),
            packets,
            bytes,
            drop.explanation.map_or_else(String::new, meaning),
        ]);
    }
    table.to_string()
}

/// An explanation without the verdict that it begins with, where that is all it says of it.
fn meaning(explanation: &str) -> String {
    let verdict = ["Passed: ", "Dropped: "];
    let Some(rest) = verdict.iter().find_map(|verdict| explanation.strip_prefix(verdict)) else {
        return explanation.to_owned();
    };
    let (first, others) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + others
}

fn summary(left_out: &[Undelivered]) -> String {
    let packets = left_out.iter().map(|drop| drop.counter.packets).sum();
    let reasons: Vec<_> = left_out.iter().map(|drop| drop.reason.as_str()).collect();
    format!(
        "left out: {} packets of no service ({}); --all shows them\n",
        format::thousands(packets),
        reasons.join(", ")
    )
}
