//! One service with a small ring, and packets of its clients in both families.

use std::{net::SocketAddr, vec::Vec};

use etherparse::{PacketBuilder, PacketHeaders, TransportHeader};

use super::{BACK, BACKEND_LINK, CLIENT_LINK, FRONT, address};
use crate::{
    abi::{BACKEND_RESOLVED, Backend, ForwardMode, Reason, Service, Tracking, Verdict},
    decide::Route,
    hash,
    host::{HostFrame, HostTables, addr_be, endpoint},
    slot::Slot,
    wire::transport::{TCP, UDP},
};

/// Slots of the ring, and the first of them.
pub(super) const SLOTS: u32 = 8;
pub(super) const BASE: u32 = 64;
/// Ticks after which a flow is over.
pub(super) const IDLE: u16 = 200;
/// The tick in which tests begin.
pub(super) const NOW: u32 = 0x1_fff0;

pub(super) const VIPS: [&str; 2] = ["192.0.2.10:80", "[2001:db8:10::10]:80"];
const BACKENDS: [&str; 2] = ["203.0.113.1:8080", "[2001:db8:2::1]:8080"];

/// Tables with service 1 in both families, over TCP and UDP; all slots are backend 1's. Backends 1
/// to 5 are IPv4's, 11 to 15 IPv6's.
pub(super) fn service(mode: ForwardMode, tracking: Tracking) -> HostTables {
    let mut tables = HostTables::default();
    tables.now.set(NOW);
    for (family, vip) in VIPS.into_iter().enumerate() {
        let first = if family == 0 { 1 } else { 11 };
        let service = Service {
            id: 1,
            ring_base: BASE * first,
            ring_mask: SLOTS - 1,
            mode: mode as u8,
            tracking: tracking as u8,
            idle_ticks: IDLE,
            seed: 7,
            first_port: 1024,
            last_port_offset: u16::MAX - 1024,
            source_v4_be: addr_be(address("203.0.113.240:0").ip())[3],
            spread_v4_be: 0xf_u32.to_be(),
            source_v6_be: addr_be(address("[2001:db8:2::f0]:0").ip()),
            spread_v6_be: 0xf_u32.to_be(),
            ..Service::default()
        };
        for protocol in [TCP, UDP] {
            tables.services.insert(endpoint(address(vip), protocol), service);
        }
        for id in first..first + 5 {
            tables.backends.insert(id, backend(id));
        }
        for slot in 0..SLOTS {
            tables.slots.get_mut().insert(service.ring_base + slot, Slot::settled(first, 0));
        }
    }
    tables
}

/// A backend by its id.
pub(super) fn backend(id: u32) -> Backend {
    let at = endpoint(backend_address(id), 0);
    Backend {
        identity: u64::from(id),
        addr_be: at.addr_be,
        port_be: at.port_be,
        flags: BACKEND_RESOLVED,
        ifindex: BACK,
        link: BACKEND_LINK,
        mtu: 1500,
        source_be: addr_be(address("203.0.113.254:0").ip()),
        ..Backend::default()
    }
}

/// Its address and port.
pub(super) fn backend_address(id: u32) -> SocketAddr {
    let [v4, v6] = BACKENDS.map(address);
    let mut at = if id < 10 { v4 } else { v6 };
    at.set_port(8000 + u16::try_from(id).expect("a small id"));
    at
}

/// Index of the slot of a flow to the service.
pub(super) fn slot_index(
    tables: &HostTables,
    from: SocketAddr,
    to: SocketAddr,
    protocol: u8,
) -> u32 {
    let (client, vip) = (endpoint(from, protocol), endpoint(to, protocol));
    let service = tables.services.get(&vip).expect("a service");
    let (src, dst) = (&client.addr_be, &vip.addr_be);
    let hash = hash::flow(service.seed, src, dst, client.port_be, vip.port_be, protocol);
    service.ring_base + (hash & service.ring_mask)
}

/// What a packet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Syn,
    Data,
    Fin,
    Udp,
}

impl Kind {
    pub(super) fn protocol(self) -> u8 {
        if self == Self::Udp { UDP } else { TCP }
    }
}

