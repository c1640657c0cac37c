//! IPv6 extension headers: they stay where they are.

use etherparse::ip_number;
use lb_common::abi::{Reason, Verdict};

use super::{of_open_flow, way_out};
use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links, VLANS},
    packet::{Extension, Packet, cut, patched},
    services::{
        CLIENT_V6, DSR_V6_TCP, DSR_V6_UDP, NAT_V6_TCP, NAT_V6_UDP, NAT_V6_UDP_FRONT, Spec, address,
        full_nat::{FULL_V6_TCP, FULL_V6_UDP},
        icmp::{expired, too_big},
        tunnels::{GUE_64, GUE_66, IPIP_64, IPIP_66},
    },
};

const EACH: [(&str, Spec); 11] = [
    ("nat, TCP", NAT_V6_TCP),
    ("nat, UDP", NAT_V6_UDP),
    ("nat, same interface", NAT_V6_UDP_FRONT),
    ("dsr, TCP", DSR_V6_TCP),
    ("dsr, UDP", DSR_V6_UDP),
    ("ipip, 6 in 6", IPIP_66),
    ("ipip, 6 in 4", IPIP_64),
    ("gue, 6 in 6", GUE_66),
    ("gue, 6 in 4", GUE_64),
    ("full-nat, TCP", FULL_V6_TCP),
    ("full-nat, UDP", FULL_V6_UDP),
];

/// Chains that are followed.
fn followed() -> Vec<(&'static str, Vec<Extension>)> {
    let (hop, destination) = (Extension::hop_by_hop, Extension::destination);
    let (routing, atomic) = (Extension::routing(0), Extension::Fragment(0, false));
    vec![
        ("hop-by-hop options", vec![hop(1)]),
        ("destination options", vec![destination(1)]),
        ("routing", vec![routing.clone()]),
        ("atomic fragment", vec![atomic.clone()]),
        ("three units", vec![destination(3)]),
        ("128 bytes in one", vec![hop(16)]),
        ("128 bytes in two", vec![hop(9), destination(7)]),
        ("all, as they are recommended", {
            vec![hop(1), destination(1), routing.clone(), atomic.clone(), destination(1)]
        }),
        ("the wrong way round", vec![destination(1), atomic, routing, hop(1)]),
        ("five of a kind", vec![destination(2); 5]),
    ]
}

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        for (with, extensions) in followed() {
            let packet = spec.request().extensions(&extensions);
            cases.push(forwarded(links, format!("{with}, {what}"), &spec, &packet));
        }
        let tagged = spec.request().extensions(&[Extension::hop_by_hop(2)]).tags(&VLANS);
        cases.push(forwarded(links, format!("extensions, tagged, {what}"), &spec, &tagged));
        cases.extend(refused(links, what, &spec));
    }
    for (what, spec) in [("TCP", NAT_V6_TCP), ("UDP", NAT_V6_UDP)] {
        for (with, extensions) in followed() {
            let packet = spec.reply(address(CLIENT_V6)).extensions(&extensions);
            let front = Verdict::Redirect { ifindex: links.front };
            let expected = spec.returned(&packet, CLIENT_MAC).build();
            let draft = case(format!("reply, {with}, {what}"), links.back, packet.build());
            cases.push(draft.returns(front, &spec, expected));
        }
        cases.extend(not_followed(links, what, &spec));
        cases.extend(contradictions(links, what, &spec));
    }
    cases
}

fn forwarded(links: &Links, name: String, spec: &Spec, packet: &Packet) -> Case {
    let draft = of_open_flow(links, name, spec, packet);
    draft.forwards(way_out(links, spec), spec, spec.delivered(packet).build())
}

/// What is quoted has the headers, and is longer by them.
fn refused(links: &Links, what: &str, spec: &Spec) -> [Case; 3] {
    let request = spec.request().extensions(&[Extension::hop_by_hop(11)]);
    let last = request.clone().ttl(1);
    let most = spec.largest();
    let fits = request.clone().ip_len(most.into());
    let large = request.ip_len(usize::from(most) + 1);
    [
        of_open_flow(links, format!("extensions, TTL 1, {what}"), spec, &last).answers(
            spec,
            Reason::TtlExpired,
            last.refused(expired(false)).build(),
        ),
        forwarded(links, format!("extensions, it just fits, {what}"), spec, &fits),
        of_open_flow(links, format!("extensions, a byte too large, {what}"), spec, &large).answers(
            spec,
            Reason::TooBig,
            large.refused(too_big(false, most.into())).build(),
        ),
    ]
}

