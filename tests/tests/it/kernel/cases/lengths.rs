//! Headers that contradict the frame or each other, and those that are not understood: options,
//! fragments, extension headers. All pass untouched: the kernel knows better.

use etherparse::{
    IpFragOffset, IpHeaders, Ipv4Extensions, Ipv4Header, Ipv4Options, Ipv6Extensions,
    Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, PacketBuilder, ip_number,
};
use lb_common::abi::Reason;

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, FRONT_MAC, Links},
    packet::patched,
    services::{
        CLIENT_V4, CLIENT_V6, NAT_V4_TCP, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address,
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = contradictions(links.front);
    cases.extend(not_understood(links.front));
    cases.extend(backends_fragments(links.back));
    cases
}

fn contradictions(ingress: u32) -> Vec<Case> {
    // The payload is 12 bytes: 52 bytes of IPv4 with TCP, 20 of UDP.
    let pass = |name: &str, spec: &Spec, at: usize, bytes: &[u8], reason| {
        case(name, ingress, patched(spec.request().build(), at, bytes)).passes(reason)
    };
    let bad = |name: &str, spec: &Spec, at: usize, bytes: &[u8]| {
        pass(name, spec, at, bytes, Reason::BadLength)
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
        bad("IPv4 length without room for TCP", &NAT_V4_TCP, 16, &[0, 39]),
        bad("IPv4 length without room for UDP", &NAT_V4_UDP, 16, &[0, 27]),
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
    ]
}

fn not_understood(ingress: u32) -> Vec<Case> {
    let pass = |name: &str, ip: IpHeaders, reason| {
        let link = PacketBuilder::ethernet2(CLIENT_MAC, FRONT_MAC);
        let mut frame = Vec::new();
        let written = link.ip(ip).udp(40_000, 53).write(&mut frame, b"a question");
        written.expect("a vector takes everything");
        case(name, ingress, frame).passes(reason)
    };
    let v4 = |name: &str, header: Ipv4Header, reason| {
        pass(name, IpHeaders::Ipv4(header, Ipv4Extensions::default()), reason)
    };
    let v6 = |name: &str, extensions: Ipv6Extensions| {
        pass(name, IpHeaders::Ipv6(ipv6(), extensions), Reason::OtherProtocol)
    };
    let options = |options: &[u8]| Ipv4Options::try_from(options).expect("words");
    let offset = |offset| IpFragOffset::try_new(offset).expect("13 bits");
    let hop_by_hop = Ipv6RawExtHeader::new_raw(ip_number::UDP, &[1, 4, 0, 0, 0, 0]);
    let hop_by_hop = hop_by_hop.expect("a whole header");
    let fragment = |at, more| Ipv6FragmentHeader::new(ip_number::UDP, offset(at), more, 7);
    vec![
        v4(
            "IPv4 options of one word",
            Ipv4Header { options: options(&[1, 1, 1, 0]), ..ipv4() },
            Reason::Ipv4Options,
        ),
        v4(
            "IPv4 options of ten words",
            Ipv4Header { options: options(&[1; 40]), ..ipv4() },
            Reason::Ipv4Options,
        ),
        v4("first fragment, IPv4", Ipv4Header { more_fragments: true, ..ipv4() }, Reason::Fragment),
        v4(
            "middle fragment, IPv4",
            Ipv4Header { more_fragments: true, fragment_offset: offset(185), ..ipv4() },
            Reason::Fragment,
        ),
        v4(
            "last fragment, IPv4",
            Ipv4Header { fragment_offset: offset(0x1fff), ..ipv4() },
            Reason::Fragment,
        ),
        v6(
            "hop-by-hop options",
            Ipv6Extensions {
                hop_by_hop_options: Some(hop_by_hop.clone()),
                ..Ipv6Extensions::default()
            },
        ),
        v6(
            "destination options",
            Ipv6Extensions { destination_options: Some(hop_by_hop), ..Ipv6Extensions::default() },
        ),
        v6(
            "first fragment, IPv6",
            Ipv6Extensions { fragment: Some(fragment(0, true)), ..Ipv6Extensions::default() },
        ),
        v6(
            "last fragment, IPv6",
            Ipv6Extensions { fragment: Some(fragment(185, false)), ..Ipv6Extensions::default() },
        ),
    ]
}

fn ipv4() -> Ipv4Header {
    let header = Ipv4Header::new(0, 64, ip_number::UDP, [198, 51, 100, 7], [192, 0, 2, 10]);
    Ipv4Header { dont_fragment: false, ..header.expect("an empty payload") }
}

fn ipv6() -> Ipv6Header {
    let octets = |at: &str| match address(at).ip() {
        std::net::IpAddr::V6(ip) => ip.octets(),
        std::net::IpAddr::V4(_) => unreachable!("an IPv6 address"),
    };
    Ipv6Header {
        hop_limit: 64,
        source: octets(CLIENT_V6),
        destination: octets("[2001:db8:10::10]:53"),
        ..Ipv6Header::default()
    }
}

/// The other direction is no less strict.
fn backends_fragments(ingress: u32) -> [Case; 2] {
    let reply = NAT_V4_TCP.reply(address(CLIENT_V4)).build();
    [
        case("reply, first fragment", ingress, patched(reply.clone(), 20, &[0x20, 0]))
            .passes(Reason::Fragment),
        case("reply, length beyond the frame", ingress, patched(reply, 16, &[0, 53]))
            .passes(Reason::BadLength),
    ]
}
