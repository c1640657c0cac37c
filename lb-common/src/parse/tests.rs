//! What is accepted and what is not. Valid packets come from an independent packet library.

use std::{net::SocketAddr, vec, vec::Vec};

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::{Family, Packet, Stop, parse};
use crate::{
    abi::Reason,
    host::{HostFrame, endpoint},
    wire::{
        Frame,
        transport::{TCP, UDP},
    },
};

const V4: [&str; 2] = ["198.51.100.7:40000", "192.0.2.10:80"];
const V6: [&str; 2] = ["[2001:db8::7]:40000", "[2001:db8:10::10]:443"];
const PAYLOAD: &[u8] = b"hello";

/// A valid frame between two addresses of one family; TCP is a SYN.
fn frame([from, to]: [&str; 2], protocol: u8) -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let (from, to): (SocketAddr, SocketAddr) = (address(from), address(to));
    let ip = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            link.ipv4(from.ip().octets(), to.ip().octets(), 64)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            link.ipv6(from.ip().octets(), to.ip().octets(), 64)
        }
        _ => panic!("one family"),
    };
    let mut bytes = Vec::new();
    let written = if protocol == TCP {
        ip.tcp(from.port(), to.port(), 1, 1024).syn().write(&mut bytes, PAYLOAD)
    } else {
        ip.udp(from.port(), to.port()).write(&mut bytes, PAYLOAD)
    };
    written.expect("it fits");
    bytes
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn parsed(bytes: &[u8]) -> Result<Packet, Stop> {
    parse(&HostFrame::new(bytes.to_vec(), 1))
}

/// A frame with some bytes replaced.
fn patched(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.splice(at..at + new.len(), new.iter().copied());
    bytes
}

/// The same, with the checksum of an IPv4 header as it should be.
fn resummed(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let bytes = patched(&patched(bytes, at, new), 24, &[0; 2]);
    let (words, _) = bytes[14..34].as_chunks();
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = u16::try_from(sum % 0xffff).expect("below");
    patched(&bytes, 24, &(!folded).to_be_bytes())
}

