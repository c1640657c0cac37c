//! Any ends and lengths, against packets that an independent library builds from scratch. The table of
//! packet cases in the `tests` crate has all kinds of messages.

use std::{net::SocketAddr, vec::Vec};

use etherparse::{
    IpHeaders, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6Header, PacketBuilder,
    PacketBuilderStep, icmpv4, icmpv6, ip_number,
};
use proptest::prelude::*;

use super::{Ends, Refusal, echo_reply, refuse, translate};
use crate::{
    host::{HostFrame, endpoint},
    parse::rare::{Work, network, quoted},
    rewrite::Hop,
    wire::transport::{TCP, UDP},
};

const LINK: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// Addresses and ports of one family.
fn ends<const N: usize>() -> impl Strategy<Value = [SocketAddr; N]> {
    let v4 = any::<[([u8; 4], u16); N]>().prop_map(|ends| ends.map(SocketAddr::from));
    // The first byte: no address that is IPv4's.
    let v6 = any::<[([u8; 16], u16); N]>().prop_map(|ends| {
        ends.map(|(mut octets, port)| {
            octets[0] = 0x20;
            SocketAddr::from((octets, port))
        })
    });
    prop_oneof![v4, v6]
}

/// Type and code of a message of each family.
type Kinds = [(u8, u8); 2];

fn ip([from, to]: [SocketAddr; 2], ttl: u8, class: u8) -> PacketBuilderStep<IpHeaders> {
    let headers = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let (from, to) = (from.ip().octets(), to.ip().octets());
            let header = Ipv4Header::new(0, ttl, ip_number::TCP, from, to).expect("no payload");
            let dscp = (class >> 2).try_into().expect("six bits");
            IpHeaders::Ipv4(Ipv4Header { dscp, ..header }, Ipv4Extensions::default())
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let header = Ipv6Header {
                traffic_class: class,
                hop_limit: ttl,
                source: from.ip().octets(),
                destination: to.ip().octets(),
                ..Ipv6Header::default()
            };
            IpHeaders::Ipv6(header, Ipv6Extensions::default())
        }
        _ => unreachable!("one family"),
    };
    PacketBuilder::ethernet2(LINK[0], LINK[1]).ip(headers)
}

/// A frame with a segment or datagram.
fn packet(ends: [SocketAddr; 2], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ([from, to], ip) = (ends.map(|end| end.port()), ip(ends, 60, 0));
    let written = if protocol == TCP {
        ip.tcp(from, to, 7, 9).ack(1).write(&mut bytes, payload)
    } else {
        ip.udp(from, to).write(&mut bytes, payload)
    };
    written.expect("a vector takes everything");
    bytes
}

/// A frame with an ICMP message.
fn message(
    ends: [SocketAddr; 2],
    ttl: u8,
    class: u8,
    [v4, v6]: Kinds,
    rest: [u8; 4],
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ip = ip(ends, ttl, class);
    let written = if ends[0].is_ipv4() {
        ip.icmpv4_raw(v4.0, v4.1, rest).write(&mut bytes, payload)
    } else {
        ip.icmpv6_raw(v6.0, v6.1, rest).write(&mut bytes, payload)
    };
    written.expect("a vector takes everything");
    bytes
}

/// What is read of a frame, with its quote if it has one.
fn read(frame: &HostFrame, quotes: bool) -> Work {
    let mut work = Work::default();
    network(frame, &mut work.network).expect("a packet");
    if quotes {
        quoted(frame, &work.network.packet, &mut work.quoted).expect("a quote");
    }
    work
}

/// The same from the other end of the link.
fn turned(mut bytes: Vec<u8>) -> Vec<u8> {
    let (to, from) = bytes.split_at_mut(6);
    to.swap_with_slice(&mut from[..6]);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_translated_error_is_as_if_it_had_been_sent_so(
        [sender, other_sender, from, to, other_from, other_to] in ends::<6>(),
        protocol in prop_oneof![Just(TCP), Just(UDP)],
        payload in prop::collection::vec(any::<u8>(), 0..60),
        // Half a checksum cannot be mended.
        quoted_bytes in prop_oneof![Just(4_usize), Just(8), 18..80_usize],
        hop in prop_oneof![Just(Hop::Here), Just(Hop::Later)],
    ) {
        let ip_header = if from.is_ipv4() { 20 } else { 40 };
        let length = 14 + ip_header + quoted_bytes;
        let error = |sender, [from, to]: [SocketAddr; 2], ttl| {
            let about = packet([from, to], protocol, &payload);
            let about = about.get(14..length).unwrap_or(&about[14..]);
            message([sender, from], ttl, 0, [(3, 0), (1, 0)], [1, 2, 3, 4], about)
        };
        let mut frame = HostFrame::new(error(sender, [from, to], 60), 1);
        let work = read(&frame, true);
        let [source, quoted_source, quoted_destination] =
            [other_sender, other_from, other_to].map(|end| endpoint(end, 0));
        let ends = Ends {
            source: &source.addr_be,
            destination: &quoted_source.addr_be,
            quoted_source: (&quoted_source.addr_be, quoted_source.port_be),
            quoted_destination: (&quoted_destination.addr_be, quoted_destination.port_be),
        };
        translate(&mut frame, &work.network.packet, &work.quoted, &ends, hop).expect("whole");
        let ttl = if hop == Hop::Here { 59 } else { 60 };
        let expected = error(other_sender, [other_from, other_to], ttl);
        prop_assert_eq!(frame.bytes(), expected);
    }

    #[test]
    fn a_refusal_quotes_whole_words_up_to_128_bytes(
        ends in ends::<2>(),
        protocol in prop_oneof![Just(TCP), Just(UDP)],
        payload in prop::collection::vec(any::<u8>(), 0..200),
        padding in 0..30_usize,
        most in prop::option::of(any::<u16>()),
    ) {
        let mut bytes = packet(ends, protocol, &payload);
        let quoted = (bytes.len() - 14).min(128) / 4 * 4;
        let (kinds, rest, refusal) = match most {
            Some(most) => ([(3, 4), (2, 0)], u32::from(most), Refusal::TooBig(most.into())),
            None => ([(11, 0), (3, 0)], 0, Refusal::TtlExpired),
        };
        let [from, to] = ends;
        let about = bytes[14..14 + quoted].to_vec();
        bytes.extend(std::vec![0xee; padding]);
        let mut frame = HostFrame::new(bytes, 1);
        let packet = read(&frame, false).network.packet;
        refuse(&mut frame, &packet, refusal).expect("room");
        let expected = message([to, from], 64, 0xc0, kinds, rest.to_be_bytes(), &about);
        prop_assert_eq!(frame.bytes(), turned(expected));
    }

    #[test]
    fn an_echo_reply_is_as_if_it_had_been_sent_so(
        [from, to] in ends::<2>(),
        rest: [u8; 4],
        payload in prop::collection::vec(any::<u8>(), 0..60),
        ttl: u8,
    ) {
        let requests = [(icmpv4::TYPE_ECHO_REQUEST, 0), (icmpv6::TYPE_ECHO_REQUEST, 0)];
        let replies = [(icmpv4::TYPE_ECHO_REPLY, 0), (icmpv6::TYPE_ECHO_REPLY, 0)];
        let mut frame = HostFrame::new(message([from, to], ttl, 0, requests, rest, &payload), 1);
        let packet = read(&frame, false).network.packet;
        echo_reply(&mut frame, &packet).expect("whole");
        prop_assert_eq!(frame.bytes(), turned(message([to, from], 64, 0, replies, rest, &payload)));
    }
}
