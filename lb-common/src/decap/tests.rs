//! Inner packets come back as they were put in. Outer headers are the work of an independent packet
//! library; single malformed packets are in the packet-case table of the end-to-end tests.

use std::{net::IpAddr, vec, vec::Vec};

use etherparse::{EtherType, Ethernet2Header, Ipv4Header, Ipv6Header, UdpHeader, ip_number};
use proptest::prelude::*;

use super::{
    Reason, SOURCE_BITS, SOURCE_BITS_BEFORE_V4, SOURCE_BITS_BEFORE_V6, host::HostTables, process,
    source_key,
};
use crate::{
    abi::{Counter, Verdict},
    host::{HostFrame, addr_be},
    parse::Family,
};

const BALANCERS: [&str; 2] = ["192.0.2.1", "2001:db8:2::1"];
const BACKENDS: [&str; 2] = ["192.0.2.4", "2001:db8:2::4"];
const LINK: [[u8; 6]; 2] = [[0x02, 0, 0, 0, 0, 4], [0x02, 0, 0, 0, 0, 1]];

/// How a packet is put into another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tunnel {
    Ipip,
    /// Without a header of its own, and with an outer checksum or without.
    Gue1 {
        checksum: u16,
    },
    /// With a header.
    Gue0,
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tables() -> HostTables {
    HostTables {
        addresses: BACKENDS.map(|backend| addr_be(address(backend))).to_vec(),
        // Everybody.
        sources: vec![([0; 5], 0)],
        ..HostTables::default()
    }
}

/// An IP packet with a type of service, protocol, time to live and payload.
fn ip(
    [from, to]: [IpAddr; 2],
    [tos, protocol, ttl]: [u8; 3],
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("short payloads");
    let header = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let (from, to) = (from.octets(), to.octets());
            let mut header =
                Ipv4Header::new(0, ttl, protocol.into(), from, to).expect("an empty payload");
            header.options = options.try_into().expect("valid options");
            header.set_payload_len(payload.len()).expect("short payloads");
            header.dscp = (tos >> 2).try_into().expect("six bits");
            header.ecn = (tos & 3).try_into().expect("two bits");
            header.header_checksum = header.calc_header_checksum();
            header.to_bytes().to_vec()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => Ipv6Header {
            traffic_class: tos,
            hop_limit: ttl,
            payload_length: length,
            next_header: protocol.into(),
            source: from.octets(),
            destination: to.octets(),
            ..Ipv6Header::default()
        }
        .to_bytes()
        .to_vec(),
        _ => panic!("one family"),
    };
    [&header, payload].concat()
}

fn frame(packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let header = Ethernet2Header { destination: LINK[0], source: LINK[1], ether_type };
    [&header.to_bytes()[..], packet].concat()
}

/// A packet in a tunnel to a backend.
fn encapsulated(tunnel: Tunnel, outer: usize, tos: u8, inner: &[u8]) -> Vec<u8> {
    let ends = [address(BALANCERS[outer]), address(BACKENDS[outer])];
    let protocol = if inner[0] >> 4 == 4 { ip_number::IPV4.0 } else { ip_number::IPV6.0 };
    let udp = |checksum, payload: &[u8]| {
        let length = u16::try_from(8 + payload.len()).expect("short payloads");
        let (source_port, destination_port) = (54_321, 6080);
        let header = UdpHeader { source_port, destination_port, length, checksum };
        ip(ends, [tos, 17, 64], &[], &[&header.to_bytes()[..], payload].concat())
    };
    match tunnel {
        Tunnel::Ipip => ip(ends, [tos, protocol, 64], &[], inner),
        Tunnel::Gue1 { checksum } => udp(checksum, inner),
        Tunnel::Gue0 => udp(0, &[&[0, protocol, 0, 0], inner].concat()),
    }
}

