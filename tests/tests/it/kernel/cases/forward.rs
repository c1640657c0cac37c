//! From clients to backends: both families, protocols and modes; out of another interface and out
//! of the same one; the choice among several backends.

use lb_common::abi::Verdict;

use crate::kernel::{
    case::{Case, case},
    network::Links,
    packet::Packet,
    services::{
        DSR_V4_TCP, DSR_V4_UDP, DSR_V4_UDP_FRONT, DSR_V6_TCP, DSR_V6_TCP_FRONT, DSR_V6_UDP,
        NAT_V4_TCP, NAT_V4_TCP_FRONT, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, NAT_V6_UDP_FRONT,
        SPREAD_V4, SPREAD_V6, Spec,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let forward = |name: &str, spec: &Spec, verdict, packet: &Packet| {
        let expected = spec.delivered(packet).build();
        case(name, links.front, packet.build()).forwards(verdict, spec, expected)
    };
    let usual = |name, spec: &Spec| forward(name, spec, back, &spec.request());
    let syn = |name, spec: &Spec| forward(name, spec, back, &spec.request().syn());
    let same = |name, spec: &Spec| forward(name, spec, Verdict::Transmit, &spec.request());
    let mut cases = vec![
        syn("nat, IPv4, TCP: SYN", &NAT_V4_TCP),
        syn("nat, IPv6, TCP: SYN", &NAT_V6_TCP),
        syn("dsr, IPv4, TCP: SYN", &DSR_V4_TCP),
        syn("dsr, IPv6, TCP: SYN", &DSR_V6_TCP),
        usual("nat, IPv4, TCP: data", &NAT_V4_TCP),
        usual("nat, IPv4, UDP", &NAT_V4_UDP),
        usual("nat, IPv6, TCP: data", &NAT_V6_TCP),
        usual("nat, IPv6, UDP", &NAT_V6_UDP),
        usual("dsr, IPv4, TCP: data", &DSR_V4_TCP),
        usual("dsr, IPv4, UDP", &DSR_V4_UDP),
        usual("dsr, IPv6, TCP: data", &DSR_V6_TCP),
        usual("dsr, IPv6, UDP", &DSR_V6_UDP),
        same("nat, IPv4, TCP: out of the same interface", &NAT_V4_TCP_FRONT),
        same("nat, IPv6, UDP: out of the same interface", &NAT_V6_UDP_FRONT),
        same("dsr, IPv4, UDP: out of the same interface", &DSR_V4_UDP_FRONT),
        same("dsr, IPv6, TCP: out of the same interface", &DSR_V6_TCP_FRONT),
        // The interface is the one it came from, not the one where clients usually are.
        case("a client on the backends' side", links.back, NAT_V4_TCP.request().build()).forwards(
            Verdict::Transmit,
            &NAT_V4_TCP,
            NAT_V4_TCP.delivered(&NAT_V4_TCP.request()).build(),
        ),
        case("a backend on the clients' side", links.back, NAT_V4_TCP_FRONT.request().build())
            .forwards(
                Verdict::Redirect { ifindex: links.front },
                &NAT_V4_TCP_FRONT,
                NAT_V4_TCP_FRONT.delivered(&NAT_V4_TCP_FRONT.request()).build(),
            ),
    ];
    cases.extend(spread(links.front, back));
    cases
}

/// Source port, and the backend that owns the slot of the flow. Computed by an independent
/// implementation of the flow hash, in Python: a change moves every flow of a fleet.
const PLACES_V4: [(u16, u32); 4] = [(40_000, 0), (40_008, 1), (40_002, 2), (40_001, 3)];
const PLACES_V6: [(u16, u32); 4] = [(40_000, 0), (40_004, 1), (40_001, 2), (40_002, 3)];

fn spread(ingress: u32, verdict: Verdict) -> impl Iterator<Item = Case> {
    let one = move |family: &str, spec: Spec, (port, place): (u16, u32)| {
        let packet = spec.request().source_port(port);
        let expected = spec.delivered_to(place, &packet).build();
        let name = format!("{family}: port {port} belongs to backend {place}");
        case(name, ingress, packet.build()).forwards_to(place, verdict, &spec, expected)
    };
    let v4 = PLACES_V4.into_iter().map(move |place| one("IPv4", SPREAD_V4, place));
    v4.chain(PLACES_V6.into_iter().map(move |place| one("IPv6", SPREAD_V6, place)))
}
