//! IPv4 options: they stay where they are.

use lb_common::abi::{Reason, Verdict};

use super::{of_open_flow, way_out};
use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links, VLAN},
    packet::{Packet, cut, patched, resummed},
    services::{
        CLIENT_V4, DSR_V4_TCP, DSR_V4_UDP, NAT_V4_TCP, NAT_V4_TCP_FRONT, NAT_V4_UDP, Spec, address,
        full_nat::{FULL_V4_TCP, FULL_V4_UDP},
        icmp::{expired, too_big},
        tunnels::{GUE_44, GUE_46, IPIP_44, IPIP_46},
    },
};

const EACH: [(&str, Spec); 11] = [
    ("nat, TCP", NAT_V4_TCP),
    ("nat, UDP", NAT_V4_UDP),
    ("nat, same interface", NAT_V4_TCP_FRONT),
    ("dsr, TCP", DSR_V4_TCP),
    ("dsr, UDP", DSR_V4_UDP),
    ("ipip, 4 in 4", IPIP_44),
    ("ipip, 4 in 6", IPIP_46),
    ("gue, 4 in 4", GUE_44),
    ("gue, 4 in 6", GUE_46),
    ("full-nat, TCP", FULL_V4_TCP),
    ("full-nat, UDP", FULL_V4_UDP),
];

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        for words in 1..=10 {
            let packet = spec.request().options(words);
            cases.push(forwarded(links, format!("{words} options, {what}"), &spec, &packet));
        }
        let tagged = spec.request().options(3).tags(&VLAN);
        cases.push(forwarded(links, format!("3 options, tagged, {what}"), &spec, &tagged));
        cases.extend(refused(links, what, &spec));
    }
    for (what, spec) in [("TCP", NAT_V4_TCP), ("UDP", NAT_V4_UDP)] {
        for words in [1, 2, 9, 10] {
            let packet = spec.reply(address(CLIENT_V4)).options(words);
            let front = Verdict::Redirect { ifindex: links.front };
            let expected = spec.returned(&packet, CLIENT_MAC).build();
            let name = format!("reply, {words} options, {what}");
            cases.push(case(name, links.back, packet.build()).returns(front, &spec, expected));
        }
        cases.extend(contradictions(links, what, &spec));
    }
    cases
}

fn forwarded(links: &Links, name: String, spec: &Spec, packet: &Packet) -> Case {
    let draft = of_open_flow(links, name, spec, packet);
    draft.forwards(way_out(links, spec), spec, spec.delivered(packet).build())
}

/// What is quoted has the options, and is longer by them.
fn refused(links: &Links, what: &str, spec: &Spec) -> [Case; 3] {
    let last = spec.request().options(10).ttl(1);
    let most = spec.largest();
    let fits = spec.request().options(10).ip_len(most.into());
    let large = spec.request().options(10).ip_len(usize::from(most) + 1);
    [
        of_open_flow(links, format!("options, TTL 1, {what}"), spec, &last).answers(
            spec,
            Reason::TtlExpired,
            last.refused(expired(true)).build(),
        ),
        forwarded(links, format!("options, it just fits, {what}"), spec, &fits),
        of_open_flow(links, format!("options, a byte too large, {what}"), spec, &large).answers(
            spec,
            Reason::TooBig,
            large.refused(too_big(true, most.into())).build(),
        ),
    ]
}

fn contradictions(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let pass = |name: &str, frame: Vec<u8>, reason| {
        case(format!("options, {name}, {what}"), links.front, frame).passes(reason)
    };
    let frame = spec.request().options(10).build();
    let claimed = |length: u8| resummed(patched(frame.clone(), 16, &[0, length]));
    let transport = if what == "TCP" { 20 } else { 8 };
    vec![
        pass("length of the fixed header", claimed(20), Reason::BadLength),
        pass("length below the header", claimed(59), Reason::BadLength),
        pass("nothing behind", claimed(60), Reason::BadLength),
        pass("too little behind", claimed(60 + transport - 1), Reason::BadLength),
        pass("cut within", cut(frame.clone(), 40), Reason::BadLength),
        // The header says that it has options, and is as long as the packet.
        pass(
            "longer than the packet",
            patched(cut(frame.clone(), 14 + 56), 16, &[0, 56]),
            Reason::BadLength,
        ),
        pass("wrong in the first", patched(frame.clone(), 34, &[0x44]), Reason::BadChecksum),
        pass("wrong in the last", patched(frame.clone(), 73, &[0x44]), Reason::BadChecksum),
        pass(
            "another port",
            spec.request().options(10).destination_port(81).build(),
            Reason::NotOurs,
        ),
        pass("SCTP", spec.request().options(1).protocol(132).build(), Reason::OtherProtocol),
    ]
}
