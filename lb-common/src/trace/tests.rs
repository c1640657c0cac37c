//! Which packets a filter wants, by their own bytes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, vec, vec::Vec};

use etherparse::PacketBuilder;

use super::{
    BOTH, Capture, DESTINATION, EndFilter, Ending, Ends, Filter, Record, SOURCE, filter::ANY_REASON,
};
use crate::{
    abi::{AddrBe, Backend, Reason},
    host::addr_be,
    limits::trace::SNAP,
    wire::{icmp, transport},
};

const CLIENT: &str = "198.51.100.7:40000";
const VIP: &str = "192.0.2.10:80";
const BACKEND: &str = "172.17.0.4:1001";

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn addr(text: &str) -> AddrBe {
    addr_be(text.parse().unwrap())
}

/// A TCP segment without options, behind so many VLAN tags.
fn frame(from: &str, to: &str, tags: usize) -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let mut frame = Vec::new();
    match (socket(from), socket(to)) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => link
            .ipv4(from.ip().octets(), to.ip().octets(), 64)
            .tcp(from.port(), to.port(), 1, 1024)
            .write(&mut frame, b"payload"),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => link
            .ipv6(from.ip().octets(), to.ip().octets(), 64)
            .tcp(from.port(), to.port(), 1, 1024)
            .write(&mut frame, b"payload"),
        _ => panic!("two families"),
    }
    .unwrap();
    for id in 0..u8::try_from(tags).unwrap() {
        let kind = frame[12..14].to_vec();
        frame.splice(12..14, [0x81, 0, 0, id, kind[0], kind[1]]);
    }
    frame
}

fn copied(frame: &[u8]) -> [u8; SNAP] {
    // What an earlier packet left there.
    let mut bytes = [0xaa; SNAP];
    let most = frame.len().min(SNAP);
    bytes[..most].copy_from_slice(&frame[..most]);
    bytes
}

fn len(frame: &[u8]) -> u32 {
    u32::try_from(frame.len()).unwrap()
}

fn ends(frame: &[u8]) -> Ends {
    let mut ends = Ends { src_port_be: 7, has_ports: 1, ..Ends::default() };
    ends.read(&copied(frame), len(frame));
    ends
}

/// A packet of service 3 that was rewritten on its way.
fn capture(before: &[u8], after: &[u8], reason: Reason) -> Capture {
    let record = Record {
        time: 0,
        ingress: 0,
        egress: 9,
        service: 9,
        backend: 9,
        before_len: 0,
        after_len: 0,
        backend_be: [9; 4],
        backend_port_be: 9,
        reason: 99,
        ending: 99,
        _pad: 0,
        before: copied(before),
        after: copied(after),
    };
    let none = Ends::default();
    let mut capture =
        Capture { record, before: none, after: none, active: 1, action: 0, drops: 9, _pad: 0 };
    capture.begin(17, 2, len(before));
    capture.counted(3, reason);
    let backend =
        Backend { addr_be: addr("172.17.0.4"), port_be: 1001_u16.to_be(), ..Backend::default() };
    capture.ended(reason.is_delivery(), reason.is_drop());
    capture.read_before();
    capture.read_after(len(after));
    capture.name_backend((reason == Reason::Forwarded).then_some(&backend));
    capture
}

fn forwarded() -> Capture {
    capture(&frame(CLIENT, VIP, 0), &frame(CLIENT, BACKEND, 0), Reason::Forwarded)
}

fn end(sides: u8, prefix: Option<(&str, u32)>, port: u16) -> EndFilter {
    let (addr_be, bits) = prefix.map_or(([0; 4], 0), |(text, bits)| (addr(text), bits));
    let v6 = prefix.is_some_and(|(text, _)| text.contains(':'));
    let bits = if prefix.is_some() && !v6 { bits + 96 } else { bits };
    let mask_be = core::array::from_fn(|word| {
        let bits = bits.saturating_sub(32 * u32::try_from(word).unwrap()).min(32);
        u32::MAX.checked_shl(32 - bits).unwrap_or(0).to_be()
    });
    let is_v6 = u8::from(v6);
    let addr_be = core::array::from_fn(|word: usize| {
        let mask: [u32; 4] = mask_be;
        addr_be[word] & mask[word]
    });
    EndFilter { mask_be, addr_be, port_be: port.to_be(), sides, is_v6 }
}

fn wants(conditions: &[EndFilter], packet: &Capture) -> bool {
    let mut filter = Filter::all(0);
    filter.ends[..conditions.len()].copy_from_slice(conditions);
    filter.wants(packet)
}

