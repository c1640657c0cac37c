//! A packet put into another one: IP in IP, or Generic UDP Encapsulation.
//!
//! The outer header copies the traffic class, so that congestion marks survive (RFC 6040, normal
//! mode). An outer IPv4 header forbids fragments and needs no identification for that (RFC 6864); a
//! packet that does not fit was refused before. The checksum of the outer UDP header is 0, which
//! RFC 6935 allows tunnels over IPv6, too: the inner packet has its own.

use super::{pair, write_addr};
use crate::{
    abi::AddrBe,
    csum::Delta,
    parse::{Family, Packet},
    wire::{Frame, eth, ipv4, ipv6, transport, tunnel},
};

#[expect(clippy::cast_possible_truncation, reason = "header lengths fit easily")]
const UDP_LEN: u16 = transport::UDP_LEN as u16;

/// The headers that a packet is put behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tunnel {
    /// The outer header is IPv4's, not IPv6's.
    pub outer_v4: bool,
    /// A UDP header stands between the two IP headers.
    pub gue: bool,
}

impl Tunnel {
    /// Bytes that it adds to a packet.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "header lengths fit easily")]
    pub const fn overhead(self) -> u32 {
        self.bytes() as u32
    }

    #[inline(always)]
    const fn bytes(self) -> usize {
        let ip = if self.outer_v4 { ipv4::LEN } else { ipv6::LEN };
        let udp = if self.gue { transport::UDP_LEN } else { 0 };
        ip + udp
    }
}

/// Puts the packet behind outer headers. The link addresses are not written. `None`, and nothing
/// changed, if there is no room in front of the frame.
#[inline(always)]
pub fn encapsulate<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    tunnel: Tunnel,
    source: &AddrBe,
    destination: &AddrBe,
    hash: u32,
) -> Option<()> {
    let class = traffic_class(frame, packet.family)?;
    let inner = match packet.family {
        Family::V4 => tunnel::IPV4,
        Family::V6 => tunnel::IPV6,
    };
    let protocol = if tunnel.gue { transport::UDP } else { inner };
    let length = packet.ip_len + if tunnel.gue { UDP_LEN } else { 0 };
    frame.grow_head(tunnel.bytes())?;
    // The last words first: where they can be written, those before them can.
    if tunnel.gue {
        let at = if tunnel.outer_v4 { ipv4::PAYLOAD } else { ipv6::PAYLOAD };
        // The high bits of the hash, because the low ones are alike for all flows of a slot.
        let port = tunnel::GUE_FIRST_SOURCE_PORT | (hash >> 18) as u16;
        let ([a, b], [c, d]) = (port.to_be_bytes(), tunnel::GUE_PORT.to_be_bytes());
        let [high, low] = length.to_be_bytes();
        let words = (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([high, low, 0, 0]));
        frame.write(at + transport::SRC_PORT, pair(words.0, words.1))?;
    }
    if tunnel.outer_v4 {
        return outer_v4(frame, class, protocol, length, source[3], destination[3]);
    }
    // Version, class, and the flow's hash as flow label (RFC 6438).
    let first = 6 << 28 | u32::from(class) << 20 | hash & 0xf_ffff;
    let [high, low] = length.to_be_bytes();
    let second = u32::from_ne_bytes([high, low, protocol, tunnel::TTL]);
    write_addr(frame, ipv6::DST, destination)?;
    write_addr(frame, ipv6::SRC, source)?;
    frame.write(ipv6::VERSION, pair(first.to_be(), second))?;
    frame.write(eth::TYPE, eth::IPV6_BE)
}

#[inline(always)]
fn outer_v4<F: Frame>(
    frame: &mut F,
    class: u8,
    protocol: u8,
    payload: u16,
    source_be: u32,
    destination_be: u32,
) -> Option<()> {
    #[expect(clippy::cast_possible_truncation, reason = "header lengths fit easily")]
    let [high, low] = (payload + ipv4::LEN as u16).to_be_bytes();
    let first = u32::from_ne_bytes([0x45, class, high, low]);
    let [df, _] = ipv4::DONT_FRAGMENT_BE.to_ne_bytes();
    let second = u32::from_ne_bytes([0, 0, df, 0]);
    let third = [tunnel::TTL, protocol];
    let checksum = Delta::new()
        .added(first)
        .added(second)
        .added(u32::from_ne_bytes([third[0], third[1], 0, 0]))
        .added(source_be)
        .added(destination_be)
        .checksum();
    let [high, low] = checksum.to_ne_bytes();
    frame.write(ipv4::SRC, pair(source_be, destination_be))?;
    frame.write(ipv4::TTL, u32::from_ne_bytes([third[0], third[1], high, low]))?;
    frame.write(ipv4::VERSION_IHL, pair(first, second))?;
    frame.write(eth::TYPE, eth::IPV4_BE)
}

/// Type of service, or traffic class.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "cut to the bits that are wanted")]
fn traffic_class<F: Frame>(frame: &F, family: Family) -> Option<u8> {
    match family {
        Family::V4 => frame.read(ipv4::TOS),
        Family::V6 => Some((u32::from_be(frame.read(ipv6::VERSION)?) >> 20) as u8),
    }
}