fn not_followed(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let (hop, destination) = (Extension::hop_by_hop, Extension::destination);
    let pass = |with: &str, extensions: &[Extension], reason| {
        let packet = spec.request().extensions(extensions);
        let draft = case(format!("extensions, {with}, {what}"), links.front, packet.build());
        draft.passes(reason)
    };
    let long =
        |with: &str, extensions: &[Extension]| pass(with, extensions, Reason::LongExtensions);
    let on_the_way =
        |left| pass(&format!("{left} segments left"), &[Extension::routing(left)], Reason::NotOurs);
    let other = |with: &str, number, before: &[Extension]| {
        let last = Extension::Usual(number, vec![0; 14]);
        pass(with, &[before, &[last]].concat(), Reason::OtherProtocol)
    };
    vec![
        long(
            "six",
            &[
                hop(1),
                destination(1),
                destination(1),
                destination(1),
                destination(1),
                destination(1),
            ],
        ),
        long("ten", &vec![destination(1); 10]),
        long("136 bytes in one", &[hop(17)]),
        long("136 bytes in two", &[hop(16), destination(1)]),
        long(
            "136 bytes in five",
            &[hop(13), destination(1), destination(1), destination(1), destination(1)],
        ),
        long("500 bytes", &[hop(32), destination(32)]),
        long(
            "1000 bytes in one",
            &[Extension::Usual(ip_number::IPV6_HEADER_HOP_BY_HOP, vec![0; 998])],
        ),
        on_the_way(1),
        on_the_way(255),
        pass("segments left in the second", &[hop(1), Extension::routing(2)], Reason::NotOurs),
        other("authentication", ip_number::AUTHENTICATION_HEADER, &[]),
        other("authentication behind another", ip_number::AUTHENTICATION_HEADER, &[hop(1)]),
        other("mobility", ip_number::MOBILITY_HEADER, &[hop(1)]),
        other("encryption behind another", ip_number::ENCAPSULATING_SECURITY_PAYLOAD, &[hop(1)]),
        case(
            format!("extensions, no next header, {what}"),
            links.front,
            spec.request().protocol(59).extensions(&[hop(1)]).build(),
        )
        .passes(Reason::OtherProtocol),
        case(
            format!("extensions, another port, {what}"),
            links.front,
            spec.request().destination_port(81).extensions(&[hop(1)]).build(),
        )
        .passes(Reason::NotOurs),
    ]
}

fn contradictions(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let pass = |name: &str, frame: Vec<u8>, reason| {
        case(format!("extensions, {name}, {what}"), links.front, frame).passes(reason)
    };
    let two = [Extension::hop_by_hop(1), Extension::destination(1)];
    let frame = spec.request().extensions(&two).build();
    let claimed = |length: u8| patched(frame.clone(), 18, &[0, length]);
    let transport = if what == "TCP" { 20 } else { 8 };
    // The frame as it would be if it ended there.
    let ended = |length: u8| cut(claimed(length), 54 + usize::from(length));
    vec![
        pass("length within the first", claimed(7), Reason::BadLength),
        pass("length within the second", claimed(15), Reason::BadLength),
        pass("nothing behind", claimed(16), Reason::BadLength),
        pass("too little behind", claimed(16 + transport - 1), Reason::BadLength),
        pass("ends before the first", ended(0), Reason::Truncated),
        pass("ends within the first", ended(3), Reason::Truncated),
        pass("ends behind the first", ended(8), Reason::Truncated),
        pass("ends behind the second", ended(16), Reason::BadLength),
        pass(
            "the first is longer than the packet",
            patched(frame.clone(), 55, &[15]),
            Reason::Truncated,
        ),
        pass(
            "the second is longer than the packet",
            patched(frame.clone(), 63, &[14]),
            Reason::BadLength,
        ),
        pass(
            "the first is as long as can be",
            patched(frame.clone(), 55, &[255]),
            Reason::LongExtensions,
        ),
        pass(
            "the second is as long as can be",
            patched(frame.clone(), 63, &[255]),
            Reason::LongExtensions,
        ),
        pass("cut", cut(frame.clone(), 60), Reason::BadLength),
        pass("the fixed header is cut", cut(frame, 50), Reason::Truncated),
    ]
}
