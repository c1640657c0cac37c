//! Clients that speak to a backend directly, past the service.

use lb_common::abi::{Reason, Verdict};

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links},
    packet::Packet,
    services::{
        CLIENT_V4, CLIENT_V6, NAT_V4_TCP, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec, client) in [
        ("IPv4, TCP", NAT_V4_TCP, CLIENT_V4),
        ("IPv4, UDP", NAT_V4_UDP, CLIENT_V4),
        ("IPv6, TCP", NAT_V6_TCP, CLIENT_V6),
        ("IPv6, UDP", NAT_V6_UDP, CLIENT_V6),
    ] {
        cases.extend(of(links, what, &spec, client));
    }
    let opening = NAT_V4_TCP.request().syn();
    let direct = opening.clone().to(NAT_V4_TCP.backend(0));
    let reply = NAT_V4_TCP.reply(address(CLIENT_V4));
    cases.push(
        case(
            "a stray segment to the service does not end a direct flow",
            links.back,
            reply.build(),
        )
        .after(links.front, direct.build())
        .after(links.front, NAT_V4_TCP.request().build())
        .passes(Reason::ReplyDirect),
    );
    cases.push(
        case("a flow that is direct once more", links.back, reply.build())
            .after(links.front, direct.build())
            .after(links.front, opening.build())
            .after(links.front, direct.build())
            .passes(Reason::ReplyDirect),
    );
    cases
}

fn of(links: &Links, what: &str, spec: &Spec, client: &str) -> [Case; 4] {
    let opening = |packet: Packet| if what.ends_with("TCP") { packet.syn() } else { packet };
    let service = opening(spec.request());
    let direct = service.clone().to(spec.backend(0));
    let reply = spec.reply(address(client));
    let other = reply.clone().destination_port(40_001);
    let front = Verdict::Redirect { ifindex: links.front };
    let returned = |reply: &Packet| spec.returned(reply, CLIENT_MAC).build();
    let name = |tail: &str| format!("{what}: {tail}");
    [
        case(name("to a backend directly"), links.front, direct.build()).passes(Reason::NotOurs),
        case(name("reply to a direct flow"), links.back, reply.build())
            .after(links.front, direct.build())
            .passes(Reason::ReplyDirect),
        case(name("reply to another flow of a direct client"), links.back, other.build())
            .after(links.front, direct.build())
            .returns(front, spec, returned(&other)),
        case(name("reply to a flow that was direct before"), links.back, reply.build())
            .after(links.front, direct.build())
            .after(links.front, service.build())
            .returns(front, spec, returned(&reply)),
    ]
}
