//! Rewriting one end gives the packet that an independent library builds with that end.

use std::{
    net::{IpAddr, SocketAddr},
    vec::Vec,
};

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::{End, Hop, decrement_ttl, end, link};
use crate::{
    host::{HostFrame, addr_be},
    parse::parse,
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

#[test]
fn link_addresses_are_the_first_12_bytes() {
    let mut frame = HostFrame::new((0..20).collect(), 1);
    let new = [[0xa0, 0xa1, 0xa2, 0xa3], [0xb0, 0xb1, 0xb2, 0xb3], [0xc0, 0xc1, 0xc2, 0xc3]];
    let done = link(&mut frame, &new.map(u32::from_ne_bytes));
    assert_eq!(done, Some(()));
    assert_eq!(frame.into_bytes(), [&new.concat()[..], &[12, 13, 14, 15, 16, 17, 18, 19]].concat());
}

/// A frame that ends before a field is never written behind its end.
#[test]
fn a_short_frame_is_refused() {
    let link_of = |length: usize| {
        let mut frame = HostFrame::new(std::vec![0; length], 1);
        link(&mut frame, &[1, 2, 3])
    };
    assert_eq!([0, 11, 12].map(link_of), [None, None, Some(())]);
}
