//! Packets of the simulation, and what the program made of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lb_common::{
    abi::{AddrBe, Reason},
    csum::Delta,
    host::{HostFrame, HostTables},
    parse::parse,
    vlan::{self, Tags},
};

const FRONT: u32 = 1;
const ETHERNET: usize = 14;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a packet carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    Syn,
    Data,
    Fin,
    Rst,
    Datagram,
    /// A QUIC packet that opens a connection.
    Initial,
    /// A later one: its connection id holds a server id, or none.
    Short(Option<u32>),
}

impl Body {
    fn protocol(self) -> u8 {
        match self {
            Self::Syn | Self::Data | Self::Fin | Self::Rst => TCP,
            Self::Datagram | Self::Initial | Self::Short(_) => UDP,
        }
    }

    fn transport(self, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        bytes.extend(from.port().to_be_bytes());
        bytes.extend(to.port().to_be_bytes());
        let flags = match self {
            Self::Syn => 0x02,
            Self::Data => 0x10,
            Self::Fin => 0x11,
            Self::Rst => 0x04,
            Self::Datagram | Self::Initial | Self::Short(_) => {
                let payload = self.payload();
                bytes.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
                bytes.extend([0, 0]);
                bytes.extend(payload);
                return bytes;
            }
        };
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes
    }

    fn payload(self) -> Vec<u8> {
        match self {
            // Version 1; the client's first choice of an id, which is no server's.
            Self::Initial => {
                vec![0xc0, 0, 0, 0, 1, 9, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]
            }
            Self::Short(Some(server)) => {
                let mut bytes = vec![0x40, 0];
                bytes.extend(server.to_be_bytes());
                bytes.extend([9; 12]);
                bytes
            }
            Self::Short(None) => vec![0x40, 0xff, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
            _ => vec![0x5a; 12],
        }
    }
}

/// An address as 16 octets.
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The address that the tables keep.
pub(super) fn ip(addr_be: AddrBe) -> IpAddr {
    let mut octets = [0; 16];
    for (at, byte) in addr_be.iter().flat_map(|word| word.to_ne_bytes()).enumerate() {
        octets[at] = byte;
    }
    Ipv6Addr::from(octets).to_canonical()
}

/// A frame between two ends of one family.
fn frame(from: SocketAddr, to: SocketAddr, body: Body) -> HostFrame {
    let transport = body.transport(from, to);
    let length = transport.len();
    let mut bytes = vec![0; 12];
    if from.is_ipv4() {
        bytes.extend([8, 0, 0x45, 0]);
        bytes.extend(u16::try_from(20 + length).unwrap().to_be_bytes());
        bytes.extend([0, 0, 0x40, 0, 64, body.protocol(), 0, 0]);
        bytes.extend(&octets(from.ip())[12..]);
        bytes.extend(&octets(to.ip())[12..]);
        let words = bytes[ETHERNET..].as_chunks().0.iter();
        let sum = words.fold(Delta::new(), |sum, word| sum.added(u32::from_ne_bytes(*word)));
        bytes[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum.checksum().to_ne_bytes());
    } else {
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        bytes.extend([body.protocol(), 64]);
        bytes.extend(octets(from.ip()));
        bytes.extend(octets(to.ip()));
    }
    bytes.extend(transport);
    HostFrame::new(bytes, FRONT)
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    pub(super) reason: Reason,
    /// Last two bytes of the MAC address that it was sent to.
    pub(super) hop: [u8; 2],
    /// VLAN tags that it was sent with.
    pub(super) tags: Tags,
    /// Ends of the packet that arrives; of the outer header, without ports, if it has one.
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// Runs a packet through the program.
pub(super) fn send(tables: &HostTables, from: SocketAddr, to: SocketAddr, body: Body) -> Seen {
    let mut frame = frame(from, to, body);
    _ = tables.process(&mut frame);
    let (_, reason) = tables.last.get().unwrap();
    let hop = [frame.bytes()[4], frame.bytes()[5]];
    let tags = vlan::take_off(&mut frame).unwrap();
    let (from, to) = ends(&frame);
    Seen { reason, hop, tags, from, to }
}

/// Ends of a frame that may have an outer header.
fn ends(frame: &HostFrame) -> (SocketAddr, SocketAddr) {
    let bytes = frame.bytes();
    let ipv4 = bytes[12] == 8;
    let protocol = if ipv4 { bytes[ETHERNET + 9] } else { bytes[ETHERNET + 6] };
    if let Ok(packet) = parse(frame)
        && [TCP, UDP].contains(&protocol)
    {
        let end = |addr, port_be| SocketAddr::new(ip(addr), u16::from_be(port_be));
        return (end(packet.src_be, packet.src_port_be), end(packet.dst_be, packet.dst_port_be));
    }
    let end = |at: usize| -> SocketAddr {
        if ipv4 {
            let octets: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            (Ipv4Addr::from(octets), 0).into()
        } else {
            let octets: [u8; 16] = bytes[at..at + 16].try_into().unwrap();
            (Ipv6Addr::from(octets), 0).into()
        }
    };
    if ipv4 {
        (end(ETHERNET + 12), end(ETHERNET + 16))
    } else {
        (end(ETHERNET + 8), end(ETHERNET + 24))
    }
}