fn run(tables: &HostTables, frame: Vec<u8>) -> (Verdict, Reason, Vec<u8>) {
    tables.counters.borrow_mut().clear();
    let bytes = frame.len() as u64;
    let mut frame = HostFrame::new(frame, 1);
    let verdict = process(&mut frame, tables);
    let counters = tables.counters.take();
    let [(reason, counter)] = counters.into_iter().collect::<Vec<_>>()[..] else {
        panic!("not one reason was counted")
    };
    assert_eq!(counter, Counter { packets: 1, bytes });
    (verdict, reason, frame.into_bytes())
}

fn tunnels() -> impl Strategy<Value = Tunnel> {
    prop_oneof![
        Just(Tunnel::Ipip),
        any::<u16>().prop_map(|checksum| Tunnel::Gue1 { checksum }),
        Just(Tunnel::Gue0)
    ]
}

/// Any IP packet, of either family.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let v4 = (any::<[[u8; 4]; 2]>(), prop::collection::vec(Just(1_u8), 0..=10));
    let payload = || prop::collection::vec(any::<u8>(), 0..200);
    // Congestion marks have a test of their own.
    let fields = || any::<[u8; 3]>().prop_map(|[tos, protocol, ttl]| [tos & !3, protocol, ttl]);
    prop_oneof![
        (v4, fields(), payload()).prop_map(|((ends, options), fields, payload)| {
            let options = [options.as_slice(); 4].concat();
            ip(ends.map(IpAddr::from), fields, &options, &payload)
        }),
        (any::<[[u8; 16]; 2]>(), fields(), payload()).prop_map(|(ends, fields, payload)| ip(
            ends.map(IpAddr::from),
            fields,
            &[],
            &payload
        )),
    ]
}

proptest! {
    #[test]
    fn every_inner_packet_comes_back(
        inner in packets(),
        tunnel in tunnels(),
        outer in 0..2_usize,
        tos in any::<u8>(),
        padding in 0..60_usize,
    ) {
        let mut bytes = frame(&encapsulated(tunnel, outer, tos & !3, &inner));
        let padding = vec![0xee; padding];
        bytes.extend_from_slice(&padding);
        let (verdict, reason, left) = run(&tables(), bytes);
        prop_assert_eq!((verdict, reason), (Verdict::Pass, Reason::Decapsulated));
        // Padding of the frame stays behind the packet, where the kernel cuts it off.
        prop_assert_eq!(left, [frame(&inner), padding].concat());
    }

    #[test]
    fn whatever_is_not_decapsulated_stays_as_it_is(
        inner in packets(),
        tunnel in tunnels(),
        outer in 0..2_usize,
        changes in prop::collection::vec((12..70_usize, any::<u8>()), 1..4),
        length in 0..300_usize,
    ) {
        let mut bytes = frame(&encapsulated(tunnel, outer, 0, &inner));
        for (at, byte) in changes {
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
        }
        bytes.truncate(length);
        let (verdict, reason, left) = run(&tables(), bytes.clone());
        match reason {
            Reason::Decapsulated => prop_assert!(left.len() < bytes.len()),
            Reason::CongestionLoss => prop_assert_eq!(verdict, Verdict::Drop),
            _ => prop_assert_eq!((verdict, left), (Verdict::Pass, bytes)),
        }
    }

    #[test]
    fn noise_is_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (verdict, _, left) = run(&tables(), bytes.clone());
        prop_assert_eq!((verdict, left), (Verdict::Pass, bytes));
    }
}

#[test]
fn a_frame_cut_anywhere_passes() {
    let inner = ip(["198.51.100.7", "198.51.100.10"].map(address), [0, 6, 64], &[], &[7; 20]);
    for tunnel in [Tunnel::Ipip, Tunnel::Gue1 { checksum: 0 }, Tunnel::Gue0] {
        for outer in 0..2 {
            let whole = frame(&encapsulated(tunnel, outer, 0, &inner));
            for length in 0..whole.len() {
                let cut = whole[..length].to_vec();
                let (verdict, reason, left) = run(&tables(), cut.clone());
                assert_eq!((verdict, left), (Verdict::Pass, cut), "{tunnel:?} cut to {length}");
                let expected = [Reason::Truncated, Reason::BadLength];
                assert!(expected.contains(&reason), "{tunnel:?} cut to {length}: {reason:?}");
            }
        }
    }
}

