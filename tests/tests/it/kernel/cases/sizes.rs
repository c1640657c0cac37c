//! The smallest and the largest frames, odd lengths, and bytes behind the packet.

use lb_common::abi::Verdict;

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links},
    packet::Packet,
    services::{
        CLIENT_V4, CLIENT_V6, DSR_V4_TCP, DSR_V4_UDP, DSR_V6_UDP_JUMBO, NAT_V4_TCP,
        NAT_V4_TCP_JUMBO, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address,
    },
};

/// The largest frame of a test run: a page of 4096 bytes less the headroom (256) and the structure
/// behind the data (320).
const LARGEST: usize = 4096 - 256 - 320;

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let forward = |name: &str, spec: &Spec, packet: &Packet| {
        let back = Verdict::Redirect { ifindex: links.back };
        let expected = spec.delivered(packet).build();
        case(name, links.front, packet.build()).forwards(back, spec, expected)
    };
    let reply = |name: &str, spec: &Spec, client: &str, ip_len: usize| {
        let front = Verdict::Redirect { ifindex: links.front };
        let packet = spec.reply(address(client)).ip_len(ip_len);
        let expected = spec.returned(&packet, CLIENT_MAC).build();
        case(name, links.back, packet.build()).returns(front, spec, expected)
    };
    let empty = |spec: &Spec| spec.request().payload([]);
    let odd = |spec: &Spec| spec.request().payload(*b"odd");
    let padded = |spec: &Spec| Packet { padding: 20, ..spec.request().payload(*b"!") };
    let length = |spec: &Spec, frame: usize| spec.request().ip_len(frame - 14);
    vec![
        forward("no payload, UDP, IPv4, nat", &NAT_V4_UDP, &empty(&NAT_V4_UDP)),
        forward("no payload, UDP, IPv4, dsr", &DSR_V4_UDP, &empty(&DSR_V4_UDP)),
        forward("no payload, UDP, IPv6", &NAT_V6_UDP, &empty(&NAT_V6_UDP)),
        forward("no payload, TCP, IPv4", &NAT_V4_TCP, &empty(&NAT_V4_TCP)),
        forward("no payload, TCP, IPv6", &NAT_V6_TCP, &empty(&NAT_V6_TCP)),
        forward("odd payload, UDP, IPv4", &NAT_V4_UDP, &odd(&NAT_V4_UDP)),
        forward("odd payload, TCP, IPv6", &NAT_V6_TCP, &odd(&NAT_V6_TCP)),
        forward("padding, TCP, IPv4, nat", &NAT_V4_TCP, &padded(&NAT_V4_TCP)),
        forward("padding, TCP, IPv4, dsr", &DSR_V4_TCP, &padded(&DSR_V4_TCP)),
        forward("padding, UDP, IPv6", &NAT_V6_UDP, &padded(&NAT_V6_UDP)),
        forward("1514 bytes, TCP, IPv4, nat", &NAT_V4_TCP, &length(&NAT_V4_TCP, 1514)),
        forward("1514 bytes, UDP, IPv6, nat", &NAT_V6_UDP, &length(&NAT_V6_UDP, 1514)),
        forward("1514 bytes, TCP, IPv4, dsr", &DSR_V4_TCP, &length(&DSR_V4_TCP, 1514)),
        forward("largest frame, nat", &NAT_V4_TCP_JUMBO, &length(&NAT_V4_TCP_JUMBO, LARGEST)),
        forward("largest frame, dsr", &DSR_V6_UDP_JUMBO, &length(&DSR_V6_UDP_JUMBO, LARGEST)),
        forward("9014 bytes, nat", &NAT_V4_TCP_JUMBO, &length(&NAT_V4_TCP_JUMBO, 9014))
            .host_only("a test run takes no frame beyond a page"),
        reply("reply of 1514 bytes, IPv4, TCP", &NAT_V4_TCP, CLIENT_V4, 1500),
        reply("reply of 1514 bytes, IPv6, UDP", &NAT_V6_UDP, CLIENT_V6, 1500),
    ]
}
