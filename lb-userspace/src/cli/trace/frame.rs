//! A packet in words: between whom, and what it is.

use std::fmt::Write as _;

use etherparse::{
    Icmpv4Type, Icmpv6Type, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice,
    TransportSlice,
};
use lb_common::wire::tunnel;

/// What the beginning of a frame says of it.
pub(super) fn words(bytes: &[u8]) -> String {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(bytes) else {
        return "no Ethernet header".to_owned();
    };
    let mut words = String::new();
    for extension in &packet.link_exts {
        if let LaxLinkExtSlice::Vlan(tag) = extension {
            _ = write!(words, "vlan {} ", tag.vlan_identifier().value());
        }
    }
    words + &ip(&packet)
}

/// From the IP header on.
fn ip(packet: &LaxSlicedPacket<'_>) -> String {
    let (source, destination, protocol) = match &packet.net {
        Some(LaxNetSlice::Ipv4(slice)) => {
            let header = slice.header();
            let protocol = slice.payload().ip_number;
            (header.source_addr().into(), header.destination_addr().into(), protocol)
        }
        Some(LaxNetSlice::Ipv6(slice)) => {
            let header = slice.header();
            let protocol = slice.payload().ip_number;
            (header.source_addr().into(), header.destination_addr().into(), protocol)
        }
        Some(LaxNetSlice::Arp(_)) => return "arp".to_owned(),
        None => return no_ip(packet),
    };
    let ends = |ports: Option<(u16, u16)>| between(source, destination, ports);
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let ports = (tcp.source_port(), tcp.destination_port());
            let names = [
                (tcp.syn(), " SYN"),
                (tcp.fin(), " FIN"),
                (tcp.rst(), " RST"),
                (tcp.psh(), " PSH"),
                (tcp.ack(), " ACK"),
            ];
            let flags: String = names.iter().filter(|(set, _)| *set).map(|(_, it)| *it).collect();
            format!("{} tcp{flags}", ends(Some(ports)))
        }
        Some(TransportSlice::Udp(udp)) => {
            let ports = (udp.source_port(), udp.destination_port());
            let inner = (ports.1 == tunnel::GUE_PORT).then(|| inside(udp.payload())).flatten();
            match inner {
                Some(inner) => format!("{} gue: {inner}", ends(Some(ports))),
                None => format!("{} udp", ends(Some(ports))),
            }
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            format!("{} icmp {}", ends(None), icmp_v4(&icmp.icmp_type()))
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            format!("{} icmp {}", ends(None), icmp_v6(&icmp.icmp_type()))
        }
        _ => other(packet, &ends(None), protocol.0),
    }
}

fn no_ip(packet: &LaxSlicedPacket<'_>) -> String {
    match &packet.link {
        Some(LinkSlice::Ethernet2(ethernet)) => format!("type 0x{:04x}", ethernet.ether_type().0),
        _ => "no IP".to_owned(),
    }
}

fn between(
    source: std::net::IpAddr,
    destination: std::net::IpAddr,
    ports: Option<(u16, u16)>,
) -> String {
    use std::net::SocketAddr;
    match ports {
        Some((from, to)) => {
            format!("{} > {}", SocketAddr::new(source, from), SocketAddr::new(destination, to))
        }
        None => format!("{source} > {destination}"),
    }
}

/// A packet in a packet, a later fragment, or a protocol that is not looked into.
fn other(packet: &LaxSlicedPacket<'_>, ends: &str, protocol: u8) -> String {
    let payload = packet.net.as_ref().and_then(LaxNetSlice::ip_payload_ref);
    if payload.is_some_and(|payload| payload.fragmented) {
        return format!("{ends} fragment of protocol {protocol}");
    }
    let inner = match (protocol, payload) {
        (tunnel::IPV4 | tunnel::IPV6, Some(payload)) => inside(payload.payload),
        _ => None,
    };
    match inner {
        Some(inner) => format!("{ends} ipip: {inner}"),
        None => format!("{ends} protocol {protocol}"),
    }
}

/// The packet inside a tunnel.
fn inside(bytes: &[u8]) -> Option<String> {
    LaxSlicedPacket::from_ip(bytes).ok().map(|packet| ip(&packet))
}

fn icmp_v4(kind: &Icmpv4Type) -> String {
    match kind {
        Icmpv4Type::EchoRequest(_) => "echo request".to_owned(),
        Icmpv4Type::EchoReply(_) => "echo reply".to_owned(),
        Icmpv4Type::DestinationUnreachable(header) => match header {
            etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu } => {
                format!("fragmentation needed, mtu {next_hop_mtu}")
            }
            other => format!("unreachable, code {}", other.code_u8()),
        },
        Icmpv4Type::TimeExceeded(_) => "time exceeded".to_owned(),
        Icmpv4Type::Unknown { type_u8, .. } => format!("type {type_u8}"),
        _ => "other".to_owned(),
    }
}

fn icmp_v6(kind: &Icmpv6Type) -> String {
    match kind {
        Icmpv6Type::EchoRequest(_) => "echo request".to_owned(),
        Icmpv6Type::EchoReply(_) => "echo reply".to_owned(),
        Icmpv6Type::DestinationUnreachable(code) => format!("unreachable, code {}", code.code_u8()),
        Icmpv6Type::PacketTooBig { mtu } => format!("packet too big, mtu {mtu}"),
        Icmpv6Type::TimeExceeded(_) => "time exceeded".to_owned(),
        other => format!("type {}", other.type_u8()),
    }
}
