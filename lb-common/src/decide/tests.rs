//! Every reason, what is counted, and the flows that go past a service; in the modules below, what
//! is remembered, and the modes that need it. The bytes of each kind of packet are asserted by the
//! table of packet cases in the `tests` crate.

use std::{collections::HashMap, net::SocketAddr, vec::Vec};

use etherparse::{Ipv4Header, PacketBuilder};
use proptest::prelude::*;

use super::Route;
use crate::{
    abi::{
        BACKEND_RESOLVED, Backend, Counter, ForwardMode, ORIGIN_STATELESS, Origin, Reason, Service,
        Verdict,
    },
    host::{HostFrame, HostTables, addr_be, endpoint},
    slot::Slot,
    wire::transport::{TCP, UDP},
};

mod explain;
mod full_nat;
mod quic;
mod rare;
mod scene;
mod shared;
mod tracking;
mod tunnels;

const FRONT: u32 = 3;
const BACK: u32 = 4;

const CLIENT: &str = "198.51.100.7:40000";
/// A client behind a small link, one without a known MAC address, one without a route.
const CLIENT_SMALL: &str = "198.51.100.8:40000";
const CLIENT_NEW: &str = "198.51.100.9:40000";
const CLIENT_LOST: &str = "198.51.100.10:40000";
const BALANCER: &str = "198.51.100.1:40000";
const NAT: &str = "192.0.2.10:80";
const DSR: &str = "192.0.2.20:80";
const EMPTY: &str = "192.0.2.30:80";
const NAT_NEW: &str = "192.0.2.40:80";
const DSR_NEW: &str = "192.0.2.50:80";
const BACKEND: &str = "203.0.113.11:8080";

const CLIENT_LINK: [u32; 3] = [0x1111_1111; 3];
const BACKEND_LINK: [u32; 3] = [0x2222_2222; 3];

/// Services 1 to 5 in the order of the constants, each with the ring of one slot that its number
/// says and, but for the empty one, the backend of that number.
fn tables() -> HostTables {
    let mut tables = HostTables::default();
    let services = [
        (1, NAT, ForwardMode::Nat, BACKEND_RESOLVED),
        (2, DSR, ForwardMode::Dsr, BACKEND_RESOLVED),
        (3, EMPTY, ForwardMode::Nat, 0),
        (4, NAT_NEW, ForwardMode::Nat, 0),
        (5, DSR_NEW, ForwardMode::Dsr, 0),
    ];
    let backend = endpoint(address(BACKEND), 0);
    for (id, vip, mode, flags) in services {
        let service = Service { id, ring_base: id, mode: mode as u8, ..Service::default() };
        for protocol in [TCP, UDP] {
            tables.services.insert(endpoint(address(vip), protocol), service);
        }
        if id != 3 {
            let (addr_be, port_be) = (backend.addr_be, backend.port_be);
            let way = Backend {
                flags,
                ifindex: BACK,
                link: BACKEND_LINK,
                mtu: 1000,
                ..Backend::default()
            };
            tables.slots.get_mut().insert(id, Slot::settled(id, 0));
            tables.backends.insert(id, Backend { addr_be, port_be, ..way });
        }
    }
    for protocol in [TCP, UDP] {
        let vip = endpoint(address(NAT), protocol);
        let (vip_be, port_be) = (vip.addr_be, vip.port_be);
        let origin = Origin { vip_be, port_be, flags: ORIGIN_STATELESS, service: 1, backend: 1 };
        tables.origins.insert(endpoint(address(BACKEND), protocol), origin);
    }
    tables.routes = HashMap::from([
        (addr_be(address(CLIENT).ip()), Route::Via { ifindex: FRONT, link: CLIENT_LINK }),
        (addr_be(address(CLIENT_SMALL).ip()), Route::TooBig(1280)),
        (addr_be(address(CLIENT_NEW).ip()), Route::Unresolved),
        (addr_be(address(BALANCER).ip()), Route::Local),
    ]);
    tables
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

#[derive(Clone, Copy)]
struct Sent<'a> {
    from: &'a str,
    to: &'a str,
    protocol: u8,
    syn: bool,
    ttl: u8,
    payload: usize,
}

