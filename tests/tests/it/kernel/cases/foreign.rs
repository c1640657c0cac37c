//! What is none of our business passes untouched.

use etherparse::{
    ArpHardwareId, ArpOperation, ArpPacket, EtherType, IpHeaders, Ipv4Extensions, Ipv4Header,
    PacketBuilder, ip_number,
};
use lb_common::{
    abi::Reason,
    wire::transport::{TCP, UDP},
};

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, FRONT_MAC, Links},
    packet::patched,
    services::{NAT_V4_TCP, NAT_V6_TCP, address},
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let pass = |name: &str, frame: Vec<u8>, reason| case(name, links.front, frame).passes(reason);
    let other = |name: &str, frame: Vec<u8>| pass(name, frame, Reason::NotOurs);
    let (v4, v6) = (NAT_V4_TCP.request(), NAT_V6_TCP.request());
    let typed = |hi, lo| patched(v4.build(), 12, &[hi, lo]);
    let mapped = |text: &str| address(&format!("[::ffff:{text}]:{}", v4.to.port()));
    vec![
        other("another address, IPv4", v4.clone().to(address("192.0.2.11:80")).build()),
        other("another address, IPv6", v6.clone().to(address("[2001:db8:10::11]:80")).build()),
        other("another port, IPv4", v4.clone().destination_port(81).build()),
        other("another port, IPv6", v6.clone().destination_port(81).build()),
        other("another protocol", v4.clone().protocol(UDP).build()),
        other("from the service itself", v4.clone().from(v4.to).to(v4.from).build()),
        other("the balancer's own address", v4.clone().to(address("198.51.100.1:80")).build()),
        other("an IPv4 service in IPv6 disguise", v6.clone().to(mapped("192.0.2.10")).build()),
        other(
            "an IPv4 backend in IPv6 disguise",
            v6.clone().from(mapped("203.0.113.11")).source_port(8080).build(),
        ),
        pass("ARP", arp(), Reason::NotIp),
        pass("LLDP", typed(0x88, 0xcc), Reason::NotIp),
        pass("MPLS", typed(0x88, 0x47), Reason::NotIp),
        pass("spanning tree: a length in place of the type", typed(0x00, 0x26), Reason::NotIp),
        pass("GRE to the service", ip(ip_number::GRE.0), Reason::OtherProtocol),
        pass("SCTP to the service", ip(ip_number::SCTP.0), Reason::OtherProtocol),
        pass("IPIP to the service", ip(ip_number::IPV4.0), Reason::OtherProtocol),
        pass("protocol 255 to the service", ip(255), Reason::OtherProtocol),
        pass("protocol 5, before TCP", ip(TCP - 1), Reason::OtherProtocol),
    ]
}

const CLIENT: [u8; 4] = [198, 51, 100, 7];
const VIP: [u8; 4] = [192, 0, 2, 10];

fn arp() -> Vec<u8> {
    let request = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &CLIENT_MAC,
        &CLIENT,
        &[0; 6],
        &VIP,
    );
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, [0xff; 6]);
    let written = builder.arp(request.expect("addresses of one length")).write(&mut frame);
    written.expect("a vector takes everything");
    frame
}

/// An IPv4 packet of another protocol whose first bytes look like the ports of the service.
fn ip(protocol: u8) -> Vec<u8> {
    let ports_and_more = [0x9c, 0x40, 0, 80, 0, 28, 0, 0, 0, 0, 0, 0, 0x50, 0x02];
    let header = Ipv4Header::new(0, 64, protocol.into(), CLIENT, VIP).expect("an empty payload");
    let link = PacketBuilder::ethernet2(CLIENT_MAC, FRONT_MAC);
    let mut frame = Vec::new();
    let packet = link.ip(IpHeaders::Ipv4(header, Ipv4Extensions::default()));
    let written = packet.write(&mut frame, protocol.into(), &ports_and_more);
    written.expect("a vector takes everything");
    frame
}
