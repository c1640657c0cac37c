//! Rare packets, damaged: tagged, in pieces, and ICMP about services.

use std::{net::IpAddr, vec::Vec};

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::{BACKEND, CLIENT, CLIENT_NEW, DSR, NAT, Sent, address, resummed, run, tables};
use crate::{
    abi::{Counter, Reason, Verdict},
    host::{HostTables, addr_be},
};

/// Tables whose VIPs are known as such.
fn scene() -> HostTables {
    let mut tables = tables();
    for (id, vip) in [(1, NAT), (2, DSR)] {
        tables.vips.insert(addr_be(address(vip).ip()), id);
    }
    tables
}

/// An ICMP message from one address to another, with some payload.
fn message(from: &str, to: &str, kind: u8, payload: &[u8]) -> Vec<u8> {
    let [from, to] = [from, to].map(|end| match address(end).ip() {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => unreachable!("this module makes IPv4 only"),
    });
    let ip = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64);
    let mut bytes = Vec::new();
    ip.icmpv4_raw(kind, 0, [0; 4]).write(&mut bytes, payload).expect("it fits");
    bytes
}

fn quoting(sent: Sent<'_>) -> Vec<u8> {
    sent.build().split_off(14)
}

fn patched(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes.splice(at..at + new.len(), new.iter().copied());
    bytes
}

/// Frames that get far.
fn frames() -> [Vec<u8>; 9] {
    let request = Sent::udp(CLIENT, NAT).build();
    [
        request.clone(),
        Sent { ttl: 1, ..Sent::tcp(CLIENT, NAT) }.build(),
        Sent { payload: 1100, ..Sent::tcp(CLIENT, DSR) }.build(),
        Sent::tcp(BACKEND, CLIENT_NEW).build(),
        patched(request.clone(), 20, &[0x20, 0]),
        patched(request, 20, &[0, 9]),
        message(CLIENT, NAT, 8, b"echo"),
        message(CLIENT, NAT, 3, &quoting(Sent::tcp(NAT, CLIENT))),
        message(BACKEND, CLIENT, 3, &quoting(Sent::udp(CLIENT, BACKEND))),
    ]
}

fn tagged(bytes: &[u8], tags: usize) -> Vec<u8> {
    let (link, rest) = bytes.split_at(12);
    [link, &[0x81, 0, 0, 7].repeat(tags), rest].concat()
}

#[test]
fn they_get_far() {
    let reasons = frames().map(|frame| run(&scene(), resummed(frame)).reason);
    assert_eq!(
        reasons,
        [
            Reason::Forwarded,
            Reason::TtlExpired,
            Reason::TooBig,
            Reason::ReplyUnresolved,
            Reason::Forwarded,
            Reason::FragmentUnknown,
            Reason::EchoAnswered,
            Reason::ErrorForwarded,
            Reason::ErrorReturned,
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_damaged_rare_packet_is_counted_once_and_changed_only_when_its_reason_says_so(
        which in 0..9_usize,
        damage in prop::collection::vec((0..100_usize, any::<u8>()), 0..3),
        cut in prop_oneof![Just(0), 0..200_usize],
        with_checksum in prop::bool::weighted(0.8),
        tags in 0..3_usize,
        silent: bool,
    ) {
        let mut tables = scene();
        tables.silent = silent;
        let mut bytes = frames().into_iter().nth(which).unwrap_or_default();
        for (at, byte) in damage {
            if at < bytes.len() {
                bytes.splice(at..=at, [byte]);
            }
        }
        if with_checksum {
            bytes = resummed(bytes);
        }
        let mut bytes = tagged(&bytes, tags);
        bytes.truncate(bytes.len().saturating_sub(cut));
        let length = bytes.len() as u64;
        let seen = run(&tables, bytes);
        let expected = match seen.reason {
            Reason::ReplyUnresolved | Reason::BackendUnresolved => {
                seen.verdict == Verdict::Pass && seen.changed
            }
            Reason::NoBackend | Reason::NoNextHop | Reason::FragmentUnknown | Reason::EchoLimited => {
                seen.verdict == Verdict::Drop
            }
            Reason::TtlExpired | Reason::TooBig => match seen.verdict {
                Verdict::Transmit => seen.changed && !silent,
                verdict => verdict == Verdict::Drop,
            },
            reason if reason.is_delivery() => {
                !matches!(seen.verdict, Verdict::Pass | Verdict::Drop) && seen.changed
            }
            _ => seen.verdict == Verdict::Pass && !seen.changed,
        };
        prop_assert!(expected, "{:?}", seen);
        let counted: Vec<_> = tables.counters.borrow().values().copied().collect();
        prop_assert_eq!(counted, [Counter { packets: 1, bytes: length }]);
    }
}
