//! Rewriting gives the packet that an independent library builds with the new ends, or around the
//! old packet.

use std::{
    net::{IpAddr, SocketAddr},
    vec::Vec,
};

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, PacketBuilder,
    UdpHeader, ip_number,
};
use proptest::prelude::*;

use super::{End, Hop, Tunnel, both, decrement_ttl, encapsulate, end};
use crate::{
    host::{HostFrame, addr_be},
    parse::parse,
    wire::write_link,
};

/// What a packet consists of, as far as rewriting goes.
#[derive(Clone, Debug)]
struct Parts {
    from: SocketAddr,
    to: SocketAddr,
    ttl: u8,
    tcp: bool,
    payload: Vec<u8>,
}

impl Parts {
    fn build(&self) -> Vec<u8> {
        let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let ip = match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                link.ipv4(from.ip().octets(), to.ip().octets(), self.ttl)
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                link.ipv6(from.ip().octets(), to.ip().octets(), self.ttl)
            }
            _ => panic!("one family"),
        };
        let mut bytes = Vec::new();
        let written = if self.tcp {
            let tcp = ip.tcp(self.from.port(), self.to.port(), 7, 1024).ack(9);
            tcp.write(&mut bytes, &self.payload)
        } else {
            ip.udp(self.from.port(), self.to.port()).write(&mut bytes, &self.payload)
        };
        written.expect("it fits");
        bytes
    }
}

/// Three addresses of one family, and the rest of a packet from the first to the second.
fn parts() -> impl Strategy<Value = (Parts, SocketAddr)> {
    let v4 = any::<([u8; 4], [u8; 4], [u8; 4])>().prop_map(|(a, b, c)| [a, b, c].map(IpAddr::from));
    // No mapped addresses: these are not parsed.
    let v6 = any::<([u8; 15], [u8; 15], [u8; 15])>().prop_map(|(a, b, c)| {
        [a, b, c].map(|tail| {
            let mut octets = [0x20; 16];
            octets.iter_mut().skip(1).zip(tail).for_each(|(octet, byte)| *octet = byte);
            IpAddr::from(octets)
        })
    });
    let addresses = prop_oneof![v4, v6];
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    (addresses, any::<[u16; 3]>(), 1..=u8::MAX, any::<bool>(), payload).prop_map(
        |([from, to, other], ports, ttl, tcp, payload)| {
            let [from, to, other] = [(from, ports[0]), (to, ports[1]), (other, ports[2])];
            (Parts { from: from.into(), to: to.into(), ttl, tcp, payload }, other.into())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_rewritten_end_equals_a_new_packet(
        (parts, other) in parts(),
        source: bool,
        here: bool,
    ) {
        let bytes = parts.build();
        let mut expected = parts.clone();
        let (which, replaced) = if source {
            (End::Source, &mut expected.from)
        } else {
            (End::Destination, &mut expected.to)
        };
        *replaced = other;
        expected.ttl -= u8::from(here);
        let mut frame = HostFrame::new(bytes, 1);
        let packet = parse(&frame).expect("a valid packet");
        let hop = if here { Hop::Here } else { Hop::Later };
        let done =
            end(&mut frame, &packet, which, &addr_be(other.ip()), other.port().to_be(), hop);
        prop_assert_eq!(done, Some(()));
        prop_assert_eq!(frame.into_bytes(), expected.build());
    }

    #[test]
    fn a_counted_down_ttl_equals_a_new_packet((parts, _) in parts()) {
        let bytes = parts.build();
        let mut frame = HostFrame::new(bytes, 1);
        let packet = parse(&frame).expect("a valid packet");
        prop_assert_eq!(decrement_ttl(&mut frame, &packet), Some(()));
        prop_assert_eq!(frame.into_bytes(), Parts { ttl: parts.ttl - 1, ..parts }.build());
    }
}

/// Headers around a packet.
#[derive(Clone, Debug)]
struct Around {
    from: IpAddr,
    to: IpAddr,
    hash: u32,
    class: u8,
    gue: bool,
}

impl Around {
    /// The frame from its type on: the link addresses are another's business.
    fn build(&self, inner: &[u8], inner_v4: bool) -> Vec<u8> {
        let mut payload = Vec::new();
        let mut protocol = if inner_v4 { ip_number::IPV4 } else { ip_number::IPV6 };
        if self.gue {
            let udp = UdpHeader {
                source_port: 0xc000 + u16::try_from(self.hash >> 18).expect("14 bits"),
                destination_port: 6080,
                length: u16::try_from(8 + inner.len()).expect("it fits"),
                checksum: 0,
            };
            udp.write(&mut payload).expect("it fits");
            protocol = ip_number::UDP;
        }
        payload.extend_from_slice(inner);
        let mut bytes = self.ip(protocol, payload.len());
        bytes.extend_from_slice(&payload);
        bytes
    }

    fn ip(&self, protocol: IpNumber, length: usize) -> Vec<u8> {
        let length = u16::try_from(length).expect("it fits");
        let mut link = Ethernet2Header { ether_type: EtherType::IPV4, ..Default::default() };
        let mut bytes = Vec::new();
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let header = Ipv4Header::new(length, 64, protocol, from.octets(), to.octets());
                let mut header = header.expect("it fits");
                header.dscp = (self.class >> 2).try_into().expect("six bits");
                header.ecn = (self.class & 3).try_into().expect("two bits");
                header.header_checksum = header.calc_header_checksum();
                assert!(header.dont_fragment, "the library's own choice");
                link.write(&mut bytes).expect("it fits");
                header.write(&mut bytes).expect("it fits");
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                link.ether_type = EtherType::IPV6;
                let header = Ipv6Header {
                    traffic_class: self.class,
                    flow_label: Ipv6FlowLabel::try_new(self.hash % (1 << 20)).expect("20 bits"),
                    payload_length: length,
                    next_header: protocol,
                    hop_limit: 64,
                    source: from.octets(),
                    destination: to.octets(),
                };
                link.write(&mut bytes).expect("it fits");
                header.write(&mut bytes).expect("it fits");
            }
            _ => panic!("one family"),
        }
        bytes.split_off(12)
    }
}