/// RFC 6040 figure 4, row by row of the inner mark: Not-ECT, ECT(1), ECT(0), CE; in a row the outer
/// marks in the same order.
#[test]
fn congestion_marks_leave_the_tunnel_by_the_table_of_rfc_6040() {
    const TABLE: [[Option<u8>; 4]; 4] = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3), Some(3), Some(3), Some(3)],
    ];
    let families = [["198.51.100.7", "198.51.100.10"], ["2001:db8:1::7", "2001:db8:1::10"]];
    for (inner, row) in (0_u8..).zip(TABLE) {
        for (outer, expected) in (0_u8..).zip(row) {
            for ends in families {
                for outer_family in 0..2 {
                    let packet = |ecn| ip(ends.map(address), [0xb8 | ecn, 6, 64], &[], b"data");
                    let arriving = encapsulated(Tunnel::Ipip, outer_family, outer, &packet(inner));
                    let (verdict, reason, left) = run(&tables(), frame(&arriving));
                    let Some(ecn) = expected else {
                        assert_eq!(reason, Reason::CongestionLoss);
                        assert_eq!(verdict, Verdict::Drop);
                        continue;
                    };
                    assert_eq!(reason, Reason::Decapsulated);
                    assert_eq!(left, frame(&packet(ecn)), "inner {inner}, outer {outer}");
                }
            }
        }
    }
}

#[test]
fn damage_in_the_inner_header_stays_visible() {
    let ends = ["198.51.100.7", "198.51.100.10"].map(address);
    let mut damaged = ip(ends, [2, 6, 64], &[], b"data");
    damaged[8] ^= 0x10;
    let mut marked = ip(ends, [3, 6, 64], &[], b"data");
    marked[8] ^= 0x10;
    let arriving = frame(&encapsulated(Tunnel::Ipip, 0, 3, &damaged));
    assert_eq!(run(&tables(), arriving).2, frame(&marked));
}

#[test]
fn sources_are_compared_by_family_and_prefix() {
    let v4 = |text, length| (Family::V4, text, SOURCE_BITS_BEFORE_V4 + length);
    let v6 = |text, length| (Family::V6, text, SOURCE_BITS_BEFORE_V6 + length);
    let cases = [
        (v4("192.0.2.1", 32), [true, false]),
        (v4("192.0.2.2", 32), [false, false]),
        (v4("192.0.2.0", 24), [true, false]),
        (v4("0.0.0.0", 0), [true, false]),
        (v6("2001:db8:2::1", 128), [false, true]),
        (v6("2001:db8:3::", 48), [false, false]),
        (v6("2001:db8::", 32), [false, true]),
        // Of no IPv4 packet, although the address is IPv4-mapped in the tables.
        (v6("::", 0), [false, true]),
    ];
    let inner = ip(["198.51.100.7", "198.51.100.10"].map(address), [0, 6, 64], &[], b"data");
    for ((family, text, bits), expected) in cases {
        let key = source_key(family, &addr_be(address(text)));
        let tables = HostTables { sources: vec![(key, bits)], ..tables() };
        for (outer, allowed) in expected.into_iter().enumerate() {
            let frame = frame(&encapsulated(Tunnel::Ipip, outer, 0, &inner));
            let (_, reason, left) = run(&tables, frame.clone());
            let expected = if allowed { Reason::Decapsulated } else { Reason::SourceNotAllowed };
            assert_eq!(reason, expected, "{text}/{bits} and outer {outer}");
            assert_eq!(left == frame, !allowed);
        }
    }
    assert_eq!(SOURCE_BITS, SOURCE_BITS_BEFORE_V4 + 32);
    assert_eq!(SOURCE_BITS, SOURCE_BITS_BEFORE_V6 + 128);
}
