//! Packets as the cases describe them.
//!
//! Every length and checksum is the work of an independent packet library: an expected packet is
//! built from scratch, never derived from what our own code did.

use std::net::SocketAddr;

use etherparse::{Ethernet2Header, Ipv4Header};

pub(crate) use self::{
    build::{ACKNOWLEDGED, Extension, SEQUENCE, Tag},
    fragment::Fragment,
    icmp::Message,
    outer::Outer,
};

mod build;
mod fragment;
mod icmp;
mod outer;

/// A MAC address.
pub(crate) type Mac = [u8; 6];

/// A TCP segment, UDP datagram or ICMP message in an Ethernet frame.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) link_to: Mac,
    pub(crate) link_from: Mac,
    /// The outermost first.
    pub(crate) tags: Vec<Tag>,
    /// The port is of no meaning in ICMP.
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    /// Type of service, or traffic class.
    pub(crate) class: u8,
    /// Of TCP.
    pub(crate) flags: Flags,
    /// UDP without a checksum.
    pub(crate) unchecked: bool,
    /// Of ICMP.
    pub(crate) message: Message,
    /// Identification of IPv4, and of fragments of IPv6.
    pub(crate) id: u16,
    /// Of IPv4.
    pub(crate) dont_fragment: bool,
    /// Of IPv6.
    pub(crate) flow_label: u32,
    /// Options of IPv4: whole words.
    pub(crate) options: Vec<u8>,
    /// Extension headers of IPv6.
    pub(crate) extensions: Vec<Extension>,
    /// The part of it that this packet is, if it is in pieces.
    pub(crate) fragment: Option<Fragment>,
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
    /// RST with a sequence number, in answer to a segment that acknowledged it.
    ResetsAt(u32),
    /// RST and ACK of a sequence number, in answer to a segment that acknowledged nothing.
    ResetsAfter(u32),
}

impl Packet {
    /// A packet with some payload of even length.
    pub(crate) fn new(from: SocketAddr, to: SocketAddr, protocol: u8) -> Self {
        Self {
            link_to: [0; 6],
            link_from: [0; 6],
            tags: Vec::new(),
            from,
            to,
            protocol,
            ttl: 64,
            class: 0xb9,
            flags: Flags::Continues,
            unchecked: false,
            message: Message::default(),
            id: 0x1234,
            dont_fragment: true,
            flow_label: 0xa_bcde,
            options: Vec::new(),
            extensions: Vec::new(),
            fragment: None,
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

    /// With these VLAN tags and no others.
    pub(crate) fn tags(self, tags: &[Tag]) -> Self {
        Self { tags: tags.to_vec(), ..self }
    }

    /// With so many words of options.
    pub(crate) fn options(self, words: usize) -> Self {
        // No operation, and at last the end of the list.
        let mut options = vec![1; words * 4];
        if let Some(last) = options.last_mut() {
            *last = 0;
        }
        Self { options, ..self }
    }

    /// With extension headers.
    pub(crate) fn extensions(self, extensions: &[Extension]) -> Self {
        Self { extensions: extensions.to_vec(), ..self }
    }

    /// Whether its addresses are IPv4's.
    pub(crate) fn is_v4(&self) -> bool {
        self.from.is_ipv4()
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
        let headers = self.clone().payload([]).network().len();
        // Nothing that repeats every two bytes, which a checksum might not notice.
        let payload: Vec<u8> = (0..=250).cycle().take(length - headers).collect();
        self.payload(payload)
    }
}

/// A frame with some bytes replaced.
pub(crate) fn patched(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame.splice(at..at + bytes.len(), bytes.iter().copied());
    frame
}

/// A frame with the checksum that its IPv4 header should have.
pub(crate) fn resummed(frame: Vec<u8>) -> Vec<u8> {
    let ip = frame.get(Ethernet2Header::LEN..).expect("a frame");
    let (header, _) = Ipv4Header::from_slice(ip).expect("an IPv4 header");
    patched(frame, 24, &header.calc_header_checksum().to_be_bytes())
}

/// A frame with its end cut off.
pub(crate) fn cut(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    frame.truncate(length);
    frame
}
