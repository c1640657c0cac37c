//! `full-nat`: both ends are replaced, and both ways are remembered.

use lb_common::{
    abi::{FlowState, Reason, Verdict},
    wire::transport::TCP,
};

use crate::kernel::{
    case::{Case, Draft, case},
    memory::{Flow, WayBack},
    network::Links,
    packet::{Packet, patched},
    services::{
        Spec, address,
        full_nat::{
            FULL_V4_TCP, FULL_V4_TCP_EMPTY, FULL_V4_TCP_NEW, FULL_V4_UDP, FULL_V4_UDP_FRONT,
            FULL_V6_TCP, FULL_V6_TCP_FRONT, FULL_V6_UDP, FULL_V6_UDP_NEW,
        },
        icmp::{expired, too_big},
    },
};

mod flows;
mod places;
mod ports;
mod replies;

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = first_packets(links);
    cases.extend(lifetimes(links));
    cases.extend(sizes(links));
    cases.extend(ways(links));
    cases.extend(flows::cases(links));
    cases.extend(places::cases(links));
    cases.extend(ports::cases(links));
    cases.extend(replies::cases(links));
    cases
}

/// Of each family and protocol.
const EACH: [(&str, Spec); 4] = [
    ("full-nat, IPv4, TCP", FULL_V4_TCP),
    ("full-nat, IPv4, UDP", FULL_V4_UDP),
    ("full-nat, IPv6, TCP", FULL_V6_TCP),
    ("full-nat, IPv6, UDP", FULL_V6_UDP),
];

/// The first packet of a flow: of TCP only SYN is one.
fn opening(spec: &Spec) -> Packet {
    if spec.protocol == TCP { spec.request().syn() } else { spec.request() }
}

/// The state of a flow after its first packet.
fn opened(spec: &Spec) -> FlowState {
    if spec.protocol == TCP { FlowState::Opening } else { FlowState::Open }
}

/// Both ways of the flow of a packet that was just seen, from the first port that is tried.
fn both(spec: &Spec, place: u32, packet: &Packet, state: FlowState) -> (Flow, WayBack) {
    spec.translation(place, packet, spec.translated_source(packet), state)
}

/// A new flow: the packet reaches a backend, and both ways are remembered.
fn opens(links: &Links, draft: Draft, spec: &Spec, place: u32, packet: &Packet) -> Case {
    let back = Verdict::Redirect { ifindex: links.back };
    let (flow, way) = both(spec, place, packet, opened(spec));
    draft
        .forwards_to(place, back, spec, spec.delivered_to(place, packet).build())
        .leaves([flow], [way])
}

fn first_packets(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        let one = |name: &str, packet: Packet| {
            let draft = case(format!("{what}: {name}"), links.front, packet.build());
            opens(links, draft, &spec, 0, &packet)
        };
        cases.push(one("first packet", opening(&spec)));
        cases.push(one("padding", Packet { padding: 9, ..opening(&spec) }));
        cases.push(one("odd payload", opening(&spec).payload(*b"odd")));
        // Sources and ports differ by the hash.
        for port in [0, 1, 40_001, 40_002, 40_003, 65_535] {
            let packet = opening(&spec).source_port(port);
            cases.push(one(&format!("first packet of port {port}"), packet));
        }
    }
    let unknown = |name: &str, spec: &Spec, packet: Packet| {
        case(name, links.front, packet.build()).drops(spec, Reason::UnknownFlow)
    };
    let empty = FULL_V4_TCP_EMPTY.request();
    cases.extend([
        unknown("full-nat: data of nobody's flow, IPv4", &FULL_V4_TCP, FULL_V4_TCP.request()),
        unknown("full-nat: data of nobody's flow, IPv6", &FULL_V6_TCP, FULL_V6_TCP.request()),
        case("full-nat: no backend", links.front, empty.clone().syn().build())
            .drops(&FULL_V4_TCP_EMPTY, Reason::NoBackend),
        unknown("full-nat: no backend, data", &FULL_V4_TCP_EMPTY, empty),
        without_checksum(links, &FULL_V4_UDP, 14 + 20 + 6),
        without_checksum(links, &FULL_V6_UDP, 14 + 40 + 6),
    ]);
    cases
}

