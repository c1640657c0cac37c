//! Checksums at their edges, and those that were wrong before.

use lb_common::abi::{Reason, Verdict};

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links},
    packet::{Message, Packet, patched},
    services::{
        CLIENT_V4, DSR_V4_TCP, NAT_V4_TCP, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address,
        full_nat::FULL_V4_UDP, icmp::Report, tunnels::IPIP_46,
    },
};

/// Where the checksums stand in the frame.
const IP: usize = 24;
const TCP_V4: usize = 34 + 16;
const TCP_V6: usize = 54 + 16;
const UDP_V4: usize = 34 + 6;
const UDP_V6: usize = 54 + 6;

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let forward = |name: &str, spec: &Spec, input: Vec<u8>, expected: Vec<u8>| {
        let back = Verdict::Redirect { ifindex: links.back };
        case(name, links.front, input).forwards(back, spec, expected)
    };
    let valid = |name: &str, spec: &Spec, packet: &Packet| {
        forward(name, spec, packet.build(), spec.delivered(packet).build())
    };
    // The packet library never leaves out a checksum; zeros are put in afterwards.
    let without = |name: &str, spec: &Spec, at: usize| {
        let (input, expected) = (spec.request(), spec.delivered(&spec.request()));
        let zeros = |packet: &Packet| patched(packet.build(), at, &[0, 0]);
        forward(name, spec, zeros(&input), zeros(&expected))
    };
    // One byte of the payload differs from what the checksum was computed over.
    let wrong = |name: &str, spec: &Spec| {
        let (input, expected) = (spec.request(), spec.delivered(&spec.request()));
        let damaged = |packet: &Packet| {
            let frame = packet.build();
            let last = frame.len() - 1;
            patched(frame, last, b"?")
        };
        forward(name, spec, damaged(&input), damaged(&expected))
    };
    // The identification changes, the checksum over it does not.
    let wrong_ip = |name: &str, packet: Packet, ingress: u32| {
        let damaged = patched(packet.build(), 18, &[0x43, 0x21]);
        case(name, ingress, damaged).passes(Reason::BadChecksum)
    };
    let (client, vip) = (NAT_V4_TCP.request().from.ip(), NAT_V4_TCP.vip().ip());
    let echo = Packet::of_icmp(client, vip, Message::new(8, 0, 1), b"echo");
    let error = Report::new(NAT_V4_TCP.request(), client, Message::new(3, 3, 0));
    let [first, _, last] = NAT_V4_UDP.request().fragments();
    let (nat4, udp4) = (&NAT_V4_TCP, &NAT_V4_UDP);
    let (nat6, udp6) = (&NAT_V6_TCP, &NAT_V6_UDP);
    let same = |packet: &Packet| packet.clone();
    let mut cases = vec![
        valid("TCP checksum 0 before, IPv4", nat4, &with(nat4, TCP_V4, 0, same)),
        valid("TCP checksum 0 before, IPv6", nat6, &with(nat6, TCP_V6, 0, same)),
        valid("TCP checksum 0 after, IPv4", nat4, &with(nat4, TCP_V4, 0, |p| nat4.delivered(p))),
        valid("TCP checksum 0 after, IPv6", nat6, &with(nat6, TCP_V6, 0, |p| nat6.delivered(p))),
        valid("TCP checksum fffe after", nat4, &with(nat4, TCP_V4, 0xfffe, |p| nat4.delivered(p))),
        valid("UDP checksum ffff before, IPv4", udp4, &with(udp4, UDP_V4, 0xffff, same)),
        valid("UDP checksum ffff before, IPv6", udp6, &with(udp6, UDP_V6, 0xffff, same)),
        valid(
            "UDP checksum ffff after, IPv4",
            udp4,
            &with(udp4, UDP_V4, 0xffff, |p| udp4.delivered(p)),
        ),
        valid(
            "UDP checksum ffff after, IPv6",
            udp6,
            &with(udp6, UDP_V6, 0xffff, |p| udp6.delivered(p)),
        ),
        without("no UDP checksum, IPv4", udp4, UDP_V4),
        // Forbidden but for tunnels (RFC 6936); the receiver decides.
        without("no UDP checksum, IPv6", udp6, UDP_V6),
        wrong("wrong TCP checksum, IPv4", nat4),
        wrong("wrong TCP checksum, IPv6", nat6),
        wrong("wrong UDP checksum, IPv4", udp4),
        wrong("wrong UDP checksum, IPv6", udp6),
        wrong_ip("wrong IPv4 header checksum, nat", nat4.request(), links.front),
        wrong_ip("wrong IPv4 header checksum, dsr", DSR_V4_TCP.request(), links.front),
        wrong_ip("wrong IPv4 header checksum, ipip", IPIP_46.request(), links.front),
        wrong_ip("wrong IPv4 header checksum, full-nat", FULL_V4_UDP.request(), links.front),
        wrong_ip("wrong IPv4 header checksum, reply", nat4.reply(address(CLIENT_V4)), links.back),
        wrong_ip("wrong IPv4 header checksum, options", nat4.request().options(1), links.front),
        wrong_ip(
            "wrong IPv4 header checksum, most options",
            udp4.request().options(10),
            links.front,
        ),
        wrong_ip("wrong IPv4 header checksum, echo", echo, links.front),
        wrong_ip("wrong IPv4 header checksum, error", error.to_service(), links.front),
        wrong_ip("wrong IPv4 header checksum, first fragment", first, links.front),
        wrong_ip("wrong IPv4 header checksum, last fragment", last, links.front),
        wrong_ip("wrong IPv4 header checksum, TTL 1", nat4.request().ttl(1), links.front),
    ];
    for (what, spec) in [("nat", &NAT_V4_TCP), ("dsr", &DSR_V4_TCP)] {
        let name = |when: &str| format!("{what}: IPv4 header checksum 0 {when}");
        cases.push(valid(&name("before"), spec, &with_id(spec, same)));
        cases.push(valid(&name("after"), spec, &with_id(spec, |p| spec.delivered(p))));
    }
    cases.push(reply_without(links));
    cases
}

fn reply_without(links: &Links) -> Case {
    let packet = NAT_V4_UDP.reply(address(CLIENT_V4));
    let zeros = |packet: &Packet| patched(packet.build(), UDP_V4, &[0, 0]);
    case("reply without UDP checksum", links.back, zeros(&packet)).returns(
        Verdict::Redirect { ifindex: links.front },
        &NAT_V4_UDP,
        zeros(&NAT_V4_UDP.returned(&packet, CLIENT_MAC)),
    )
}

/// A packet to the service whose payload is such that the word at an offset of it, or of what
/// becomes of it, has a value.
fn with(spec: &Spec, at: usize, value: u16, becomes: impl Fn(&Packet) -> Packet) -> Packet {
    let packets = (0..=u16::MAX).map(|word| spec.request().payload(word.to_be_bytes()));
    search(packets, at, value, becomes)
}

/// The same for the IPv4 header checksum, by the identification.
fn with_id(spec: &Spec, becomes: impl Fn(&Packet) -> Packet) -> Packet {
    let packets = (0..=u16::MAX).map(|id| Packet { id, ..spec.request() });
    search(packets, IP, 0, becomes)
}

fn search(
    mut packets: impl Iterator<Item = Packet>,
    at: usize,
    value: u16,
    becomes: impl Fn(&Packet) -> Packet,
) -> Packet {
    let found = packets.find(|packet| {
        let frame = becomes(packet).build();
        frame.get(at..at + 2) == Some(&value.to_be_bytes())
    });
    found.expect("every value but one can be reached by one word")
}
