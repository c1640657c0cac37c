//! `shunt flow`: which backend a flow gets, and why.

use std::{fmt::Write as _, net::SocketAddr};

use super::{Outcome, args::FlowArgs, format};
use crate::{
    admin::{
        client::Client,
        types::{Because, FlowView, SlotView},
    },
    model::FlowQuery,
};

pub(super) async fn flow(client: &Client, args: &FlowArgs) -> anyhow::Result<Outcome> {
    let query = FlowQuery::new(args.from, args.to, args.opening)?;
    let path =
        format!("/v1/flow?from={}&to={}&opening={}", query.from(), query.to(), query.opening());
    let view: FlowView = client.get(&path).await?;
    let outcome = Outcome::view(&view, args.output.json, words)?;
    Ok(Outcome { done: view.backend.is_some(), ..outcome })
}

pub(super) fn words(flow: &FlowView) -> String {
    let mut lines = vec![("service", service(flow))];
    lines.extend(flow.slot.as_ref().map(|it| ("slot", slot(it))));
    let backend = match (flow.backend, flow.why) {
        (Some(backend), Some(why)) => format!("{backend}: {}", because(why)),
        (Some(backend), None) => backend.to_string(),
        (None, _) => "none".to_owned(),
    };
    lines.push(("backend", backend));
    if flow.reason != lb_common::abi::Reason::Forwarded.name() {
        lines.push(("reason", format!("{}: {}", flow.reason, flow.explanation)));
    }
    let mut out = format!("{} to {}\n", flow.from, flow.to);
    for (what, text) in lines {
        _ = writeln!(out, "  {what:7}  {text}");
    }
    out
}

fn service(flow: &FlowView) -> String {
    match (&flow.service, flow.forward, &flow.pool) {
        (Some(name), Some(forward), Some(pool)) => {
            format!("{name} ({}, pool {pool})", forward.name())
        }
        (Some(name), ..) => name.to_string(),
        (None, ..) => "none".to_owned(),
    }
}

fn slot(slot: &SlotView) -> String {
    let [place, of] = [slot.place, slot.of].map(|number| format::thousands(number.into()));
    let whose =
        |owner: Option<SocketAddr>| owner.map_or_else(|| "nobody".to_owned(), |it| it.to_string());
    let owner = whose(slot.owner);
    if slot.moving {
        format!("{place} of {of}, moving from {} to {owner}", whose(slot.previous))
    } else {
        format!("{place} of {of}, owned by {owner}")
    }
}

fn because(why: Because) -> &'static str {
    match why {
        Because::Owner => "it owns the slot",
        Because::Remembered => "the flow is remembered as its",
        Because::Previous => "the flow is older than the change of its slot",
        Because::Named => "a connection id names it",
        Because::Scheduled => "the scheduler would give it the next new flow",
    }
}