impl<'a> Sent<'a> {
    fn tcp(from: &'a str, to: &'a str) -> Self {
        Self { from, to, protocol: TCP, syn: false, ttl: 64, payload: 100 }
    }

    fn syn(from: &'a str, to: &'a str) -> Self {
        Self { syn: true, payload: 0, ..Self::tcp(from, to) }
    }

    fn udp(from: &'a str, to: &'a str) -> Self {
        Self { protocol: UDP, ..Self::tcp(from, to) }
    }

    fn build(self) -> Vec<u8> {
        let (SocketAddr::V4(from), SocketAddr::V4(to)) = (address(self.from), address(self.to))
        else {
            panic!("this module makes IPv4 only");
        };
        let ip = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(
            from.ip().octets(),
            to.ip().octets(),
            self.ttl,
        );
        let payload = std::vec![0x5a; self.payload];
        let mut bytes = Vec::new();
        let written = if self.protocol == UDP {
            ip.udp(from.port(), to.port()).write(&mut bytes, &payload)
        } else {
            let tcp = ip.tcp(from.port(), to.port(), 1, 1024);
            if self.syn { tcp.syn() } else { tcp.ack(1) }.write(&mut bytes, &payload)
        };
        written.expect("it fits");
        bytes
    }
}

/// What became of a packet.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    verdict: Verdict,
    reason: Reason,
    service: u32,
    changed: bool,
}

fn run(tables: &HostTables, bytes: Vec<u8>) -> Seen {
    let before = bytes.clone();
    let mut frame = HostFrame::new(bytes, FRONT);
    let verdict = tables.process(&mut frame);
    let (service, reason) = tables.last.take().expect("every packet is counted");
    Seen { verdict, reason, service, changed: frame.bytes() != before }
}

/// A frame whose IPv4 header checksum is that of its header now.
fn resummed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some((header, _)) = bytes.get(14..).and_then(|ip| Ipv4Header::from_slice(ip).ok()) {
        bytes.splice(24..26, header.calc_header_checksum().to_be_bytes());
    }
    bytes
}

/// A packet that gets this reason, and what else becomes of it: the verdict, the number of the
/// service, and whether it is changed.
fn example(reason: Reason) -> (Vec<u8>, Verdict, u32, bool) {
    let patched = |at: usize, new: &[u8]| {
        let mut bytes = Sent::tcp(CLIENT, NAT).build();
        bytes.splice(at..at + new.len(), new.iter().copied());
        bytes
    };
    let pass = |bytes| (bytes, Verdict::Pass, 0, false);
    let of = |sent: Sent, service, verdict, changed| (sent.build(), verdict, service, changed);
    match reason {
        Reason::Forwarded => {
            of(Sent::tcp(CLIENT, NAT), 1, Verdict::Redirect { ifindex: BACK }, true)
        }
        Reason::Returned => of(Sent::tcp(BACKEND, CLIENT), 1, Verdict::Transmit, true),
        Reason::NotIp => pass(patched(12, &[0x08, 0x06])),
        Reason::NotOurs => pass(Sent::tcp(CLIENT, "192.0.2.10:81").build()),
        Reason::Truncated => pass(Sent::tcp(CLIENT, NAT).build()[..33].to_vec()),
        Reason::BadLength => pass(patched(16, &[0, 19])),
        Reason::BadVersion => pass(patched(14, &[0x65])),
        Reason::BadChecksum => pass(patched(18, &[0x43, 0x21])),
        Reason::Fragment => pass(resummed(patched(20, &[0, 1]))),
        Reason::OtherProtocol => pass(resummed(patched(23, &[47]))),
        Reason::ReplyToBalancer => pass(Sent::tcp(BACKEND, BALANCER).build()),
        // The test runs a packet in the other direction before.
        Reason::ReplyDirect => pass(Sent::tcp(BACKEND, CLIENT).build()),
        Reason::ReplyUnroutable => of(Sent::tcp(BACKEND, CLIENT_LOST), 1, Verdict::Pass, false),
        Reason::ReplyTooBig => of(Sent::tcp(BACKEND, CLIENT_SMALL), 1, Verdict::Pass, false),
        Reason::ReplyUnresolved => of(Sent::tcp(BACKEND, CLIENT_NEW), 1, Verdict::Pass, true),
        Reason::BackendUnresolved => of(Sent::tcp(CLIENT, NAT_NEW), 4, Verdict::Pass, true),
        Reason::TtlExpired => {
            of(Sent { ttl: 1, ..Sent::tcp(CLIENT, DSR) }, 2, Verdict::Transmit, true)
        }
        Reason::NoBackend => of(Sent::tcp(CLIENT, EMPTY), 3, Verdict::Drop, false),
        Reason::TooBig => {
            of(Sent { payload: 961, ..Sent::tcp(CLIENT, DSR) }, 2, Verdict::Transmit, true)
        }
        Reason::NoNextHop => of(Sent::tcp(CLIENT, DSR_NEW), 5, Verdict::Drop, false),
        Reason::UnknownFlow
        | Reason::FlowTableFull
        | Reason::PortsExhausted
        | Reason::FlowConflict
        | Reason::NoHeadroom
        | Reason::FragmentUnknown
        | Reason::EchoLimited
        | Reason::EchoAnswered
        | Reason::ErrorForwarded
        | Reason::ErrorReturned
        | Reason::LongExtensions
        | Reason::SourceDenied
        | Reason::NewFlowLimit
        | Reason::SourceLimit
        | Reason::Rejected
        | Reason::NoBackendPassed => unreachable!("not among them"),
    }
}