/// A packet as an independent library builds it.
pub(super) fn packet(
    kind: Kind,
    from: SocketAddr,
    to: SocketAddr,
    ttl: u8,
    payload: &[u8],
) -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let ip = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            link.ipv4(from.ip().octets(), to.ip().octets(), ttl)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            link.ipv6(from.ip().octets(), to.ip().octets(), ttl)
        }
        _ => panic!("one family: {from} to {to}"),
    };
    let mut bytes = Vec::new();
    let written = if kind == Kind::Udp {
        ip.udp(from.port(), to.port()).write(&mut bytes, payload)
    } else {
        let tcp = ip.tcp(from.port(), to.port(), 1, 1024);
        let tcp = match kind {
            Kind::Syn => tcp.syn(),
            Kind::Fin => tcp.ack(1).fin(),
            Kind::Data | Kind::Udp => tcp.ack(1),
        };
        tcp.write(&mut bytes, payload)
    };
    written.expect("it fits");
    bytes
}

/// What became of a packet.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    pub(super) service: u32,
    /// Backend that got it; 0 if none did.
    pub(super) backend: u32,
    pub(super) frame: Vec<u8>,
}

/// Runs a frame that came in at the front.
pub(super) fn run(tables: &HostTables, frame: Vec<u8>) -> Done {
    run_at(tables, HostFrame::new(frame, FRONT))
}

/// Runs a frame.
pub(super) fn run_at(tables: &HostTables, mut frame: HostFrame) -> Done {
    tables.backend_counters.borrow_mut().clear();
    let verdict = tables.process(&mut frame);
    let (service, reason) = tables.last.take().expect("every packet is counted");
    let backend = tables.backend_counters.borrow().keys().next().copied().unwrap_or(0);
    Done { verdict, reason, service, backend, frame: frame.into_bytes() }
}

/// Lets packets be sent to a client.
pub(super) fn route(tables: &mut HostTables, client: SocketAddr) {
    let via = Route::Via { ifindex: FRONT, link: CLIENT_LINK };
    tables.routes.insert(addr_be(client.ip()), via);
}

/// Source and destination of a frame whose checksums an independent library finds right.
pub(super) fn ends(frame: &[u8]) -> (SocketAddr, SocketAddr) {
    let headers = PacketHeaders::from_ethernet_slice(frame).expect("a packet");
    let ip = headers.net.as_ref().expect("an IP header");
    let transport = headers.transport.as_ref().expect("a transport header");
    let payload = headers.payload.slice();
    let (source_port, destination_port) = match transport {
        TransportHeader::Tcp(tcp) => (tcp.source_port, tcp.destination_port),
        TransportHeader::Udp(udp) => (udp.source_port, udp.destination_port),
        other => panic!("neither TCP nor UDP: {other:?}"),
    };
    if let Some((ip, _)) = ip.ipv4_ref() {
        assert_eq!(ip.header_checksum, ip.calc_header_checksum(), "IPv4 header checksum");
        let sum = match transport {
            TransportHeader::Tcp(tcp) => tcp.calc_checksum_ipv4(ip, payload),
            TransportHeader::Udp(udp) => udp.calc_checksum_ipv4(ip, payload),
            _ => unreachable!("matched above"),
        };
        assert_eq!(sum.expect("it fits"), checksum(transport), "checksum over IPv4");
        let source = (ip.source, source_port).into();
        return (source, (ip.destination, destination_port).into());
    }
    let (ip, _) = ip.ipv6_ref().expect("IPv4 or IPv6");
    let sum = match transport {
        TransportHeader::Tcp(tcp) => tcp.calc_checksum_ipv6(ip, payload),
        TransportHeader::Udp(udp) => udp.calc_checksum_ipv6(ip, payload),
        _ => unreachable!("matched above"),
    };
    assert_eq!(sum.expect("it fits"), checksum(transport), "checksum over IPv6");
    ((ip.source, source_port).into(), (ip.destination, destination_port).into())
}

fn checksum(transport: &TransportHeader) -> u16 {
    match transport {
        TransportHeader::Tcp(tcp) => tcp.checksum,
        TransportHeader::Udp(udp) => udp.checksum,
        _ => unreachable!("only asked of TCP and UDP"),
    }
}

/// A client in the family of a VIP.
pub(super) fn client(vip: SocketAddr, host: u8, port: u16) -> SocketAddr {
    if vip.is_ipv4() {
        return ([198, 51, 100, host], port).into();
    }
    ([0x2001, 0xdb8, 1, 0, 0, 0, 0, u16::from(host)], port).into()
}
