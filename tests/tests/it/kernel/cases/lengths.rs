//! Headers that contradict the frame or each other. All pass untouched: the kernel knows better.

use lb_common::abi::Reason;

use crate::kernel::{
    case::{Case, case},
    network::Links,
    packet::{patched, resummed},
    services::{CLIENT_V4, NAT_V4_TCP, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address},
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    // The payload is 12 bytes: 52 bytes of IPv4 with TCP, 20 of UDP.
    let pass = |name: &str, spec: &Spec, at: usize, bytes: &[u8], reason| {
        case(name, links.front, patched(spec.request().build(), at, bytes)).passes(reason)
    };
    let bad = |name: &str, spec: &Spec, at: usize, bytes: &[u8]| {
        pass(name, spec, at, bytes, Reason::BadLength)
    };
    let short = |name: &str, spec: &Spec, length: u8| {
        let frame = patched(spec.request().build(), 16, &[0, length]);
        case(name, links.front, resummed(frame)).passes(Reason::BadLength)
    };
    let version =
        |name: &str, spec: &Spec, byte: u8| pass(name, spec, 14, &[byte], Reason::BadVersion);
    vec![
        version("IPv6 in a frame of type IPv4", &NAT_V4_TCP, 0x60),
        version("IPv4 in a frame of type IPv6", &NAT_V6_TCP, 0x45),
        version("version 15, IPv4", &NAT_V4_UDP, 0xf5),
        version("version 0, IPv6", &NAT_V6_UDP, 0x0b),
        bad("IPv4 header of 0 bytes", &NAT_V4_TCP, 14, &[0x40]),
        bad("IPv4 header of 16 bytes", &NAT_V4_TCP, 14, &[0x44]),
        bad("IPv4 length 0", &NAT_V4_TCP, 16, &[0, 0]),
        bad("IPv4 length below its header", &NAT_V4_TCP, 16, &[0, 19]),
        short("IPv4 length without room for TCP", &NAT_V4_TCP, 39),
        short("IPv4 length without room for UDP", &NAT_V4_UDP, 27),
        bad("IPv4 length a byte beyond the frame", &NAT_V4_TCP, 16, &[0, 53]),
        bad("IPv4 length 65535", &NAT_V4_UDP, 16, &[0xff, 0xff]),
        bad("IPv6 length 0", &NAT_V6_TCP, 18, &[0, 0]),
        bad("IPv6 length without room for TCP", &NAT_V6_TCP, 18, &[0, 19]),
        bad("IPv6 length without room for UDP", &NAT_V6_UDP, 18, &[0, 7]),
        bad("IPv6 length a byte beyond the frame", &NAT_V6_UDP, 18, &[0, 21]),
        bad("IPv6 length 65535", &NAT_V6_TCP, 18, &[0xff, 0xff]),
        bad("TCP header of 0 bytes, IPv4", &NAT_V4_TCP, 46, &[0x00]),
        bad("TCP header of 16 bytes, IPv4", &NAT_V4_TCP, 46, &[0x40]),
        bad("TCP header beyond the packet, IPv4", &NAT_V4_TCP, 46, &[0x90]),
        bad("TCP header of 16 bytes, IPv6", &NAT_V6_TCP, 66, &[0x40]),
        bad("TCP header of 60 bytes, IPv6", &NAT_V6_TCP, 66, &[0xf0]),
        bad("UDP length 0, IPv4", &NAT_V4_UDP, 38, &[0, 0]),
        bad("UDP length 7, IPv4", &NAT_V4_UDP, 38, &[0, 7]),
        bad("UDP length beyond the packet, IPv4", &NAT_V4_UDP, 38, &[0, 21]),
        bad("UDP length 7, IPv6", &NAT_V6_UDP, 58, &[0, 7]),
        bad("UDP length 65535, IPv6", &NAT_V6_UDP, 58, &[0xff, 0xff]),
        // The other direction is no less strict.
        case(
            "reply, length beyond the frame",
            links.back,
            patched(NAT_V4_TCP.reply(address(CLIENT_V4)).build(), 16, &[0, 53]),
        )
        .passes(Reason::BadLength),
    ]
}
