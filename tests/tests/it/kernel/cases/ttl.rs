//! Time to live and hop limit: whoever routes a packet counts down, and refuses it at the end.

use lb_common::abi::{Reason, Verdict};

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links, OWN},
    services::{
        CLIENT_V4, CLIENT_V6, DSR_V4_TCP, DSR_V6_UDP, NAT_V4_TCP, NAT_V4_TCP_NEW, NAT_V4_UDP,
        NAT_V6_TCP, NAT_V6_UDP, Spec, address, icmp::expired,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [
        ("nat, IPv4", NAT_V4_TCP),
        ("nat, IPv6", NAT_V6_UDP),
        ("dsr, IPv4", DSR_V4_TCP),
        ("dsr, IPv6", DSR_V6_UDP),
    ] {
        for ttl in [0, 1, 2, 255] {
            cases.push(request(links, what, &spec, ttl));
        }
    }
    for (what, spec, client) in
        [("reply, IPv4", NAT_V4_UDP, CLIENT_V4), ("reply, IPv6", NAT_V6_TCP, CLIENT_V6)]
    {
        for ttl in [0, 1, 2, 255] {
            cases.push(reply(links, what, &spec, client, ttl));
        }
    }
    let last = NAT_V4_TCP_NEW.request().ttl(1);
    let own = NAT_V4_TCP.reply(address(OWN[0])).ttl(1).build();
    cases.extend([
        case("nat, next hop unknown, TTL 1", links.front, last.build()).answers(
            &NAT_V4_TCP_NEW,
            Reason::TtlExpired,
            last.refused(expired(true)).build(),
        ),
        // It has arrived.
        case("reply to the balancer, TTL 1", links.back, own).passes(Reason::ReplyToBalancer),
    ]);
    cases
}

fn request(links: &Links, what: &str, spec: &Spec, ttl: u8) -> Case {
    let packet = spec.request().ttl(ttl);
    let draft = case(format!("{what}, TTL {ttl}"), links.front, packet.build());
    if ttl < 2 {
        let told = packet.refused(expired(packet.is_v4())).build();
        return draft.answers(spec, Reason::TtlExpired, told);
    }
    let back = Verdict::Redirect { ifindex: links.back };
    draft.forwards(back, spec, spec.delivered(&packet).build())
}

fn reply(links: &Links, what: &str, spec: &Spec, client: &str, ttl: u8) -> Case {
    let packet = spec.reply(address(client)).ttl(ttl);
    let draft = case(format!("{what}, TTL {ttl}"), links.back, packet.build());
    if ttl < 2 {
        return draft.drops(spec, Reason::TtlExpired);
    }
    let front = Verdict::Redirect { ifindex: links.front };
    draft.returns(front, spec, spec.returned(&packet, CLIENT_MAC).build())
}