fn all() -> [([&'static str; 2], u8); 4] {
    [(V4, TCP), (V4, UDP), (V6, TCP), (V6, UDP)]
}

#[test]
fn every_field_is_read() {
    for (ends, protocol) in all() {
        let bytes = frame(ends, protocol);
        let [from, to] = ends.map(|end| endpoint(address(end), protocol));
        let packet = parsed(&bytes).expect("a valid packet");
        assert_eq!((packet.source(), packet.destination()), (from, to));
        assert_eq!(
            (packet.protocol, packet.ttl, packet.opens_flow),
            (protocol, 64, protocol == TCP)
        );
        assert_eq!(usize::from(packet.ip_len), bytes.len() - 14);
        let (family, transport) = if ends == V4 { (Family::V4, 34) } else { (Family::V6, 54) };
        assert_eq!((packet.family, packet.transport()), (family, transport));
        let (flow, reverse) = (packet.flow(), packet.reverse_flow());
        assert_eq!((flow.src_be, flow.src_port_be), (from.addr_be, from.port_be));
        assert_eq!((flow.dst_be, flow.dst_port_be), (to.addr_be, to.port_be));
        assert_eq!((reverse.src_be, reverse.src_port_be), (to.addr_be, to.port_be));
        assert_eq!((reverse.dst_be, reverse.dst_port_be), (from.addr_be, from.port_be));
    }
}

#[test]
fn only_a_syn_without_ack_opens_a_flow() {
    for (ends, at) in [(V4, 47), (V6, 67)] {
        for flags in 0..=u8::MAX {
            let bytes = patched(&frame(ends, TCP), at, &[flags]);
            let opens = parsed(&bytes).map(|packet| packet.opens_flow);
            assert_eq!(opens, Ok(flags & 0x12 == 0x02), "flags {flags:#x}");
        }
    }
}

/// Cut at every byte: inside the IP header the frame is truncated; behind it, the length in the IP
/// header tells more than there is.
#[test]
fn a_frame_cut_anywhere_is_refused() {
    for (ends, protocol) in all() {
        let bytes = frame(ends, protocol);
        let ip_header = if ends == V4 { 34 } else { 54 };
        for cut in 0..bytes.len() {
            let expected = if cut < ip_header { Reason::Truncated } else { Reason::BadLength };
            let found = parsed(bytes.get(..cut).unwrap_or_default());
            // The common path is for frames that have room for ports.
            let short = ends == V4 && (14..38).contains(&cut);
            let expected = if short { Stop::Rare } else { Stop::Pass(expected) };
            assert_eq!(found, Err(expected), "{ends:?} cut to {cut} bytes");
        }
    }
}

/// Cut at every byte of the transport header, with IP lengths that agree with the frame.
#[test]
fn a_packet_too_short_for_its_transport_header_is_refused() {
    for (ends, protocol) in all() {
        let bytes = frame(ends, protocol);
        let (ip_header, at, counted) = if ends == V4 { (34, 16, 20) } else { (54, 18, 0) };
        let header = if protocol == TCP { 20 } else { 8 };
        for length in 0..header {
            let claim = u16::try_from(counted + length).expect("a small number");
            let bytes = patched(&bytes, at, &claim.to_be_bytes());
            let bytes = if ends == V4 { resummed(&bytes, 14, &[0x45]) } else { bytes };
            let cut = bytes.get(..ip_header + length).unwrap_or_default();
            let bad = Err(Stop::Pass(Reason::BadLength));
            let found = if cut.len() < 38 { Err(Stop::Rare) } else { bad };
            assert_eq!(parsed(cut), found, "{ends:?}: {length} bytes");
            // The same with the rest of the frame as padding, which is no part of the packet.
            assert_eq!(parsed(&bytes), bad, "{ends:?}: {length} bytes, padded");
        }
    }
}

#[test]
fn what_cannot_be_balanced_is_refused_with_its_reason() {
    let (tcp4, udp4, tcp6, udp6) = (frame(V4, TCP), frame(V4, UDP), frame(V6, TCP), frame(V6, UDP));
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10];
    for (what, bytes, reason) in [
        ("ARP", patched(&tcp4, 12, &[0x08, 0x06]), Reason::NotIp),
        ("QinQ by another name", patched(&tcp4, 12, &[0x91, 0x00]), Reason::NotIp),
        ("802.3 length", patched(&tcp4, 12, &[0x00, 0x2d]), Reason::NotIp),
        ("IPv4 in an IPv6 frame", patched(&tcp6, 14, &[0x45]), Reason::BadVersion),
        ("IPv6 in an IPv4 frame", patched(&tcp4, 14, &[0x60]), Reason::BadVersion),
        ("version 0", patched(&tcp4, 14, &[0x05]), Reason::BadVersion),
        ("header length 0", patched(&tcp4, 14, &[0x40]), Reason::BadLength),
        ("header length 16", patched(&tcp4, 14, &[0x44]), Reason::BadLength),
        ("total length 19", patched(&tcp4, 16, &[0, 19]), Reason::BadLength),
        ("total length + 1", patched(&tcp4, 16, &[0, 46]), Reason::BadLength),
        ("total length 65535", patched(&tcp4, 16, &[255, 255]), Reason::BadLength),
        ("payload length + 1", patched(&tcp6, 18, &[0, 26]), Reason::BadLength),
        ("payload length 65535", patched(&tcp6, 18, &[255, 255]), Reason::BadLength),
        ("payload length 0", patched(&tcp6, 18, &[0, 0]), Reason::BadLength),
        ("SCTP", resummed(&tcp4, 23, &[132]), Reason::OtherProtocol),
        ("wrong checksum", patched(&tcp4, 18, &[0x43, 0x21]), Reason::BadChecksum),
        ("SCTP, IPv6", patched(&tcp6, 20, &[132]), Reason::OtherProtocol),
        ("authentication header", patched(&tcp6, 20, &[51]), Reason::OtherProtocol),
        ("data offset 16", patched(&tcp4, 46, &[0x40]), Reason::BadLength),
        ("data offset 28", patched(&tcp4, 46, &[0x70]), Reason::BadLength),
        ("data offset 16, IPv6", patched(&tcp6, 66, &[0x40]), Reason::BadLength),
        ("data offset 60, IPv6", patched(&tcp6, 66, &[0xf0]), Reason::BadLength),
        ("UDP length 7", patched(&udp4, 38, &[0, 7]), Reason::BadLength),
        ("UDP length + 1", patched(&udp4, 38, &[0, 14]), Reason::BadLength),
        ("UDP length 0, IPv6", patched(&udp6, 58, &[0, 0]), Reason::BadLength),
        ("mapped source", patched(&tcp6, 22, &mapped), Reason::NotOurs),
        ("mapped destination", patched(&tcp6, 38, &mapped), Reason::NotOurs),
    ] {
        assert_eq!(parsed(&bytes), Err(Stop::Pass(reason)), "{what}");
    }
}

#[test]
fn what_may_be_balanced_but_is_rare_is_left_to_others() {
    let (tcp4, tcp6) = (frame(V4, TCP), frame(V6, TCP));
    for (what, bytes) in [
        ("VLAN tag", patched(&tcp4, 12, &[0x81, 0x00])),
        ("tag of a provider", patched(&tcp6, 12, &[0x88, 0xa8])),
        ("options", patched(&tcp4, 14, &[0x46])),
        ("most options", patched(&tcp4, 14, &[0x4f])),
        ("first fragment", patched(&tcp4, 20, &[0x20, 0])),
        ("last fragment", patched(&tcp4, 20, &[0, 1])),
        ("far fragment", patched(&tcp4, 20, &[0x1f, 0xff])),
        ("ICMP", resummed(&tcp4, 23, &[1])),
        ("ICMPv6", patched(&tcp6, 20, &[58])),
        ("hop-by-hop options", patched(&tcp6, 20, &[0])),
        ("routing header", patched(&tcp6, 20, &[43])),
        ("IPv6 fragment", patched(&tcp6, 20, &[44])),
        ("destination options", patched(&tcp6, 20, &[60])),
    ] {
        assert_eq!(parsed(&bytes), Err(Stop::Rare), "{what}");
    }
}

#[test]
fn what_is_unusual_but_sound_is_accepted() {
    let (tcp4, udp4, tcp6) = (frame(V4, TCP), frame(V4, UDP), frame(V6, TCP));
    let padded = |bytes: &[u8]| bytes.iter().copied().chain(vec![0; 20]).collect::<Vec<_>>();
    for (what, bytes) in [
        ("padding behind the packet", padded(&tcp4)),
        ("padding behind the packet, IPv6", padded(&tcp6)),
        ("may be fragmented", resummed(&tcp4, 20, &[0, 0])),
        ("reserved flag", resummed(&tcp4, 20, &[0x80, 0])),
        ("traffic class and flow label", patched(&tcp6, 14, &[0x6f, 0xff, 0xff, 0xff])),
        ("header to the last byte", resummed(&tcp4, 16, &[0, 40])),
        ("TCP options", patched(&tcp4, 46, &[0x60])),
        ("datagram shorter than the packet", patched(&udp4, 38, &[0, 8])),
        ("ports 0", patched(&udp4, 34, &[0; 4])),
    ] {
        assert!(parsed(&bytes).is_ok(), "{what}: {:?}", parsed(&bytes));
    }
}

/// Bytes that get past the first checks more often than chance.
fn nearly_packets() -> impl Strategy<Value = Vec<u8>> {
    let starts = prop_oneof![
        Just(vec![]),
        Just([&[0; 12][..], &[0x08, 0x00, 0x45]].concat()),
        Just([&[0; 12][..], &[0x86, 0xdd, 0x60]].concat()),
        Just(frame(V4, TCP)),
        Just(frame(V6, UDP)),
    ];
    (starts, prop::collection::vec(any::<u8>(), 0..120), 0..80_usize).prop_map(
        |(mut bytes, random, cut)| {
            bytes.truncate(bytes.len().max(15).saturating_sub(cut).max(15));
            bytes.extend(random);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_accepted_lies_within_the_frame(bytes in nearly_packets()) {
        let length = bytes.len();
        let frame = HostFrame::new(bytes, 1);
        if let Ok(packet) = parse(&frame) {
            let header = if packet.protocol == TCP { 20 } else { 8 };
            let end = 14 + usize::from(packet.ip_len);
            prop_assert!(end <= length && packet.transport() + header <= end);
            prop_assert!([TCP, UDP].contains(&packet.protocol));
            prop_assert_eq!(frame.len(), length);
        }
    }

    #[test]
    fn one_changed_byte_never_panics(at in 0..60_usize, byte: u8, which in 0..4_usize) {
        let frames = all().map(|(ends, protocol)| frame(ends, protocol));
        let bytes = frames.get(which).map(|bytes| patched(bytes, at.min(bytes.len() - 1), &[byte]));
        _ = parsed(&bytes.unwrap_or_default());
    }
}
