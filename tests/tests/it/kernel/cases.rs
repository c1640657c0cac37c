//! The table of packet cases, by subject.

use lb_common::abi::FlowState;

use super::{
    case::Case,
    memory::{Flow, ROOM},
    network::Links,
    services::Spec,
};

mod checksums;
mod direct;
mod foreign;
mod forward;
mod full_nat;
mod lengths;
mod moving;
mod next_hop;
mod ports;
mod quic;
mod replies;
mod shared;
mod sizes;
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
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Flows of other clients, as many as the table has room for.
fn others(spec: &Spec) -> Vec<Flow> {
    let flow = |port| {
        let request = spec.request().source_port(port);
        spec.flow(0, &request, FlowState::Open).age(1)
    };
    (1000..).map(flow).take(ROOM as usize).collect()
}
