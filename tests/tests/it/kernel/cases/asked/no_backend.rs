//! Services without a backend: the sender is told, or the kernel gets its packets.

use lb_common::abi::Reason;

use super::arrives;
use crate::kernel::{
    case::Case,
    network::{CLIENT_MAC, Links},
    packet::{Extension, Flags, Packet, Tag},
    services::{
        Spec, address,
        asked::{
            PASSES_V4, PASSES_V6, REJECTS_FULL, REJECTS_V4_TCP, REJECTS_V4_UDP, REJECTS_V6_TCP,
            REJECTS_V6_UDP,
        },
        icmp::no_port,
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [("reject, IPv4", REJECTS_V4_TCP), ("reject, IPv6", REJECTS_V6_TCP)] {
        cases.extend(resets(links, what, &spec));
    }
    for (what, spec) in
        [("reject, UDP, IPv4", REJECTS_V4_UDP), ("reject, UDP, IPv6", REJECTS_V6_UDP)]
    {
        cases.extend(unreachable(links, what, &spec));
    }
    let syn = REJECTS_FULL.request().syn();
    cases.push(arrives(links, "reject, full-nat: SYN", &syn).answers(
        &REJECTS_FULL,
        Reason::Rejected,
        syn.reset().build(),
    ));
    for (what, spec) in [("pass, IPv4", PASSES_V4), ("pass, IPv6", PASSES_V6)] {
        cases.extend(passes(links, what, &spec));
    }
    cases
}

fn varied(packet: &Packet) -> Packet {
    if packet.is_v4() {
        packet.clone().options(10)
    } else {
        packet.clone().extensions(&[Extension::hop_by_hop(1), Extension::destination(2)])
    }
}

fn resets(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let told = |name: &str, packet: &Packet| {
        let draft = arrives(links, format!("{what}: {name}"), packet);
        draft.answers(spec, Reason::Rejected, packet.reset().build())
    };
    let silent = |name: &str, packet: &Packet| {
        let draft = arrives(links, format!("{what}: {name}"), packet);
        // It is turned round before it is looked at.
        let turned = packet.clone().link(packet.link_from, packet.link_to);
        draft.drops_as(spec, Reason::Rejected, turned.build())
    };
    let nothing = |name: &str, packet: &Packet| {
        let draft = arrives(links, format!("{what}: {name}"), packet);
        draft.drops(spec, Reason::Rejected)
    };
    let request = spec.request();
    let syn = request.clone().syn();
    let limited = arrives(links, format!("{what}: SYN, ICMP is limited"), &syn);
    let fast_open = Packet { payload: b"GET /".to_vec(), ..syn.clone() };
    let to_all = syn.clone().link([0xff; 6], CLIENT_MAC);
    let from = if request.is_v4() { "224.0.0.1:9" } else { "[ff02::1]:9" };
    vec![
        told("SYN", &syn),
        told("SYN with data", &fast_open),
        told("SYN and ACK", &request.clone().flags(Flags::Accepts)),
        told("data", &request),
        told("FIN", &request.clone().flags(Flags::Closes)),
        told("SYN with options", &varied(&syn)),
        told("data with options", &varied(&request)),
        told("SYN, two tags", &syn.clone().tags(&[Tag::of_provider(3), Tag::of(4)])),
        told("SYN, padding", &Packet { padding: 20, ..syn.clone() }),
        told("much data", &request.clone().ip_len(1500)),
        limited.silent().answers(spec, Reason::Rejected, syn.reset().build()),
        silent("RST", &request.clone().flags(Flags::Resets)),
        nothing("SYN to everybody on the link", &to_all),
        nothing("SYN of no host", &syn.from(address(from))),
    ]
}

fn unreachable(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let request = spec.request();
    let told = |name: &str, packet: &Packet| {
        let answer = packet.refused(no_port(packet.is_v4())).build();
        let draft = arrives(links, format!("{what}: {name}"), packet);
        draft.answers(spec, Reason::Rejected, answer)
    };
    vec![
        told("datagram", &request),
        told("datagram with options", &varied(&request)),
        told("long datagram", &request.clone().ip_len(1500)),
        arrives(links, format!("{what}: limited"), &request).silent().drops(spec, Reason::Rejected),
    ]
}

fn passes(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let request = spec.request();
    let opening = if spec.protocol == 6 { request.clone().syn() } else { request.clone() };
    [
        ("opening", opening),
        ("data", request.clone()),
        ("with options", varied(&request)),
        ("tagged", request.tags(&[Tag::of(5)])),
    ]
    .into_iter()
    .map(|(name, packet)| {
        let draft = arrives(links, format!("{what}: {name}"), &packet);
        draft.passes_for(spec, Reason::NoBackendPassed)
    })
    .collect()
}