#[test]
fn ends_are_read_behind_tags() {
    let pairs = [(CLIENT, VIP), ("[2001:db8:1::7]:40000", "[2001:db8::10]:80")];
    for (from, to) in pairs {
        for tags in 0..=2 {
            let ends = ends(&frame(from, to, tags));
            assert_eq!(ends.src_be, addr_be(socket(from).ip()), "{from}, {tags} tags");
            assert_eq!(ends.dst_be, addr_be(socket(to).ip()));
            assert_eq!((ends.src_port_be, ends.dst_port_be), (40_000_u16.to_be(), 80_u16.to_be()));
            assert_eq!((ends.protocol, ends.has_addresses, ends.has_ports), (transport::TCP, 1, 1));
        }
        assert_eq!(ends(&frame(from, to, 3)), Ends::default(), "three tags");
    }
}

#[test]
fn ends_are_read_behind_options_and_extensions() {
    let mut v4 = frame(CLIENT, VIP, 1);
    v4[18] = 0x4f;
    v4.splice(38..38, vec![0; 40]);
    assert_eq!(ends(&v4).dst_port_be, 80_u16.to_be());

    let mut v6 = frame("[2001:db8:1::7]:40000", "[2001:db8::10]:80", 0);
    v6[20] = 0;
    // Hop by hop, destination options of 16 bytes, a first fragment.
    let extensions = [
        &[60, 0, 0, 0, 0, 0, 0, 0][..],
        &[44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[transport::TCP, 0, 0, 1, 0, 0, 0, 7],
    ];
    v6.splice(54..54, extensions.concat());
    let found = ends(&v6);
    assert_eq!((found.protocol, found.dst_port_be), (transport::TCP, 80_u16.to_be()));
    // The second fragment.
    v6[54 + 24 + 3] = 9;
    let found = ends(&v6);
    assert_eq!((found.protocol, found.has_addresses, found.has_ports), (transport::TCP, 1, 0));
}

#[test]
fn what_is_not_there_is_not_read() {
    let whole = frame(CLIENT, VIP, 0);
    for cut in 0..whole.len() {
        let ends = ends(&whole[..cut]);
        assert_eq!(ends.has_addresses == 1, cut >= 34, "{cut} bytes");
        assert_eq!(ends.has_ports == 1, cut >= 38, "{cut} bytes");
    }
    let mut fragment = whole.clone();
    fragment[21] = 5;
    assert_eq!((ends(&fragment).has_addresses, ends(&fragment).has_ports), (1, 0));
    let mut arp = whole;
    arp[12..14].copy_from_slice(&[8, 6]);
    assert_eq!(ends(&arp), Ends::default());
    // A packet that is longer than what was copied of it, with its ports behind that.
    let mut far = frame("[2001:db8:1::7]:40000", "[2001:db8::10]:80", 0);
    (far[20], far[54], far[55]) = (0, transport::TCP, 0xff);
    far.resize(3000, 0);
    assert_eq!((ends(&far).has_addresses, ends(&far).has_ports), (1, 0));
}

#[test]
fn an_address_is_found_on_either_side_before_and_after() {
    let packet = forwarded();
    for (text, sides) in [
        ("198.51.100.7", [true, true, false]),
        ("192.0.2.10", [true, false, true]),
        ("172.17.0.4", [true, false, true]),
        ("172.17.0.5", [false, false, false]),
    ] {
        for (side, expected) in [BOTH, SOURCE, DESTINATION].into_iter().zip(sides) {
            assert_eq!(
                wants(&[end(side, Some((text, 32)), 0)], &packet),
                expected,
                "{text} {side}"
            );
        }
    }
    for (port, expected) in [(40_000, true), (80, true), (1001, true), (443, false)] {
        assert_eq!(wants(&[end(BOTH, None, port)], &packet), expected, "port {port}");
    }
    // Of one end, both must hold; of several conditions, all.
    assert!(!wants(&[end(BOTH, Some(("198.51.100.7", 32)), 80)], &packet));
    let client = end(BOTH, Some(("198.51.100.7", 32)), 0);
    assert!(wants(&[client, end(BOTH, None, 80)], &packet));
    assert!(!wants(&[client, end(BOTH, None, 443)], &packet));
    assert!(!wants(&[end(BOTH, None, 80), client, client, end(SOURCE, None, 80)], &packet));
}

#[test]
fn a_prefix_is_of_one_family() {
    let v6 = (frame("[2001:db8:1::7]:1", "[2001:db8::10]:80", 0), Reason::NotOurs);
    let v6 = capture(&v6.0, &v6.0, v6.1);
    for (prefix, bits, of_v4, of_v6) in [
        ("198.51.100.0", 24, true, false),
        ("198.51.101.0", 24, false, false),
        ("0.0.0.0", 0, true, false),
        ("::", 0, false, true),
        ("2001:db8::", 32, false, true),
        ("2001:db8::", 63, false, true),
        ("2001:db8:2::", 48, false, false),
    ] {
        let condition = [end(BOTH, Some((prefix, bits)), 0)];
        assert_eq!(wants(&condition, &forwarded()), of_v4, "{prefix}/{bits}");
        assert_eq!(wants(&condition, &v6), of_v6, "{prefix}/{bits}");
    }
}

#[test]
fn names_are_compared() {
    let packet = forwarded();
    assert_eq!(packet.record.ending, Ending::Forwarded as u8);
    let all = Filter::all(0);
    let (backend_be, backend_port_be) = (addr("172.17.0.4"), 1001_u16.to_be());
    for (filter, expected) in [
        (all, true),
        (Filter { service: 3, ..all }, true),
        (Filter { service: 4, ..all }, false),
        (Filter { reason: Reason::Forwarded as u8, ..all }, true),
        (Filter { reason: Reason::Returned as u8, ..all }, false),
        (Filter { ending: Ending::Forwarded as u8, ..all }, true),
        (Filter { ending: Ending::Dropped as u8, ..all }, false),
        (Filter { protocol: transport::TCP, ..all }, true),
        (Filter { protocol: icmp::V4, ..all }, false),
        (Filter { backend_be, backend_port_be, ..all }, true),
        (Filter { backend_be, backend_port_be: 80_u16.to_be(), ..all }, false),
        (Filter { backend_be: addr("172.17.0.5"), backend_port_be, ..all }, false),
    ] {
        assert_eq!(filter.wants(&packet), expected, "{filter:?}");
    }
    assert_eq!(all.reason, ANY_REASON);
}

#[test]
fn icmp_is_of_both_versions() {
    let mut frame = frame("[2001:db8:1::7]:1", "[2001:db8::10]:80", 0);
    frame[20] = icmp::V6;
    let packet = capture(&frame, &frame, Reason::EchoAnswered);
    assert!(Filter { protocol: icmp::V4, ..Filter::all(0) }.wants(&packet));
    assert!(!Filter { protocol: transport::TCP, ..Filter::all(0) }.wants(&packet));
}

#[test]
fn a_reply_comes_from_a_backend() {
    let (before, after) = (frame(BACKEND, CLIENT, 0), frame(VIP, CLIENT, 0));
    let (backend_be, backend_port_be) = (addr("172.17.0.4"), 1001_u16.to_be());
    let filter = Filter { backend_be, backend_port_be, ..Filter::all(0) };
    for reason in [Reason::Returned, Reason::ReplyToBalancer, Reason::ReplyUnresolved] {
        assert!(filter.wants(&capture(&before, &after, reason)), "{reason:?}");
    }
    for reason in [Reason::NotOurs, Reason::BackendUnresolved, Reason::TtlExpired] {
        let packet = capture(&before, &after, reason);
        assert!(!filter.wants(&packet), "{reason:?}");
        assert_eq!((packet.record.backend_be, packet.record.backend_port_be), ([0; 4], 0));
    }
}

#[test]
fn a_packet_ends_as_its_reason_or_the_program_says() {
    let packet = frame(CLIENT, VIP, 0);
    for (reason, sent, dropped, expected) in [
        (Reason::Forwarded, true, false, Ending::Forwarded),
        (Reason::Forwarded, false, true, Ending::Dropped),
        (Reason::NotOurs, false, false, Ending::Passed),
        (Reason::NoBackend, false, true, Ending::Dropped),
        // Its sender is told.
        (Reason::TtlExpired, true, false, Ending::Dropped),
    ] {
        let mut capture = capture(&packet, &packet, reason);
        capture.ended(sent, dropped);
        assert_eq!(capture.record.ending, expected as u8, "{reason:?}");
    }
}

#[test]
fn nothing_is_wanted_from_the_deadline_on() {
    let filter = Filter::all(100);
    assert!(!filter.is_over(99) && filter.is_over(100) && filter.is_over(101));
    // A map that nobody has written to.
    assert!(Filter::all(0).is_over(1));
}

#[test]
fn a_record_is_read_from_its_bytes() {
    let record = forwarded().record;
    let mut bytes = Vec::new();
    bytes.extend(record.time.to_ne_bytes());
    let words = [record.ingress, record.egress, record.service, record.backend];
    let lengths = [record.before_len, record.after_len];
    bytes.extend(words.into_iter().chain(lengths).flat_map(u32::to_ne_bytes));
    bytes.extend(record.backend_be.into_iter().flat_map(u32::to_ne_bytes));
    bytes.extend(record.backend_port_be.to_ne_bytes());
    bytes.extend([record.reason, record.ending, 0, 0, 0, 0]);
    bytes.extend(record.before.iter().chain(&record.after));
    assert_eq!(Record::from_bytes(&bytes), Some(record));
    assert_eq!(Record::from_bytes(&bytes[1..]), None);
    assert_eq!(record.before(), frame(CLIENT, VIP, 0));
    assert_eq!(record.after(), frame(CLIENT, BACKEND, 0));
    let long = Record { before_len: 9000, ..record };
    assert_eq!(long.before().len(), SNAP);
}
