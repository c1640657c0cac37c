//! All flows of a client have one backend, and each has its own place in links and queues on the way.

use lb_common::abi::FlowState;

use super::{arrives, reaches};
use crate::kernel::{
    case::Case,
    network::Links,
    packet::Packet,
    services::{
        Spec, address,
        asked::{AFFINE_FULL, AFFINE_V4, AFFINE_V6},
    },
};

/// Clients, and the backend of each: computed by an independent implementation of the hash, in Python.
const CLIENTS_V4: [(&str, u32); 4] =
    [("198.51.100.9", 0), ("198.51.100.15", 1), ("198.51.100.7", 2), ("198.51.100.8", 3)];
const CLIENTS_V6: [(&str, u32); 4] = [
    ("[2001:db8:1::a]", 0),
    ("[2001:db8:1::e]", 1),
    ("[2001:db8:1::8]", 2),
    ("[2001:db8:1::7]", 3),
];

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec, clients) in [
        ("affinity, nat, IPv4", AFFINE_V4, CLIENTS_V4),
        ("affinity, full-nat, IPv4", AFFINE_FULL, CLIENTS_V4),
        ("affinity, gue, IPv6", AFFINE_V6, CLIENTS_V6),
    ] {
        for (client, place) in clients {
            for port in [1024, 40_000, 65_535] {
                let from = address(&format!("{client}:{port}"));
                let packet = spec.request().from(from);
                let packet = if spec.id == AFFINE_FULL.id { packet.syn() } else { packet };
                cases.push(one(links, &format!("{what}: {from}"), &spec, place, &packet));
            }
        }
    }
    cases
}

fn one(links: &Links, name: &str, spec: &Spec, place: u32, packet: &Packet) -> Case {
    let case = reaches(links, arrives(links, name, packet), spec, place, packet);
    if spec.id != AFFINE_FULL.id {
        return case;
    }
    let source = spec.translated_source(packet);
    let (flow, way) = spec.translation(place, packet, source, FlowState::Opening);
    case.leaves([flow], [way])
}
