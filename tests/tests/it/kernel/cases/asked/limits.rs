//! Limits of new flows: only what opens a flow takes of them, and a source over its own takes nothing of
//! the others'.

use lb_common::abi::{FlowState, Reason};

use super::{arrives, reaches};
use crate::kernel::{
    case::{Case, Draft},
    network::Links,
    packet::Packet,
    services::{
        address,
        asked::{LIMITED_FULL, LIMITED_QUIC, LIMITED_UDP, LIMITED_V4, LIMITED_V6},
    },
};

const CLIENT: &str = "[2001:db8:1::7]";
/// Of the same /64, and of another.
const NEIGHBOUR: &str = "[2001:db8:1::ffff:7]";
const STRANGER: &str = "[2001:db8:1:1::7]";

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let all = [of_service(links), of_source(links), of_udp(links), of_full_nat(links)];
    all.into_iter().flatten().collect()
}

/// After packets of so many ports.
fn after(links: &Links, draft: Draft, packets: &[Packet]) -> Draft {
    packets.iter().fold(draft, |draft, packet| draft.after(links.front, packet.build()))
}

fn of_service(links: &Links) -> Vec<Case> {
    let spec = LIMITED_V4;
    let syn = |port| spec.request().source_port(port).syn();
    let two = [syn(1), syn(2)];
    let refused = |name: &str, packet: &Packet| {
        after(links, arrives(links, name, packet), &two).drops(&spec, Reason::NewFlowLimit)
    };
    let served = |name: &str, before: &[Packet], packet: &Packet| {
        reaches(links, after(links, arrives(links, name, packet), before), &spec, 0, packet)
    };
    let data = [1, 2, 3, 4].map(|port| spec.request().source_port(port));
    vec![
        served("limit of a service: the first SYN", &[], &syn(1)),
        served("limit of a service: the second SYN", &two[..1], &syn(2)),
        refused("limit of a service: the third SYN", &syn(3)),
        refused("limit of a service: a SYN once more", &syn(2)),
        refused("limit of a service: a SYN with options", &syn(3).options(1)),
        served("limit of a service: data behind it", &two, &spec.request().source_port(3)),
        served("limit of a service: data takes nothing of it", &data, &syn(9)),
    ]
}

fn of_source(links: &Links) -> Vec<Case> {
    let spec = LIMITED_V6;
    let syn =
        |client: &str, port: u16| spec.request().from(address(&format!("{client}:{port}"))).syn();
    let two = [syn(CLIENT, 1), syn(CLIENT, 2)];
    let many: Vec<_> = (1..9).map(|port| syn(CLIENT, port)).collect();
    let full = [syn(CLIENT, 1), syn(CLIENT, 2), syn(STRANGER, 1), syn(STRANGER, 2)];
    let draft = |name: &str, before: &[Packet], packet: &Packet| {
        after(links, arrives(links, format!("limit of a source: {name}"), packet), before)
    };
    let served = |name: &str, before: &[Packet], packet: &Packet| {
        reaches(links, draft(name, before, packet), &spec, 0, packet)
    };
    let refused = |name: &str, before: &[Packet], packet: &Packet, reason: Reason| {
        draft(name, before, packet).drops(&spec, reason)
    };
    let other = syn("[2001:db8:1:2::7]", 1);
    vec![
        served("its second SYN", &two[..1], &syn(CLIENT, 2)),
        refused("its third SYN", &two, &syn(CLIENT, 3), Reason::SourceLimit),
        refused("a SYN of its /64", &two, &syn(NEIGHBOUR, 3), Reason::SourceLimit),
        served("a SYN of another /64", &two, &syn(STRANGER, 3)),
        served("others are served, whatever one sends", &many, &syn(STRANGER, 3)),
        refused("the service has its own limit", &full, &other, Reason::NewFlowLimit),
    ]
}

fn of_udp(links: &Links) -> Vec<Case> {
    let spec = LIMITED_UDP;
    let packet = |port| spec.request().source_port(port);
    let flow = |port| spec.flow(0, &packet(port), FlowState::Open).epoch(4);
    let draft = arrives(links, "limit of UDP: first flow", &packet(1));
    let first = reaches(links, draft, &spec, 0, &packet(1)).leaves([flow(1)], []);
    let second = arrives(links, "limit of UDP: second flow", &packet(2))
        .after(links.front, packet(1).build())
        .drops(&spec, Reason::SourceLimit);
    let draft = arrives(links, "limit of UDP: more of the first flow", &packet(1));
    let more = reaches(links, draft.after(links.front, packet(1).build()), &spec, 0, &packet(1));
    let quic = LIMITED_QUIC;
    let initial = |port| {
        // A long header with the fixed bit, type Initial, of version 1, and connection ids.
        let payload = [&[0xc0, 0, 0, 0, 1, 8][..], &[0xaa; 8], &[0], &[0; 40]].concat();
        quic.request().source_port(port).payload(payload)
    };
    let draft = arrives(links, "limit of QUIC: first Initial", &initial(1));
    let one = reaches(links, draft, &quic, 0, &initial(1));
    let two = arrives(links, "limit of QUIC: second Initial", &initial(2))
        .after(links.front, initial(1).build())
        .drops(&quic, Reason::NewFlowLimit);
    let short = quic.request().source_port(2).payload([0x40; 30]);
    let draft = arrives(links, "limit of QUIC: what opens nothing", &short);
    let other = reaches(links, draft.after(links.front, initial(1).build()), &quic, 0, &short);
    vec![first, leaves_one(second, flow(1)), leaves_one(more, flow(1)), one, two, other]
}

/// What an earlier packet left.
fn leaves_one(case: Case, flow: crate::kernel::memory::Flow) -> Case {
    case.leaves([flow], [])
}

fn of_full_nat(links: &Links) -> Vec<Case> {
    let spec = LIMITED_FULL;
    let syn = |port| spec.request().source_port(port).syn();
    let opened = |packet: &Packet| {
        spec.translation(0, packet, spec.translated_source(packet), FlowState::Opening)
    };
    let (flow, way) = opened(&syn(1));
    let draft = arrives(links, "limit of full-nat: first SYN", &syn(1));
    let first = reaches(links, draft, &spec, 0, &syn(1));
    let second = arrives(links, "limit of full-nat: second SYN", &syn(2))
        .after(links.front, syn(1).build())
        .drops(&spec, Reason::SourceLimit);
    vec![first.leaves([flow.clone()], [way.clone()]), second.leaves([flow], [way])]
}