/// Those that one packet gets whatever was before it.
fn stateless_reasons() -> impl Iterator<Item = Reason> {
    Reason::ALL.iter().copied().filter(|reason| *reason <= Reason::NoNextHop)
}

#[test]
fn every_reason_is_reached() {
    for reason in stateless_reasons() {
        let tables = tables();
        if reason == Reason::ReplyDirect {
            assert_eq!(run(&tables, Sent::syn(CLIENT, BACKEND).build()).reason, Reason::NotOurs);
        }
        let (bytes, verdict, service, changed) = example(reason);
        let expected = Seen { verdict, reason, service, changed };
        assert_eq!(run(&tables, bytes), expected);
    }
}

#[test]
fn packets_are_counted_as_they_came_in() {
    let tables = tables();
    let small = Sent::tcp(CLIENT, NAT);
    let large = Sent { payload: 900, ..small };
    for sent in [small, large, Sent::tcp(CLIENT, DSR), Sent::tcp(BACKEND, CLIENT)] {
        let _ = run(&tables, sent.build());
    }
    let (small, large) = (14 + 40 + 100, 14 + 40 + 900);
    let one = Counter { packets: 1, bytes: small };
    let two = Counter { packets: 2, bytes: small + large };
    assert_eq!(
        *tables.counters.borrow(),
        HashMap::from([
            ((1, Reason::Forwarded), two),
            ((2, Reason::Forwarded), one),
            ((1, Reason::Returned), one)
        ])
    );
    assert_eq!(*tables.backend_counters.borrow(), HashMap::from([(1, two), (2, one)]));
}

#[test]
fn only_what_a_backend_gets_is_counted_as_its_own() {
    for reason in stateless_reasons().filter(|reason| *reason != Reason::Forwarded) {
        let tables = tables();
        let (bytes, ..) = example(reason);
        let _ = run(&tables, bytes);
        assert!(tables.backend_counters.borrow().is_empty(), "{reason:?}");
    }
}

#[test]
fn replies_to_a_direct_client_pass_untouched_and_others_do_not() {
    for (request, reply, other) in [
        (
            Sent::syn(CLIENT, BACKEND),
            Sent::tcp(BACKEND, CLIENT),
            Sent::tcp(BACKEND, "198.51.100.7:40001"),
        ),
        (
            Sent::udp(CLIENT, BACKEND),
            Sent::udp(BACKEND, CLIENT),
            Sent::udp(BACKEND, "198.51.100.7:40001"),
        ),
    ] {
        let tables = tables();
        assert_eq!(run(&tables, reply.build()).reason, Reason::Returned);
        let passed = run(&tables, request.build());
        assert_eq!((passed.reason, passed.changed), (Reason::NotOurs, false));
        let passed = run(&tables, reply.build());
        assert_eq!((passed.reason, passed.changed), (Reason::ReplyDirect, false));
        assert_eq!(run(&tables, other.build()).reason, Reason::Returned);
    }
}

