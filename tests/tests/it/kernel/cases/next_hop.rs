//! No backend, no next hop, and not enough room on the way.

use lb_common::abi::{Reason, Verdict};

use crate::kernel::{
    case::{Case, case},
    network::Links,
    services::{
        DSR_V4_TCP_NEW, DSR_V6_UDP_NEW, DSR_V6_UDP_SMALL, EMPTY_V4_TCP, EMPTY_V6_UDP,
        NAT_V4_TCP_NEW, NAT_V4_TCP_SMALL, NAT_V6_UDP_NEW, Spec, icmp::too_big,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let drop = |name: &str, spec: &Spec, reason| {
        case(name, links.front, spec.request().build()).drops(spec, reason)
    };
    // The kernel routes it, counts down its time to live and fragments or refuses it.
    let kernel = |name: &str, spec: &Spec, length: usize| {
        let packet = spec.request().ip_len(length);
        let expected = packet.clone().to(spec.backend(0)).build();
        let draft = case(name, links.front, packet.build());
        draft.passes_as(spec, Reason::BackendUnresolved, expected)
    };
    let fits = |name: &str, spec: &Spec| {
        let packet = spec.request().ip_len(1280);
        let expected = spec.delivered(&packet).build();
        case(name, links.front, packet.build()).forwards(back, spec, expected)
    };
    let refused = |name: &str, spec: &Spec| {
        let packet = spec.request().ip_len(1281);
        let told = packet.refused(too_big(packet.is_v4(), 1280)).build();
        case(name, links.front, packet.build()).answers(spec, Reason::TooBig, told)
    };
    vec![
        drop("a service without backends", &EMPTY_V4_TCP, Reason::NoBackend),
        drop("a slot that names no backend", &EMPTY_V6_UDP, Reason::NoBackend),
        drop("dsr, next hop unknown, IPv4, TCP", &DSR_V4_TCP_NEW, Reason::NoNextHop),
        drop("dsr, next hop unknown, IPv6, UDP", &DSR_V6_UDP_NEW, Reason::NoNextHop),
        kernel("nat, next hop unknown, IPv4, TCP", &NAT_V4_TCP_NEW, 52),
        kernel("nat, next hop unknown, IPv6, UDP", &NAT_V6_UDP_NEW, 60),
        kernel("nat, next hop unknown, large", &NAT_V4_TCP_NEW, 1500),
        fits("nat, as large as the way allows", &NAT_V4_TCP_SMALL),
        fits("dsr, as large as the way allows", &DSR_V6_UDP_SMALL),
        refused("nat, a byte too large", &NAT_V4_TCP_SMALL),
        refused("dsr, a byte too large", &DSR_V6_UDP_SMALL),
    ]
}