fn around() -> impl Strategy<Value = Around> {
    let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| [IpAddr::from(a), IpAddr::from(b)]);
    let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| [IpAddr::from(a), IpAddr::from(b)]);
    (prop_oneof![v4, v6], any::<(u32, u8, bool)>())
        .prop_map(|([from, to], (hash, class, gue))| Around { from, to, hash, class, gue })
}

/// Gives a frame a traffic class, and the checksum that it has with it.
fn classify(mut bytes: Vec<u8>, class: u8) -> Vec<u8> {
    if bytes[12..14] == [0x86, 0xdd] {
        bytes[14] = 0x60 | class >> 4;
        bytes[15] = bytes[15] & 0x0f | class << 4;
        return bytes;
    }
    bytes[15] = class;
    let (header, _) = Ipv4Header::from_slice(&bytes[14..]).expect("an IPv4 header");
    bytes[24..26].copy_from_slice(&header.calc_header_checksum().to_be_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn two_rewritten_ends_equal_a_new_packet(
        (parts, other) in parts(),
        port: u16,
        swapped: bool,
        here: bool,
    ) {
        let bytes = parts.build();
        let mut expected = parts.clone();
        // Another end, and one that was the other's before.
        (expected.from, expected.to) = if swapped {
            (other, (parts.from.ip(), port).into())
        } else {
            ((parts.to.ip(), port).into(), other)
        };
        expected.ttl -= u8::from(here);
        let mut frame = HostFrame::new(bytes, 1);
        let packet = parse(&frame).expect("a valid packet");
        let hop = if here { Hop::Here } else { Hop::Later };
        let (from, to) = (addr_be(expected.from.ip()), addr_be(expected.to.ip()));
        let source = (&from, expected.from.port().to_be());
        let destination = (&to, expected.to.port().to_be());
        prop_assert_eq!(both(&mut frame, &packet, source, destination, hop), Some(()));
        prop_assert_eq!(frame.into_bytes(), expected.build());
    }

    #[test]
    fn a_packet_stands_unchanged_behind_new_headers(
        (parts, _) in parts(),
        around in around(),
        padding in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let plain = classify(parts.build(), around.class);
        let mut frame = HostFrame::new([plain.clone(), padding.clone()].concat(), 1);
        let packet = parse(&frame).expect("a valid packet");
        let tunnel = Tunnel { outer_v4: around.from.is_ipv4(), gue: around.gue };
        let (from, to) = (addr_be(around.from), addr_be(around.to));
        let done = encapsulate(&mut frame, &packet, tunnel, &from, &to, around.hash);
        prop_assert_eq!(done, Some(()));
        let found = frame.into_bytes();
        let added = found.len() - plain.len() - padding.len();
        prop_assert_eq!(u32::try_from(added).ok(), Some(tunnel.overhead()));
        let expected = around.build(&plain[14..], parts.from.is_ipv4());
        prop_assert_eq!(&found[12..], &[expected, padding].concat()[..]);
    }
}

#[test]
fn without_room_in_front_nothing_is_changed() {
    let [from, to] =
        ["198.51.100.7:1000", "192.0.2.10:80"].map(|text| text.parse().expect("valid"));
    let parts = Parts { from, to, ttl: 9, tcp: true, payload: Vec::new() };
    let bytes = parts.build();
    for (outer_v4, gue) in [(true, false), (false, false), (true, true), (false, true)] {
        let tunnel = Tunnel { outer_v4, gue };
        let room = usize::try_from(tunnel.overhead()).expect("few bytes");
        let put = |headroom: usize| {
            let mut frame = HostFrame::new(bytes.clone(), 1).with_headroom(headroom);
            let packet = parse(&frame).expect("a valid packet");
            let done = encapsulate(&mut frame, &packet, tunnel, &[1; 4], &[2; 4], 3);
            (done, frame.into_bytes())
        };
        assert_eq!(put(room - 1), (None, bytes.clone()), "{tunnel:?}");
        assert_eq!(put(room).0, Some(()), "{tunnel:?}");
    }
}

#[test]
fn link_addresses_are_the_first_12_bytes() {
    let mut frame = HostFrame::new((0..20).collect(), 1);
    let new = [[0xa0, 0xa1, 0xa2, 0xa3], [0xb0, 0xb1, 0xb2, 0xb3], [0xc0, 0xc1, 0xc2, 0xc3]];
    let done = write_link(&mut frame, &new.map(u32::from_ne_bytes));
    assert_eq!(done, Some(()));
    assert_eq!(frame.into_bytes(), [&new.concat()[..], &[12, 13, 14, 15, 16, 17, 18, 19]].concat());
}

/// A frame that ends before a field is never written behind its end.
#[test]
fn a_short_frame_is_refused() {
    let link_of = |length: usize| {
        let mut frame = HostFrame::new(std::vec![0; length], 1);
        write_link(&mut frame, &[1, 2, 3])
    };
    assert_eq!([0, 11, 12].map(link_of), [None, None, Some(())]);
}