/// The protocol is part of a flow: DNS over UDP and over TCP may use the same ports.
#[test]
fn a_direct_flow_is_one_of_its_protocol() {
    let tables = tables();
    let _ = run(&tables, Sent::udp(CLIENT, BACKEND).build());
    assert_eq!(run(&tables, Sent::tcp(BACKEND, CLIENT).build()).reason, Reason::Returned);
    assert_eq!(run(&tables, Sent::udp(BACKEND, CLIENT).build()).reason, Reason::ReplyDirect);
}

#[test]
fn a_port_reused_through_the_service_is_the_services_again() {
    for (direct, opening, reply) in [
        (Sent::syn(CLIENT, BACKEND), Sent::syn(CLIENT, NAT), Sent::tcp(BACKEND, CLIENT)),
        (Sent::udp(CLIENT, BACKEND), Sent::udp(CLIENT, NAT), Sent::udp(BACKEND, CLIENT)),
    ] {
        let tables = tables();
        let _ = run(&tables, direct.build());
        assert_eq!(run(&tables, reply.build()).reason, Reason::ReplyDirect);
        assert_eq!(run(&tables, opening.build()).reason, Reason::Forwarded);
        assert_eq!(run(&tables, reply.build()).reason, Reason::Returned);
        // And back again.
        let _ = run(&tables, direct.build());
        assert_eq!(run(&tables, reply.build()).reason, Reason::ReplyDirect);
    }
}

/// A stray segment is no new flow: whoever sent it cannot cut off a direct connection by it.
#[test]
fn a_segment_that_opens_nothing_leaves_a_direct_flow_alone() {
    let tables = tables();
    let _ = run(&tables, Sent::syn(CLIENT, BACKEND).build());
    assert_eq!(run(&tables, Sent::tcp(CLIENT, NAT).build()).reason, Reason::Forwarded);
    assert_eq!(run(&tables, Sent::tcp(BACKEND, CLIENT).build()).reason, Reason::ReplyDirect);
}

#[test]
fn forwarding_leaves_no_state() {
    let tables = tables();
    for reason in stateless_reasons() {
        let (bytes, ..) = example(reason);
        let _ = run(&tables, bytes);
    }
    assert!(tables.direct_flows.borrow().is_empty());
    assert!(tables.direct_seen.borrow().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_packet_is_counted_once_and_changed_only_when_its_reason_says_so(
        damage in prop::collection::vec((0..60_usize, any::<u8>()), 0..4),
        reply: bool,
        cut in 0..120_usize,
        with_checksum: bool,
    ) {
        let tables = tables();
        let sent = if reply { Sent::udp(BACKEND, CLIENT) } else { Sent::tcp(CLIENT, NAT) };
        let mut bytes = sent.build();
        for (at, byte) in damage {
            bytes.splice(at..=at, [byte]);
        }
        bytes.truncate(bytes.len() - cut);
        if with_checksum {
            bytes = resummed(bytes);
        }
        let length = bytes.len() as u64;
        let seen = run(&tables, bytes);
        let expected = match seen.reason {
            Reason::Forwarded | Reason::Returned => seen.verdict != Verdict::Pass && seen.changed,
            Reason::ReplyUnresolved | Reason::BackendUnresolved => {
                seen.verdict == Verdict::Pass && seen.changed
            }
            Reason::NoBackend | Reason::NoNextHop => {
                seen.verdict == Verdict::Drop && !seen.changed
            }
            // Told to the sender, if that is a single host.
            Reason::TtlExpired | Reason::TooBig => match seen.verdict {
                Verdict::Transmit => seen.changed,
                verdict => verdict == Verdict::Drop && !seen.changed,
            },
            _ => seen.verdict == Verdict::Pass && !seen.changed,
        };
        prop_assert!(expected, "{:?}", seen);
        prop_assert_eq!(seen.reason.is_drop(), seen.verdict == Verdict::Drop);
        let counted: Vec<_> = tables.counters.borrow().values().copied().collect();
        prop_assert_eq!(counted, [Counter { packets: 1, bytes: length }]);
    }
}
