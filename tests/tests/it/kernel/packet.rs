//! Packets as the cases describe them.
//!
//! Every length and checksum is the work of an independent packet library: an expected packet is
//! built from scratch, never derived from what our own code did.

use std::net::SocketAddr;

use etherparse::{
    IpHeaders, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6FlowLabel, Ipv6Header,
    PacketBuilder, TcpHeader, ip_number,
};
use lb_common::wire::transport::TCP;

pub(crate) use self::outer::Outer;

mod outer;

/// A MAC address.
pub(crate) type Mac = [u8; 6];

/// A TCP segment or UDP datagram in an Ethernet frame.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) link_to: Mac,
    pub(crate) link_from: Mac,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    /// Type of service, or traffic class.
    pub(crate) class: u8,
    /// Of TCP.
    pub(crate) flags: Flags,
    /// Identification of IPv4.
    pub(crate) id: u16,
    pub(crate) payload: Vec<u8>,
    /// Bytes behind the IP packet.
    pub(crate) padding: usize,
    /// Headers in front of it.
    pub(crate) outer: Option<Outer>,
}

/// What a TCP segment does to its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flags {
    /// SYN.
    Opens,
    /// SYN and ACK.
    Accepts,
    /// ACK.
    Continues,
    /// FIN and ACK.
    Closes,
    /// RST and ACK.
    Resets,
}

impl Packet {
    /// A packet with some payload of even length.
    pub(crate) fn new(from: SocketAddr, to: SocketAddr, protocol: u8) -> Self {
        Self {
            link_to: [0; 6],
            link_from: [0; 6],
            from,
            to,
            protocol,
            ttl: 64,
            class: 0xb9,
            flags: Flags::Continues,
            id: 0x1234,
            payload: b"Hello, world".to_vec(),
            padding: 0,
            outer: None,
        }
    }

    /// With other link addresses.
    pub(crate) fn link(self, link_to: Mac, link_from: Mac) -> Self {
        Self { link_to, link_from, ..self }
    }

    /// With another transport header.
    pub(crate) fn protocol(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }

    /// With another source.
    pub(crate) fn from(self, from: SocketAddr) -> Self {
        Self { from, ..self }
    }

    /// With another source port.
    pub(crate) fn source_port(mut self, port: u16) -> Self {
        self.from.set_port(port);
        self
    }

    /// With another destination.
    pub(crate) fn to(self, to: SocketAddr) -> Self {
        Self { to, ..self }
    }

    /// With another destination port.
    pub(crate) fn destination_port(mut self, port: u16) -> Self {
        self.to.set_port(port);
        self
    }

    /// As the first segment of a connection.
    pub(crate) fn syn(self) -> Self {
        Self { flags: Flags::Opens, payload: Vec::new(), ..self }
    }

    /// As a segment that does something to its connection.
    pub(crate) fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    /// With another type of service, or traffic class.
    pub(crate) fn class(self, class: u8) -> Self {
        Self { class, ..self }
    }

    /// Behind other headers.
    pub(crate) fn within(self, outer: Outer) -> Self {
        Self { outer: Some(outer), ..self }
    }

    /// With another time to live.
    pub(crate) fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// With another payload.
    pub(crate) fn payload(self, payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: payload.into(), ..self }
    }

    /// With a payload that makes the IP packet so long.
    pub(crate) fn ip_len(self, length: usize) -> Self {
        let headers = self.clone().payload([]).build().len() - 14;
        // Nothing that repeats every two bytes, which a checksum might not notice.
        let payload: Vec<u8> = (0..=250).cycle().take(length - headers).collect();
        self.payload(payload)
    }

    /// The frame.
    pub(crate) fn build(&self) -> Vec<u8> {
        if let Some(outer) = self.outer {
            return outer.build(self);
        }
        let ip = PacketBuilder::ethernet2(self.link_from, self.link_to).ip(self.ip());
        let mut bytes = Vec::new();
        let written = if self.protocol == TCP {
            ip.tcp_header(self.tcp()).write(&mut bytes, &self.payload)
        } else {
            ip.udp(self.from.port(), self.to.port()).write(&mut bytes, &self.payload)
        };
        written.expect("a vector takes everything");
        bytes.resize(bytes.len() + self.padding, 0xee);
        bytes
    }

    /// Fields that balancing leaves alone have values that would be missed.
    fn ip(&self) -> IpHeaders {
        match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                let (from, to) = (from.ip().octets(), to.ip().octets());
                let header = Ipv4Header::new(0, self.ttl, ip_number::TCP, from, to);
                let mut header = header.expect("an empty payload");
                header.identification = self.id;
                header.dscp = (self.class >> 2).try_into().expect("six bits");
                header.ecn = (self.class & 3).try_into().expect("two bits");
                IpHeaders::Ipv4(header, Ipv4Extensions::default())
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                let header = Ipv6Header {
                    traffic_class: self.class,
                    flow_label: Ipv6FlowLabel::try_new(0xa_bcde).expect("20 bits"),
                    hop_limit: self.ttl,
                    source: from.ip().octets(),
                    destination: to.ip().octets(),
                    ..Ipv6Header::default()
                };
                IpHeaders::Ipv6(header, Ipv6Extensions::default())
            }
            _ => panic!("one family: {} to {}", self.from, self.to),
        }
    }

    fn tcp(&self) -> TcpHeader {
        let mut header = TcpHeader::new(self.from.port(), self.to.port(), 0x0102_0304, 0xfaf0);
        header.syn = matches!(self.flags, Flags::Opens | Flags::Accepts);
        header.ack = self.flags != Flags::Opens;
        header.fin = self.flags == Flags::Closes;
        header.rst = self.flags == Flags::Resets;
        header.psh = !self.payload.is_empty();
        header.acknowledgment_number = if header.ack { 0x0506_0708 } else { 0 };
        header
    }
}

/// A frame with some bytes replaced.
pub(crate) fn patched(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame.splice(at..at + bytes.len(), bytes.iter().copied());
    frame
}

/// A frame with its end cut off.
pub(crate) fn cut(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    frame.truncate(length);
    frame
}
