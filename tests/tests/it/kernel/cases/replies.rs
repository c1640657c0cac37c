//! From backends: replies get the address of the service, unless they are for the balancer itself.

use lb_common::abi::{Reason, Verdict};

use crate::kernel::{
    case::{Case, case},
    network::{
        self, BACK_CLIENT, BACK_CLIENT_MAC, BACK_MAC, CLIENT_MAC, FAR, FROM_CLOSED, Links, MANY,
        NOWHERE, OWN, ROUTER_MAC, SMALL, SMALL_FITS, UNREACHABLE, UNRESOLVED,
    },
    packet::{Mac, Packet},
    services::{
        CLIENT_V4, CLIENT_V6, DSR_V4_TCP, NAT_V4_TCP, NAT_V4_TCP_FRONT, NAT_V4_UDP, NAT_V6_TCP,
        NAT_V6_UDP, NAT_V6_UDP_FRONT, SPREAD_V4, Spec, address,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = returned(links);
    cases.extend(left_to_the_kernel(links));
    cases.extend(no_replies(links));
    cases
}

fn returned(links: &Links) -> Vec<Case> {
    let front = Verdict::Redirect { ifindex: links.front };
    let reply = |name: &str, spec: &Spec, client: &str, hop: Mac| {
        let packet = spec.reply(address(client));
        let expected = spec.returned(&packet, hop).build();
        case(name, links.back, packet.build()).returns(front, spec, expected)
    };
    let same = |name: &str, spec: &Spec, client: &str, hop: Mac, own: Mac, ingress: u32| {
        let packet = spec.reply(address(client));
        let expected = spec.returned(&packet, hop).link(hop, own).build();
        case(name, ingress, packet.build()).returns(Verdict::Transmit, spec, expected)
    };
    let fits = |name, spec: &Spec, client: &str| {
        let packet = spec.reply(address(client)).ip_len(1280);
        let expected = spec.returned(&packet, ROUTER_MAC).build();
        case(name, links.back, packet.build()).returns(front, spec, expected)
    };
    vec![
        reply("reply, IPv4, TCP", &NAT_V4_TCP, CLIENT_V4, CLIENT_MAC),
        reply("reply, IPv4, UDP", &NAT_V4_UDP, CLIENT_V4, CLIENT_MAC),
        reply("reply, IPv6, TCP", &NAT_V6_TCP, CLIENT_V6, CLIENT_MAC),
        reply("reply, IPv6, UDP", &NAT_V6_UDP, CLIENT_V6, CLIENT_MAC),
        reply("reply of one of several backends", &SPREAD_V4, CLIENT_V4, CLIENT_MAC),
        reply("reply through a router, IPv4", &NAT_V4_TCP, FAR[0], ROUTER_MAC),
        reply("reply through a router, IPv6", &NAT_V6_UDP, FAR[1], ROUTER_MAC),
        fits("reply that just fits, IPv4", &NAT_V4_UDP, SMALL_FITS[0]),
        fits("reply that just fits, IPv6", &NAT_V6_TCP, SMALL_FITS[1]),
        same(
            "reply out of the same interface, IPv4",
            &NAT_V4_UDP,
            BACK_CLIENT[0],
            BACK_CLIENT_MAC,
            BACK_MAC,
            links.back,
        ),
        same(
            "reply out of the same interface, IPv6",
            &NAT_V6_TCP,
            BACK_CLIENT[1],
            BACK_CLIENT_MAC,
            BACK_MAC,
            links.back,
        ),
        same(
            "reply of a backend on the clients' side, IPv4",
            &NAT_V4_TCP_FRONT,
            CLIENT_V4,
            CLIENT_MAC,
            network::FRONT_MAC,
            links.front,
        ),
        same(
            "reply of a backend on the clients' side, IPv6",
            &NAT_V6_UDP_FRONT,
            CLIENT_V6,
            CLIENT_MAC,
            network::FRONT_MAC,
            links.front,
        ),
    ]
}

fn left_to_the_kernel(links: &Links) -> Vec<Case> {
    let untouched = |name: &str, spec: &Spec, client: &str, reason| {
        case(name, links.back, spec.reply(address(client)).build()).passes_for(spec, reason)
    };
    let own = |name: &str, spec: &Spec, client: &str| {
        let packet = spec.reply(address(client));
        case(name, links.back, packet.build()).passes(Reason::ReplyToBalancer)
    };
    let too_big = |name: &str, spec: &Spec, client: &str| {
        let packet = spec.reply(address(client)).ip_len(1281);
        case(name, links.back, packet.build()).passes_for(spec, Reason::ReplyTooBig)
    };
    // Its fragments are the service's, too.
    let cut = |name: &str, spec: &Spec, client: &str| {
        let packet = Packet { dont_fragment: false, ..spec.reply(address(client)).ip_len(1281) };
        let expected = packet.clone().from(spec.vip()).build();
        case(name, links.back, packet.build()).passes_as(spec, Reason::ReplyTooBig, expected)
    };
    // The kernel counts down the time to live, and finds the next hop.
    let unresolved = |name: &str, spec: &Spec, client: &str, ttl: u8| {
        let packet = spec.reply(address(client)).ttl(ttl);
        let expected = packet.clone().from(spec.vip()).build();
        let draft = case(name, links.back, packet.build());
        draft.passes_as(spec, Reason::ReplyUnresolved, expected)
    };
    let closed = |name: &str, spec: &Spec, client: &str| {
        let packet = spec.reply(address(client));
        case(name, links.closed, packet.build()).passes_for(spec, Reason::ReplyUnroutable)
    };
    vec![
        own("reply to the balancer, IPv4, TCP", &NAT_V4_TCP, OWN[0]),
        own("reply to the balancer, IPv4, UDP", &NAT_V4_UDP, OWN[0]),
        own("reply to the balancer, IPv6, TCP", &NAT_V6_TCP, OWN[1]),
        own("reply to a broadcast address", &NAT_V4_UDP, MANY[0]),
        own("reply to a multicast group, IPv4", &NAT_V4_UDP, MANY[1]),
        own("reply to nowhere, IPv4", &NAT_V4_TCP, NOWHERE[0]),
        own("reply to nowhere, IPv6", &NAT_V6_TCP, NOWHERE[1]),
        untouched("reply not allowed, IPv4", &NAT_V4_TCP, UNREACHABLE[0], Reason::ReplyUnroutable),
        untouched("reply not allowed, IPv6", &NAT_V6_UDP, UNREACHABLE[1], Reason::ReplyUnroutable),
        closed("reply where nothing is forwarded, IPv4", &NAT_V4_TCP, FROM_CLOSED[0]),
        closed("reply where nothing is forwarded, IPv6", &NAT_V6_TCP, FROM_CLOSED[1]),
        too_big("reply too big, IPv4, TCP", &NAT_V4_TCP, SMALL[0]),
        too_big("reply too big, IPv6, UDP", &NAT_V6_UDP, SMALL[1]),
        cut("reply to cut, IPv4, TCP", &NAT_V4_TCP, SMALL[0]),
        cut("reply to cut, IPv4, UDP", &NAT_V4_UDP, SMALL[0]),
        unresolved("reply to a new neighbour, IPv4, TCP", &NAT_V4_TCP, UNRESOLVED[0], 64),
        unresolved("reply to a new neighbour, IPv4, UDP", &NAT_V4_UDP, UNRESOLVED[0], 64),
        unresolved("reply to a new neighbour, IPv6, TCP", &NAT_V6_TCP, UNRESOLVED[1], 64),
        unresolved("reply to a new neighbour, IPv6, UDP", &NAT_V6_UDP, UNRESOLVED[1], 64),
        unresolved("reply to a new neighbour, TTL 1", &NAT_V4_TCP, UNRESOLVED[0], 1),
    ]
}

fn no_replies(links: &Links) -> Vec<Case> {
    let other =
        |name: &str, packet: Packet| case(name, links.back, packet.build()).passes(Reason::NotOurs);
    let reply = NAT_V4_TCP.reply(address(CLIENT_V4));
    let udp = reply.clone().protocol(NAT_V4_UDP.protocol);
    vec![
        other("a backend's other port", reply.clone().source_port(8081)),
        other("a backend's port of the other protocol", udp),
        other("the neighbour of a backend", reply.from(address("203.0.113.10:8080"))),
        // It answers with the address of the service by itself.
        other("a dsr backend", DSR_V4_TCP.reply(address(CLIENT_V4))),
        other(
            "a dsr backend's direct reply",
            DSR_V4_TCP.reply(address(CLIENT_V4)).from(DSR_V4_TCP.vip()),
        ),
    ]
}
