//! Tunnelled packets as the cases describe them, made by an independent packet library.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, Ethernet2Header, Ipv4Header, Ipv6Header, UdpHeader, ip_number};
use lb_common::wire::transport::TCP;

use super::super::packet::Packet;

/// Addresses that tunnels end at.
pub(super) const BACKENDS: [&str; 2] = ["192.0.2.4", "2001:db8:2::4"];
/// Where tunnels begin.
pub(super) const BALANCERS: [&str; 2] = ["192.0.2.1", "2001:db8:2::1"];
const LINK_TO: [u8; 6] = [0x02, 0, 0, 0, 0x02, 0x04];
const LINK_FROM: [u8; 6] = [0x02, 0, 0, 0, 0x02, 0x01];
const CLIENT: [&str; 2] = ["198.51.100.7:40000", "[2001:db8:1::7]:40000"];
const VIP: [&str; 2] = ["198.51.100.10:80", "[2001:db8:1::10]:80"];

/// Family of an outer or inner packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    fn of<T: Copy>(self, [v4, v6]: [T; 2]) -> T {
        match self {
            Self::V4 => v4,
            Self::V6 => v6,
        }
    }

    /// Its protocol number within IP.
    pub(super) fn number(self) -> u8 {
        self.of([ip_number::IPV4.0, ip_number::IPV6.0])
    }

    /// Length of its header, without options.
    pub(super) fn header(self) -> usize {
        self.of([20, 40])
    }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An outer IP header to be.
#[derive(Clone, Debug)]
pub(super) struct Outer {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) tos: u8,
    /// IPv4: flags and fragment offset, in units of eight bytes.
    pub(super) fragment: (bool, u16),
    pub(super) options: Vec<u8>,
}

/// From a balancer to the backend.
pub(super) fn outer(family: Family) -> Outer {
    Outer {
        from: ip(family.of(BALANCERS)),
        to: ip(family.of(BACKENDS)),
        tos: 0,
        fragment: (false, 0),
        options: Vec::new(),
    }
}

impl Outer {
    pub(super) fn from(self, from: &str) -> Self {
        Self { from: ip(from), ..self }
    }

    pub(super) fn to(self, to: &str) -> Self {
        Self { to: ip(to), ..self }
    }

    pub(super) fn tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    /// As a fragment: whether more follow, and the offset.
    pub(super) fn fragment(self, more: bool, offset: u16) -> Self {
        Self { fragment: (more, offset), ..self }
    }

    pub(super) fn options(self, options: &[u8]) -> Self {
        Self { options: options.to_vec(), ..self }
    }

    /// The frame with a payload of some protocol.
    pub(super) fn with(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let (from, to) = (from.octets(), to.octets());
                let mut header =
                    Ipv4Header::new(0, 64, protocol.into(), from, to).expect("no payload yet");
                header.options = self.options.as_slice().try_into().expect("whole words");
                header.set_payload_len(payload.len()).expect("it fits");
                header.dscp = (self.tos >> 2).try_into().expect("six bits");
                header.ecn = (self.tos & 3).try_into().expect("two bits");
                let (more, offset) = self.fragment;
                header.dont_fragment = !more && offset == 0;
                header.more_fragments = more;
                header.fragment_offset = offset.try_into().expect("thirteen bits");
                header.header_checksum = header.calc_header_checksum();
                header.to_bytes().to_vec()
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => Ipv6Header {
                traffic_class: self.tos,
                hop_limit: 64,
                payload_length: u16::try_from(payload.len()).expect("it fits"),
                next_header: protocol.into(),
                source: from.octets(),
                destination: to.octets(),
                ..Ipv6Header::default()
            }
            .to_bytes()
            .to_vec(),
            _ => panic!("one family: {} to {}", self.from, self.to),
        };
        frame(&[&header, payload].concat())
    }

    /// The frame with an IP packet as its payload.
    pub(super) fn ipip(&self, inner: &[u8]) -> Vec<u8> {
        let protocol = if inner[0] >> 4 == 4 { ip_number::IPV4 } else { ip_number::IPV6 };
        self.with(protocol.0, inner)
    }

    /// The frame with a UDP datagram without a checksum as its payload.
    pub(super) fn udp(&self, port: u16, payload: &[u8]) -> Vec<u8> {
        self.udp_checked(port, 0, payload)
    }

    /// As [`udp`](Self::udp), with a checksum.
    pub(super) fn udp_checked(&self, port: u16, checksum: u16, payload: &[u8]) -> Vec<u8> {
        let header = UdpHeader {
            source_port: 50_000,
            destination_port: port,
            length: u16::try_from(8 + payload.len()).expect("it fits"),
            checksum,
        };
        self.with(17, &[&header.to_bytes()[..], payload].concat())
    }

    /// The frame with GUE of variant 1 as its payload.
    pub(super) fn gue1(&self, inner: &[u8]) -> Vec<u8> {
        self.udp(6080, inner)
    }

    /// The frame with GUE of variant 0 as its payload, with these four bytes as the header.
    pub(super) fn gue0(&self, header: [u8; 4], inner: &[u8]) -> Vec<u8> {
        self.udp(6080, &[&header[..], inner].concat())
    }
}

/// A request of a client to the VIP.
pub(super) fn request(family: Family) -> Packet {
    let address = |text: &str| -> SocketAddr { text.parse().expect("an address and a port") };
    Packet::new(address(family.of(CLIENT)), address(family.of(VIP)), TCP)
}

/// The packet without a frame.
pub(super) fn bare(packet: &Packet) -> Vec<u8> {
    packet.build().split_off(14)
}

/// A request with another congestion mark; its other fields are those of [`request`].
pub(super) fn marked(family: Family, ecn: u8) -> Vec<u8> {
    let mut packet = bare(&request(family));
    match family {
        Family::V4 => {
            packet[1] = packet[1] & !3 | ecn;
            packet[10..12].fill(0);
            let sum = packet[..20]
                .chunks(2)
                .fold(0_u32, |sum, word| sum + u32::from(word[0]) * 256 + u32::from(word[1]));
            let sum = (sum & 0xffff) + (sum >> 16);
            let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
            packet[10..12].copy_from_slice(&(!sum).to_be_bytes());
        }
        Family::V6 => packet[1] = packet[1] & !0x30 | ecn << 4,
    }
    packet
}

/// The frame of an IP packet.
pub(super) fn frame(packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
    framed(ether_type.0, packet)
}

/// A frame of any type.
pub(super) fn framed(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let header = Ethernet2Header {
        destination: LINK_TO,
        source: LINK_FROM,
        ether_type: EtherType(ether_type),
    };
    [&header.to_bytes()[..], payload].concat()
}
