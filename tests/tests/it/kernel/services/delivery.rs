//! What becomes of packets at a service.

use std::net::{IpAddr, SocketAddr};

use lb_common::abi::ForwardMode;

use super::Spec;
use crate::kernel::{
    network,
    packet::{Flags, Mac, Outer, Packet},
};

impl Spec {
    /// Source address that is picked for a flow: host bits of the prefix out of the hash.
    fn source_address(&self, hash: u32) -> IpAddr {
        let Some((base, bits)) = self.source_prefix() else { return self.own_address() };
        // The last byte of the address is the first of the hash as the machine keeps it.
        let picked = u32::from_be_bytes(hash.to_ne_bytes()) & ((1 << bits) - 1);
        match base {
            IpAddr::V4(base) => IpAddr::V4((base.to_bits() | picked).into()),
            IpAddr::V6(base) => IpAddr::V6((base.to_bits() | u128::from(picked)).into()),
        }
    }

    /// Source of a `full-nat` flow if the first port that is tried is free.
    pub(crate) fn translated_source(&self, request: &Packet) -> SocketAddr {
        let hash = self.hash(request);
        let (first, last) = self.ports;
        let ports = u64::from(last - first) + 1;
        let offset = u64::from(hash) * ports / (1 << 32);
        let port = u64::from(first) + offset;
        let port = u16::try_from(port).expect("a port");
        (self.source_address(hash.rotate_left(16)), port).into()
    }

    /// The port that is tried so many tries after the first.
    pub(crate) fn port_after(&self, first_tried: u16, tries: u16) -> u16 {
        let (first, last) = self.ports;
        let ports = u32::from(last - first) + 1;
        let offset = (u32::from(first_tried - first) + u32::from(tries)) % ports;
        first + u16::try_from(offset).expect("below the number of ports")
    }

    /// What a backend gets of a packet to the service.
    pub(crate) fn delivered_to(&self, place: u32, request: &Packet) -> Packet {
        let packet = self.sent_on(place, request, self.hash(request));
        match self.mode {
            ForwardMode::Nat => packet.to(self.target(place, request.to)),
            ForwardMode::FullNat => {
                packet.from(self.translated_source(request)).to(self.target(place, request.to))
            }
            ForwardMode::Dsr | ForwardMode::Ipip | ForwardMode::Gue => packet,
        }
    }

    /// What a backend gets of a packet of a flow of this hash if its ends stay as they are.
    pub(super) fn sent_on(&self, place: u32, packet: &Packet, hash: u32) -> Packet {
        let packet = packet.clone().ttl(packet.ttl - 1).tags(self.tags);
        let packet = packet.link(self.backend_mac(place), self.own_mac());
        let backend = self.backend(place);
        let outer = |udp| Outer {
            from: self.source_address(hash),
            to: backend.ip(),
            flow_label: hash % (1 << 20),
            udp,
        };
        match self.mode {
            ForwardMode::Nat | ForwardMode::Dsr | ForwardMode::FullNat => packet,
            ForwardMode::Ipip => packet.within(outer(None)),
            ForwardMode::Gue => {
                // 49152 and the high 14 bits of the hash.
                let port = u16::try_from(0xc000 + (hash >> 18)).expect("a port");
                packet.within(outer(Some((port, 6080))))
            }
        }
    }

    /// Bytes of the headers that the mode puts in front of a packet.
    pub(crate) fn overhead(&self) -> usize {
        let ip = if self.backend(0).is_ipv4() { 20 } else { 40 };
        match self.mode {
            ForwardMode::Nat | ForwardMode::Dsr | ForwardMode::FullNat => 0,
            ForwardMode::Ipip => ip,
            ForwardMode::Gue => ip + 8,
        }
    }

    /// Bytes of the largest packet that the way to its backends can carry.
    pub(crate) fn largest(&self) -> u16 {
        self.mtu - u16::try_from(self.overhead()).expect("a few")
    }

    /// What the only backend gets of a packet to the service.
    pub(crate) fn delivered(&self, request: &Packet) -> Packet {
        self.delivered_to(0, request)
    }

    /// A packet of the backend to a client, as it arrives from there.
    pub(crate) fn reply(&self, client: SocketAddr) -> Packet {
        self.reply_of(0, client)
    }

    /// The same, of a backend by its place among them.
    pub(crate) fn reply_of(&self, place: u32, client: SocketAddr) -> Packet {
        let packet = Packet::new(self.backend(place), client, self.protocol);
        packet.link(self.own_mac(), self.backend_mac(place)).flags(Flags::Continues)
    }

    /// What a next hop gets of a packet of the backend.
    pub(crate) fn returned(&self, reply: &Packet, hop: Mac) -> Packet {
        let packet = reply.clone().link(hop, network::FRONT_MAC).tags(&[]);
        let mut vip = self.vip();
        if self.last_port.is_some() {
            vip.set_port(reply.from.port());
        }
        packet.ttl(reply.ttl - 1).from(vip)
    }
}
