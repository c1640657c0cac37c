//! `ipip` and `gue`: the backend unpacks what the client sent, one hop older.

use std::{net::SocketAddr, vec::Vec};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, UdpHeaderSlice, ip_number};
use proptest::prelude::*;

use super::{
    FRONT, address,
    scene::{Kind, VIPS, backend, client, packet, run, run_at, service},
};
use crate::{
    abi::{ForwardMode, Reason, Tracking, Verdict},
    host::{HostFrame, HostTables},
};

/// Tables whose backends are of the other family than their VIP, if so wished.
fn tables(mode: ForwardMode, crossed: bool) -> HostTables {
    let mut tables = service(mode, Tracking::None);
    if crossed {
        for (id, other) in [(1, 11), (11, 1)] {
            tables.backends.insert(id, backend(other));
        }
    }
    tables
}

/// Bytes of the headers in front of the inner packet.
fn overhead(mode: ForwardMode, outer_v4: bool) -> usize {
    (if outer_v4 { 20 } else { 40 }) + if mode == ForwardMode::Gue { 8 } else { 0 }
}

/// The packet within, after an independent library has read what is around it.
fn unpacked(frame: &[u8], mode: ForwardMode, outer_v4: bool, inner_v4: bool) -> Vec<u8> {
    let ip = &frame[14..];
    let (protocol, payload) = if outer_v4 {
        assert_eq!(frame[12..14], [0x08, 0x00]);
        let header = Ipv4HeaderSlice::from_slice(ip).expect("an IPv4 header").to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(usize::from(header.total_len), ip.len());
        assert!(header.dont_fragment && header.time_to_live == 64);
        (header.protocol, &ip[20..])
    } else {
        assert_eq!(frame[12..14], [0x86, 0xdd]);
        let header = Ipv6HeaderSlice::from_slice(ip).expect("an IPv6 header").to_header();
        assert_eq!(usize::from(header.payload_length), ip.len() - 40);
        assert_eq!(header.hop_limit, 64);
        (header.next_header, &ip[40..])
    };
    if mode == ForwardMode::Ipip {
        assert_eq!(protocol, if inner_v4 { ip_number::IPV4 } else { ip_number::IPV6 });
        return payload.to_vec();
    }
    assert_eq!(protocol, ip_number::UDP);
    let udp = UdpHeaderSlice::from_slice(payload).expect("a UDP header");
    assert_eq!((udp.destination_port(), udp.checksum()), (6080, 0));
    assert!(udp.source_port() >= 49_152);
    assert_eq!(usize::from(udp.length()), payload.len());
    payload[8..].to_vec()
}

#[test]
fn what_does_not_fit_with_its_headers_is_too_big() {
    for (mode, crossed) in pairs() {
        let tables = tables(mode, crossed);
        for vip in VIPS.map(address) {
            let headers = if vip.is_ipv4() { 28 } else { 48 };
            let room = 1500 - headers - overhead(mode, vip.is_ipv4() != crossed);
            let sent = |payload: usize| {
                let payload = std::vec![7; payload];
                run(&tables, packet(Kind::Udp, client(vip, 7, 1000), vip, 64, &payload)).reason
            };
            assert_eq!(sent(room), Reason::Forwarded);
            assert_eq!(sent(room + 1), Reason::TooBig);
        }
    }
}

#[test]
fn a_driver_without_room_loses_the_packet_and_says_so() {
    for (mode, crossed) in pairs() {
        let tables = tables(mode, crossed);
        for vip in VIPS.map(address) {
            let needed = overhead(mode, vip.is_ipv4() != crossed);
            let sent = |headroom: usize| {
                let frame = packet(Kind::Udp, client(vip, 7, 1000), vip, 64, b"data");
                run_at(&tables, HostFrame::new(frame, FRONT).with_headroom(headroom))
            };
            assert_eq!(sent(needed).reason, Reason::Forwarded);
            let lost = sent(needed - 1);
            assert_eq!((lost.verdict, lost.reason), (Verdict::Drop, Reason::NoHeadroom));
            assert_eq!((lost.service, lost.backend), (1, 0));
        }
    }
}

/// The service's port is the client's business: the backend's own does not matter.
fn pairs() -> [(ForwardMode, bool); 4] {
    let (ipip, gue) = (ForwardMode::Ipip, ForwardMode::Gue);
    [(ipip, false), (ipip, true), (gue, false), (gue, true)]
}

fn sent() -> impl Strategy<Value = (SocketAddr, SocketAddr, Kind, u8, Vec<u8>)> {
    let kind = prop_oneof![Just(Kind::Syn), Just(Kind::Data), Just(Kind::Udp)];
    let payload = prop::collection::vec(any::<u8>(), 0..60);
    (0_usize..2, any::<u8>(), any::<u16>(), kind, 2..=u8::MAX, payload).prop_map(
        |(family, host, port, kind, ttl, payload)| {
            let vip = address(VIPS[family]);
            (client(vip, host, port), vip, kind, ttl, payload)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_backend_gets_what_the_client_sent(
        (from, vip, kind, ttl, payload) in sent(),
        pair in 0_usize..4,
    ) {
        let (mode, crossed) = pairs()[pair];
        let done = run(&tables(mode, crossed), packet(kind, from, vip, ttl, &payload));
        prop_assert_eq!(done.reason, Reason::Forwarded);
        let outer_v4 = vip.is_ipv4() != crossed;
        let inner = unpacked(&done.frame, mode, outer_v4, vip.is_ipv4());
        let expected = packet(kind, from, vip, ttl - 1, &payload);
        prop_assert_eq!(&inner[..], &expected[14..]);
    }
}
