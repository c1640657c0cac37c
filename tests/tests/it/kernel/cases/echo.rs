//! Echo requests to the addresses of services are answered; all others are for the kernel.

use std::net::IpAddr;

use lb_common::abi::Reason;

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, FRONT_MAC, Links, OWN, VLAN, VLANS},
    packet::{Extension, Message, Packet, patched, resummed},
    services::{
        CLIENT_V4, CLIENT_V6, DSR_V6_TCP, EMPTY_V4_TCP, NAT_V4_TCP, NAT_V6_TCP, Spec, address,
        full_nat::FULL_V4_TCP, tunnels::GUE_66,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [
        ("echo, nat, IPv4", NAT_V4_TCP),
        ("echo, nat, IPv6", NAT_V6_TCP),
        ("echo, dsr", DSR_V6_TCP),
        ("echo, full-nat", FULL_V4_TCP),
        ("echo, gue", GUE_66),
        ("echo, no backend", EMPTY_V4_TCP),
    ] {
        let packet = request(&spec, spec.vip().ip());
        cases.push(answered(links, what.into(), &spec, &packet));
    }
    for (what, spec) in [("echo, IPv4", NAT_V4_TCP), ("echo, IPv6", NAT_V6_TCP)] {
        cases.extend(unusual(links, what, &spec));
        cases.extend(not_answered(links, what, &spec));
    }
    cases
}

/// A request to an address, with an identifier and a number.
fn request(spec: &Spec, to: IpAddr) -> Packet {
    let (client, kind) =
        if spec.vip().is_ipv4() { (address(CLIENT_V4), 8) } else { (address(CLIENT_V6), 128) };
    let message = Message::new(kind, 0, 0x1234_0007);
    let packet = Packet::of_icmp(client.ip(), to, message, b"are you there?");
    packet.link(FRONT_MAC, CLIENT_MAC)
}

fn answered(links: &Links, name: String, spec: &Spec, packet: &Packet) -> Case {
    let draft = case(name, links.front, packet.build());
    draft.answers(spec, Reason::EchoAnswered, packet.echoed().build())
}

fn unusual(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let usual = request(spec, spec.vip().ip());
    let one =
        |name: &str, packet: Packet| answered(links, format!("{what}: {name}"), spec, &packet);
    // The checksum is left as wrong as it was.
    let at = 14 + usual.network().len() - 1;
    let damaged = |packet: &Packet| patched(packet.build(), at, b"!");
    vec![
        one("no data", usual.clone().payload([])),
        one("odd data", usual.clone().payload(*b"odd")),
        one("large", usual.clone().ip_len(1500)),
        one("padding", Packet { padding: 20, ..usual.clone().payload([]) }),
        one("TTL 1", usual.clone().ttl(1)),
        one("TTL 255", usual.clone().ttl(255)),
        one("another code", with_code(usual.clone(), 7)),
        one("one tag", usual.clone().tags(&VLAN)),
        one("two tags", usual.clone().tags(&VLANS)),
        case(format!("{what}: damaged"), links.front, damaged(&usual)).answers(
            spec,
            Reason::EchoAnswered,
            damaged(&usual.echoed()),
        ),
        case(format!("{what}: on the backends' side"), links.back, usual.build()).answers(
            spec,
            Reason::EchoAnswered,
            usual.echoed().build(),
        ),
        case(format!("{what}: one too many"), links.front, usual.build())
            .silent()
            .drops(spec, Reason::EchoLimited),
        case(
            format!("{what}: one too many, tagged"),
            links.front,
            usual.clone().tags(&VLANS).build(),
        )
        .silent()
        .drops_as(spec, Reason::EchoLimited, usual.build()),
    ]
}

fn with_code(packet: Packet, code: u8) -> Packet {
    Packet { message: Message { code, ..packet.message }, ..packet }
}

fn not_answered(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let is_v4 = spec.vip().is_ipv4();
    let [own_v4, own_v6] = OWN.map(|own| address(own).ip());
    let vip = spec.vip().ip();
    let usual = request(spec, vip);
    let pass = |name: &str, packet: Packet, reason| {
        case(format!("{what}: {name}"), links.front, packet.build()).passes(reason)
    };
    let other = |name: &str, kind: u8| {
        let packet = Packet { message: Message { kind, ..usual.message }, ..usual.clone() };
        pass(name, packet, Reason::OtherProtocol)
    };
    let own = request(spec, if is_v4 { own_v4 } else { own_v6 });
    let backend = request(spec, spec.backend(0).ip());
    let [first, _, last] = usual.fragments();
    // Room for the first four bytes of the header alone.
    let short = if is_v4 { 14 + 20 + 4 } else { 14 + 40 + 4 };
    let mut cut = usual.build();
    cut.truncate(short);
    let cut = if is_v4 { resummed(patched(cut, 16, &[0, 24])) } else { patched(cut, 18, &[0, 4]) };
    let mut nothing = usual.build();
    nothing.truncate(short - 4);
    let nothing = if is_v4 {
        resummed(patched(nothing, 16, &[0, 20]))
    } else {
        patched(nothing, 18, &[0, 0])
    };
    let mut cases = vec![
        pass("to the balancer", own, Reason::NotOurs),
        pass("to a backend", backend, Reason::NotOurs),
        pass(
            "to everybody on the link",
            usual.clone().link([0xff; 6], CLIENT_MAC),
            Reason::OtherProtocol,
        ),
        pass("from the service", usual.clone().from(usual.to).to(usual.from), Reason::NotOurs),
        other("a reply", if is_v4 { 0 } else { 129 }),
        other("a redirect", if is_v4 { 5 } else { 137 }),
        other("a router's", if is_v4 { 9 } else { 134 }),
        other("a neighbour's", if is_v4 { 13 } else { 135 }),
        other("type 255", 255),
        pass("first fragment", first, Reason::OtherProtocol),
        pass("last fragment", last, Reason::OtherProtocol),
        pass(
            "one tag, to a backend",
            request(spec, spec.backend(0).ip()).tags(&VLAN),
            Reason::NotOurs,
        ),
        case(format!("{what}: cut"), links.front, cut).passes(Reason::OtherProtocol),
        case(format!("{what}: nothing of it"), links.front, nothing).passes(Reason::Truncated),
        // Of the other family.
        pass(
            "by the other protocol",
            usual.clone().protocol(if is_v4 { 58 } else { 1 }),
            Reason::OtherProtocol,
        ),
    ];
    if is_v4 {
        cases.push(pass("options", usual.options(1), Reason::OtherProtocol));
    } else {
        let extended = usual.extensions(&[Extension::hop_by_hop(1)]);
        cases.push(pass("hop-by-hop options", extended, Reason::OtherProtocol));
    }
    cases
}
