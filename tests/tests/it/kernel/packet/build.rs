//! From the description of a packet to its bytes.

use std::net::SocketAddr;

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, Ipv6FlowLabel,
    Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, SingleVlanHeader, TcpHeader, UdpHeader,
    VlanId, VlanPcp, ip_number,
};
use lb_common::wire::transport::{TCP, UDP};

use super::{Flags, Fragment, Packet};

/// Sequence number of every segment.
pub(crate) const SEQUENCE: u32 = 0xffff_fff8;
/// What segments acknowledge.
pub(crate) const ACKNOWLEDGED: u32 = 0x0506_0708;

/// A VLAN tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tag {
    /// It is a provider's (IEEE 802.1ad).
    pub(crate) provider: bool,
    pub(crate) priority: u8,
    pub(crate) id: u16,
}

impl Tag {
    /// A customer's tag (IEEE 802.1Q).
    pub(crate) const fn of(id: u16) -> Self {
        Self { provider: false, priority: 0, id }
    }

    /// A provider's tag.
    pub(crate) const fn of_provider(id: u16) -> Self {
        Self { provider: true, priority: 0, id }
    }

    fn kind(self) -> EtherType {
        if self.provider { EtherType::PROVIDER_BRIDGING } else { EtherType::VLAN_TAGGED_FRAME }
    }
}

/// An extension header of IPv6.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Extension {
    /// One whose second byte is its length, and what follows that.
    Usual(IpNumber, Vec<u8>),
    /// A fragment header, by its offset in bytes and whether more fragments follow.
    Fragment(u16, bool),
}

impl Extension {
    /// Hop-by-hop options of so many times eight bytes: padding.
    pub(crate) fn hop_by_hop(units: usize) -> Self {
        Self::Usual(ip_number::IPV6_HEADER_HOP_BY_HOP, padding(units))
    }

    /// Destination options of so many times eight bytes: padding.
    pub(crate) fn destination(units: usize) -> Self {
        Self::Usual(ip_number::IPV6_DESTINATION_OPTIONS, padding(units))
    }

    /// A routing header of an experimental type with so many segments left.
    pub(crate) fn routing(segments_left: u8) -> Self {
        Self::Usual(ip_number::IPV6_ROUTE_HEADER, vec![253, segments_left, 0, 0, 0, 0])
    }

    fn number(&self) -> IpNumber {
        match self {
            Self::Usual(number, _) => *number,
            Self::Fragment(..) => ip_number::IPV6_FRAGMENTATION_HEADER,
        }
    }

    fn write(&self, bytes: &mut Vec<u8>, next: IpNumber, id: u16) {
        let written = match self {
            Self::Usual(_, content) => {
                Ipv6RawExtHeader::new_raw(next, content).expect("whole units").write(bytes)
            }
            Self::Fragment(offset, more) => {
                Ipv6FragmentHeader::new(next, units(*offset), *more, id.into()).write(bytes)
            }
        };
        written.expect("a vector takes everything");
    }
}

/// Option `PadN` for all but the first two bytes.
fn padding(units: usize) -> Vec<u8> {
    let length = u8::try_from(units * 8 - 4).expect("a short header");
    let mut content = vec![0; units * 8 - 2];
    content.splice(..2, [1, length]);
    content
}

fn units(offset: u16) -> IpFragOffset {
    IpFragOffset::try_new(offset / 8).expect("13 bits")
}

impl Packet {
    /// The frame.
    pub(crate) fn build(&self) -> Vec<u8> {
        let (kind, content) = match self.outer {
            Some(outer) => outer.around(self),
            None if self.is_v4() => (EtherType::IPV4, self.network()),
            None => (EtherType::IPV6, self.network()),
        };
        let mut bytes = Vec::new();
        let mut kinds = self.tags.iter().map(|tag| tag.kind()).chain([kind]);
        let ether_type = kinds.next().expect("at least one");
        let link =
            Ethernet2Header { source: self.link_from, destination: self.link_to, ether_type };
        link.write(&mut bytes).expect("a vector takes everything");
        for (tag, ether_type) in self.tags.iter().zip(kinds) {
            let tag = SingleVlanHeader {
                pcp: VlanPcp::try_new(tag.priority).expect("three bits"),
                drop_eligible_indicator: false,
                vlan_id: VlanId::try_new(tag.id).expect("12 bits"),
                ether_type,
            };
            tag.write(&mut bytes).expect("a vector takes everything");
        }
        bytes.extend(content);
        bytes.resize(bytes.len() + self.padding, 0xee);
        bytes
    }

