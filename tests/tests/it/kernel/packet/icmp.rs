//! ICMP messages.

use std::net::{IpAddr, SocketAddr};

use etherparse::{Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, ip_number};

use super::Packet;

/// What the header of an ICMP message says, but for its checksum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// Its last four bytes.
    pub(crate) rest: [u8; 4],
}

impl Message {
    pub(crate) const fn new(kind: u8, code: u8, rest: u32) -> Self {
        Self { kind, code, rest: rest.to_be_bytes() }
    }
}

impl Packet {
    /// An ICMP message from one address to another.
    pub(crate) fn of_icmp(from: IpAddr, to: IpAddr, message: Message, payload: &[u8]) -> Self {
        let protocol = if from.is_ipv4() { ip_number::ICMP } else { ip_number::IPV6_ICMP };
        let packet = Self::new((from, 0).into(), (to, 0).into(), protocol.0);
        Self { message, ..packet.payload(payload) }
    }

    /// An ICMP error about another packet, with the bytes of it from its IP header on up to a length.
    pub(crate) fn error(
        from: IpAddr,
        to: IpAddr,
        message: Message,
        about: &Self,
        quoted: usize,
    ) -> Self {
        let about = about.network();
        let quote = about.get(..quoted).unwrap_or(&about);
        Self::of_icmp(from, to, message, quote)
    }

    /// The header of an ICMP message.
    pub(super) fn icmp(&self) -> Vec<u8> {
        let Message { kind: type_u8, code: code_u8, rest: bytes5to8 } = self.message;
        match (self.from, self.to) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) => {
                let kind = Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8 };
                Icmpv4Header::with_checksum(kind, &self.payload).to_bytes().to_vec()
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                let kind = Icmpv6Type::Unknown { type_u8, code_u8, bytes5to8 };
                let (from, to) = (from.ip().octets(), to.ip().octets());
                let header = Icmpv6Header::with_checksum(kind, from, to, &self.payload);
                header.expect("it fits").to_bytes().to_vec()
            }
            _ => panic!("one family: {} to {}", self.from, self.to),
        }
    }
}