/// None is computed where there was none.
fn without_checksum(links: &Links, spec: &Spec, at: usize) -> Case {
    let back = Verdict::Redirect { ifindex: links.back };
    let packet = spec.request();
    let zeros = |packet: &Packet| patched(packet.build(), at, &[0, 0]);
    let (flow, way) = both(spec, 0, &packet, FlowState::Open);
    let name = format!("full-nat: no UDP checksum, {}", packet.from);
    case(name, links.front, zeros(&packet))
        .forwards(back, spec, zeros(&spec.delivered(&packet)))
        .leaves([flow], [way])
}

/// What does not get through leaves nothing.
fn lifetimes(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        for ttl in [0, 1, 2, 255] {
            let packet = opening(&spec).ttl(ttl);
            let draft = case(format!("{what}: TTL {ttl}"), links.front, packet.build());
            cases.push(if ttl < 2 {
                let told = packet.refused(expired(packet.is_v4())).build();
                draft.answers(&spec, Reason::TtlExpired, told)
            } else {
                opens(links, draft, &spec, 0, &packet)
            });
        }
    }
    cases
}

fn sizes(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        let one = |name: &str, length: usize| {
            let packet = spec.request().ip_len(length);
            let (flow, way) = both(&spec, 0, &packet, FlowState::Open);
            let draft = case(format!("{what}: {name}"), links.front, packet.build())
                .with_flows([flow])
                .with_ways([way]);
            (draft, packet)
        };
        let (fits, packet) = one("it just fits", 1500);
        cases.push(fits.forwards(back, &spec, spec.delivered(&packet).build()));
        let told = |packet: &Packet| packet.refused(too_big(packet.is_v4(), 1500)).build();
        let (draft, packet) = one("a byte too large", 1501);
        cases.push(draft.answers(&spec, Reason::TooBig, told(&packet)));
        let packet = opening(&spec).ip_len(1501);
        let name = format!("{what}: a byte too large, opens no flow");
        let new = case(name, links.front, packet.build());
        cases.push(new.answers(&spec, Reason::TooBig, told(&packet)));
    }
    cases
}

/// Out of the same interface, and left to the kernel.
fn ways(links: &Links) -> Vec<Case> {
    let same = |name: &str, spec: &Spec| {
        let packet = opening(spec);
        let (flow, way) = both(spec, 0, &packet, opened(spec));
        case(name, links.front, packet.build())
            .forwards(Verdict::Transmit, spec, spec.delivered(&packet).build())
            .leaves([flow], [way])
    };
    // The kernel counts down the time to live.
    let unknown = |name: &str, spec: &Spec| {
        let packet = opening(spec);
        let (flow, way) = both(spec, 0, &packet, opened(spec));
        let expected = packet.clone().from(spec.translated_source(&packet)).to(spec.backend(0));
        case(name, links.front, packet.build())
            .passes_as(spec, Reason::BackendUnresolved, expected.build())
            .leaves([flow], [way])
    };
    vec![
        same("full-nat: out of the same interface, IPv4", &FULL_V4_UDP_FRONT),
        same("full-nat: out of the same interface, IPv6", &FULL_V6_TCP_FRONT),
        unknown("full-nat: next hop unknown, IPv4", &FULL_V4_TCP_NEW),
        unknown("full-nat: next hop unknown, IPv6", &FULL_V6_UDP_NEW),
        hairpin(links, "full-nat: the client is the backend, IPv4", &FULL_V4_TCP),
        hairpin(links, "full-nat: the client is the backend, IPv6", &FULL_V6_UDP),
    ]
}

/// A backend that is a client of its own service gets its packets from another source.
fn hairpin(links: &Links, name: &str, spec: &Spec) -> Case {
    let client = (spec.backend(0).ip(), address("0.0.0.0:40000").port()).into();
    let packet = opening(spec).from(client).link(spec.own_mac(), spec.backend_mac(0));
    let (flow, way) = both(spec, 0, &packet, opened(spec));
    case(name, links.back, packet.build())
        .forwards(Verdict::Transmit, spec, spec.delivered(&packet).build())
        .leaves([flow], [way])
}