    /// From its IP header on, without what stands around it.
    pub(crate) fn network(&self) -> Vec<u8> {
        let whole = self.transport();
        let payload = self.fragment.map_or(&whole[..], |fragment| fragment.of(&whole));
        let mut bytes = match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                self.ipv4(from.ip().octets(), to.ip().octets(), payload.len())
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                self.ipv6(from.ip().octets(), to.ip().octets(), payload.len())
            }
            _ => panic!("one family: {} to {}", self.from, self.to),
        };
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Fields that balancing leaves alone have values that would be missed.
    fn ipv4(&self, from: [u8; 4], to: [u8; 4], payload: usize) -> Vec<u8> {
        let mut header =
            Ipv4Header::new(0, self.ttl, self.protocol.into(), from, to).expect("no payload");
        header.identification = self.id;
        header.dscp = (self.class >> 2).try_into().expect("six bits");
        header.ecn = (self.class & 3).try_into().expect("two bits");
        header.dont_fragment = self.dont_fragment;
        header.options = self.options[..].try_into().expect("words");
        if let Some(Fragment { offset, more, .. }) = self.fragment {
            (header.fragment_offset, header.more_fragments) = (units(offset), more);
            header.dont_fragment = false;
        }
        header.set_payload_len(payload).expect("it fits");
        let mut bytes = Vec::new();
        header.write(&mut bytes).expect("a vector takes everything");
        bytes
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16], payload: usize) -> Vec<u8> {
        let mut chain = self.extensions.clone();
        chain.extend(self.fragment.map(|part| Extension::Fragment(part.offset, part.more)));
        let mut numbers = chain.iter().map(Extension::number).chain([self.protocol.into()]);
        let next_header = numbers.next().expect("at least one");
        let mut extensions = Vec::new();
        for (extension, next) in chain.iter().zip(numbers) {
            extension.write(&mut extensions, next, self.id);
        }
        let header = Ipv6Header {
            traffic_class: self.class,
            flow_label: Ipv6FlowLabel::try_new(self.flow_label).expect("20 bits"),
            payload_length: u16::try_from(extensions.len() + payload).expect("it fits"),
            next_header,
            hop_limit: self.ttl,
            source,
            destination,
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes).expect("a vector takes everything");
        bytes.extend(extensions);
        bytes
    }

    /// From the transport header on, as if it were in one piece.
    pub(super) fn transport(&self) -> Vec<u8> {
        let mut bytes = match self.protocol {
            TCP => self.tcp(),
            UDP => self.udp(),
            _ => self.icmp(),
        };
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    fn tcp(&self) -> Vec<u8> {
        let mut header = TcpHeader::new(self.from.port(), self.to.port(), SEQUENCE, 0xfaf0);
        header.syn = matches!(self.flags, Flags::Opens | Flags::Accepts);
        header.ack = !matches!(self.flags, Flags::Opens | Flags::ResetsAt(_));
        header.fin = self.flags == Flags::Closes;
        header.psh = !self.payload.is_empty();
        header.acknowledgment_number = if header.ack { ACKNOWLEDGED } else { 0 };
        match self.flags {
            Flags::Resets => header.rst = true,
            Flags::ResetsAt(sequence) => {
                (header.rst, header.window_size, header.sequence_number) = (true, 0, sequence);
            }
            Flags::ResetsAfter(sequence) => {
                (header.rst, header.window_size, header.sequence_number) = (true, 0, 0);
                header.acknowledgment_number = sequence;
            }
            _ => {}
        }
        let payload = &self.payload;
        let checksum = match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                header.calc_checksum_ipv4_raw(from.ip().octets(), to.ip().octets(), payload)
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                header.calc_checksum_ipv6_raw(from.ip().octets(), to.ip().octets(), payload)
            }
            _ => panic!("one family: {} to {}", self.from, self.to),
        };
        header.checksum = checksum.expect("it fits");
        header.to_bytes().to_vec()
    }

    fn udp(&self) -> Vec<u8> {
        let mut header = UdpHeader {
            source_port: self.from.port(),
            destination_port: self.to.port(),
            length: u16::try_from(UdpHeader::LEN + self.payload.len()).expect("it fits"),
            checksum: 0,
        };
        let payload = &self.payload;
        let checksum = match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                header.calc_checksum_ipv4_raw(from.ip().octets(), to.ip().octets(), payload)
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                header.calc_checksum_ipv6_raw(from.ip().octets(), to.ip().octets(), payload)
            }
            _ => panic!("one family: {} to {}", self.from, self.to),
        };
        header.checksum = if self.unchecked { 0 } else { checksum.expect("it fits") };
        header.to_bytes().to_vec()
    }
}
