//! ICMP errors about the flows of services.

use std::net::IpAddr;

use lb_common::{abi::Verdict, wire::transport::TCP};

use super::{of_open_flow, open_flow, way_out};
use crate::kernel::{
    case::{Case, case},
    network::{Links, VLAN, VLANS},
    packet::{Extension, Message, Packet},
    services::{Spec, icmp::Report},
};

mod owners;
mod strangers;
mod to_backend;
mod to_client;

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    [
        to_backend::cases(links),
        owners::cases(links),
        to_client::cases(links),
        strangers::cases(links),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Routers between a client and `front`, and behind `back`.
const ROUTERS: [&str; 2] = ["198.18.9.9", "2001:db8:109::9"];

/// Every kind of error, and what it may say besides.
fn kinds(is_v4: bool) -> Vec<(&'static str, Message)> {
    if is_v4 {
        return vec![
            ("host unreachable", Message::new(3, 1, 0)),
            ("port unreachable", Message::new(3, 3, 0)),
            ("fragmentation needed", Message::new(3, 4, 1400)),
            ("time exceeded", Message::new(11, 0, 0)),
            ("reassembly time exceeded", Message::new(11, 1, 0)),
            ("parameter problem", Message::new(12, 0, 0x1400_0000)),
        ];
    }
    vec![
        ("no route", Message::new(1, 0, 0)),
        ("port unreachable", Message::new(1, 4, 0)),
        ("packet too big", Message::new(2, 0, 1280)),
        ("time exceeded", Message::new(3, 0, 0)),
        ("parameter problem", Message::new(4, 1, 6)),
    ]
}

/// A usual error about a request's flow, by a router.
fn usual(request: Packet) -> Report {
    let is_v4 = request.is_v4();
    let (_, message) = kinds(is_v4)[0];
    Report::new(request, router(is_v4), message)
}

fn router(is_v4: bool) -> IpAddr {
    ROUTERS[usize::from(!is_v4)].parse().expect("an address")
}

/// Bytes of a packet's headers in front of TCP or UDP, as far as errors must quote them.
const fn headers(is_v4: bool) -> usize {
    if is_v4 { 20 } else { 40 }
}

/// Changes to an error or to what it quotes, with their names.
type Changes = Vec<(&'static str, fn(Packet) -> Packet)>;

/// What may be different about an error.
fn errors(is_v4: bool) -> Changes {
    let mut changes: Changes = vec![
        ("TTL 2", |error| error.ttl(2)),
        ("TTL 255", |error| error.ttl(255)),
        ("no traffic class", |error| error.class(0)),
        ("padding", |error| Packet { padding: 9, ..error }),
        ("one tag", |error| error.tags(&VLAN)),
        ("two tags", |error| error.tags(&VLANS)),
    ];
    if is_v4 {
        changes.push(("options", |error| error.options(3)));
        changes.push(("most options", |error| error.options(10)));
    } else {
        changes.push(("hop-by-hop options", |error| error.extensions(&[Extension::hop_by_hop(1)])));
        changes.push(("128 bytes of extensions", |error| {
            error.extensions(&[Extension::destination(9), Extension::destination(7)])
        }));
    }
    changes
}

/// What may be different about a packet that is quoted.
fn quotes(is_v4: bool, protocol: u8) -> Changes {
    let mut changes: Changes = vec![
        ("quoted without payload", |about| about.payload([])),
        ("quoted with an odd payload", |about| about.payload(*b"odd")),
        ("quoted with TTL 0", |about| about.ttl(0)),
        ("quoted of 500 bytes", |about| about.ip_len(500)),
    ];
    if is_v4 {
        changes.push(("quoted with options", |about| about.options(1)));
        changes.push(("quoted with most options", |about| about.options(10)));
        changes.push(("quoted fragment", |about| {
            let [first, ..] = about.fragments();
            first
        }));
    }
    if protocol != TCP {
        changes.push(("quoted without checksum", |about| Packet { unchecked: true, ..about }));
    }
    changes
}

/// An error from the client's side that gets to the backend of its flow.
fn relayed(links: &Links, name: String, spec: &Spec, report: &Report) -> Case {
    let packet = &report.request;
    let client = open_flow(spec, packet).map_or(packet.from, |(_, way)| way.to);
    let (flow, way) = open_flow(spec, packet).unzip();
    let expected = report.to_backend(spec, 0, client).build();
    case(name, links.front, report.to_service().build())
        .with_flows(flow.map(|flow| flow.age(7)))
        .with_ways(way.map(|way| way.age(8)))
        .relays_to(0, way_out(links, spec), spec, expected)
}

/// Where packets to clients leave.
fn to_front(links: &Links) -> Verdict {
    Verdict::Redirect { ifindex: links.front }
}
