//! The table of packet cases, by subject.

use lb_common::abi::{FlowState, ForwardMode, Verdict};

use super::{
    case::{Case, Draft, case},
    memory::{Flow, ROOM, WayBack},
    network::Links,
    packet::Packet,
    services::{Spec, Way},
};

mod asked;
mod checksums;
mod direct;
mod echo;
mod errors;
mod extensions;
mod foreign;
mod forward;
mod fragments;
mod full_nat;
mod lengths;
mod moving;
mod next_hop;
mod options;
mod ports;
mod quic;
mod refusals;
mod replies;
mod shared;
mod sizes;
mod tags;
mod tracked;
mod truncated;
mod ttl;
mod tunnels;

/// Every case, for interfaces with these numbers.
pub(crate) fn all(links: &Links) -> Vec<Case> {
    [
        forward::cases(links),
        replies::cases(links),
        direct::cases(links),
        next_hop::cases(links),
        ttl::cases(links),
        ports::cases(links),
        checksums::cases(links),
        sizes::cases(links),
        foreign::cases(links),
        lengths::cases(links),
        truncated::cases(links),
        tunnels::cases(links),
        full_nat::cases(links),
        shared::cases(links),
        moving::cases(links),
        tracked::cases(links),
        quic::cases(links),
        echo::cases(links),
        tags::cases(links),
        options::cases(links),
        extensions::cases(links),
        fragments::cases(links),
        refusals::cases(links),
        errors::cases(links),
        asked::cases(links),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A packet of a flow to a service arrives at `front`; the flow is remembered if its mode needs that.
fn of_open_flow(links: &Links, name: String, spec: &Spec, packet: &Packet) -> Draft {
    let draft = case(name, links.front, packet.build());
    let (flow, way) = open_flow(spec, packet).unzip();
    draft.with_flows(flow).with_ways(way)
}

/// What is remembered of the open flow of a packet to a service, if its mode needs it.
fn open_flow(spec: &Spec, packet: &Packet) -> Option<(Flow, WayBack)> {
    (spec.mode == ForwardMode::FullNat)
        .then(|| spec.translation(0, packet, spec.translated_source(packet), FlowState::Open))
}

/// How packets to the backends of a service leave if they arrive at `front`.
fn way_out(links: &Links, spec: &Spec) -> Verdict {
    match spec.way {
        Way::Front => Verdict::Transmit,
        Way::Back | Way::Unknown => Verdict::Redirect { ifindex: links.back },
    }
}

/// Flows of other clients, as many as the table has room for.
fn others(spec: &Spec) -> Vec<Flow> {
    let flow = |port| {
        let request = spec.request().source_port(port);
        spec.flow(0, &request, FlowState::Open).age(1)
    };
    (1000..).map(flow).take(ROOM as usize).collect()
}
