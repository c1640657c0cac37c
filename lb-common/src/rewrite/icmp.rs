//! ICMP of IPv4 (RFC 792) and IPv6 (RFC 4443): answers to echo requests, errors made of the packet they
//! are about, and the packet that an error quotes translated (RFC 5508, RFC 7915 section 4.2).

use super::{ipv4_header, pair, write_addr};
use crate::{
    abi::AddrBe,
    csum::Delta,
    parse::{Family, Packet, rare::Quoted},
    rewrite::Hop,
    wire::{Frame, eth, icmp, ipv4, ipv6, read_link, transport, write_link},
};

/// Time to live of what the balancer itself sends.
pub(super) const TTL: u8 = 64;
/// Bytes of a packet that an error quotes at most: its headers, with the longest IPv4 options, and
/// some payload. A multiple of four, because checksums are made of words.
const QUOTED: usize = 128;
/// Traffic class of errors: internetwork control (RFC 1812 section 4.3.2.5).
const CLASS: u8 = 0xc0;
/// "Don't fragment" and no offset, with an identification of 0 (RFC 6864).
pub(super) const WHOLE: [u8; 4] = [0, 0, 0x40, 0];

/// What an error says of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It is larger than so many bytes.
    TooBig(u32),
    /// Its time to live, or hop limit, has run out.
    TtlExpired,
    /// Nobody is there to take it.
    NoBackend,
}

impl Refusal {
    /// Type, code and the last word of the header.
    #[inline(always)]
    const fn header(self, family: Family) -> (u8, u8, u32) {
        match (self, family) {
            (Self::TooBig(mtu), Family::V4) => {
                (icmp::v4::UNREACHABLE, icmp::v4::FRAGMENTATION_NEEDED, mtu.to_be())
            }
            (Self::TooBig(mtu), Family::V6) => (icmp::v6::TOO_BIG, 0, mtu.to_be()),
            (Self::TtlExpired, Family::V4) => (icmp::v4::TIME_EXCEEDED, 0, 0),
            (Self::TtlExpired, Family::V6) => (icmp::v6::TIME_EXCEEDED, 0, 0),
            (Self::NoBackend, Family::V4) => (icmp::v4::UNREACHABLE, icmp::v4::PORT, 0),
            (Self::NoBackend, Family::V6) => (icmp::v6::UNREACHABLE, icmp::v6::PORT, 0),
        }
    }
}

/// Sends a frame back to whom it came from: exchanges destination and source MAC address.
#[inline(always)]
pub(super) fn turn<F: Frame>(frame: &mut F) -> Option<()> {
    let [a, b, c] = read_link(frame)?.map(u32::to_ne_bytes);
    let turned = [[b[2], b[3], c[0], c[1]], [c[2], c[3], a[0], a[1]], [a[2], a[3], b[0], b[1]]];
    write_link(frame, &turned.map(u32::from_ne_bytes))
}

/// Makes an echo request its reply. The packet has neither options nor extension headers.
#[inline(always)]
pub fn echo_reply<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()> {
    turn(frame)?;
    let reply = match packet.family {
        Family::V4 => {
            frame.write(ipv4::SRC, pair(packet.dst_be[3], packet.src_be[3]))?;
            let ttl = |ttl| u16::from_ne_bytes([ttl, packet.protocol]);
            let delta = Delta::new().word16(ttl(packet.ttl), ttl(TTL));
            ipv4_header(frame, packet, delta, TTL)?;
            icmp::v4::ECHO_REPLY
        }
        Family::V6 => {
            write_addr(frame, ipv6::SRC, &packet.dst_be)?;
            write_addr(frame, ipv6::DST, &packet.src_be)?;
            frame.write(ipv6::HOP_LIMIT, TTL)?;
            icmp::v6::ECHO_REPLY
        }
    };
    let at = packet.transport();
    let [kind, code] = frame.read::<u16>(at + icmp::TYPE)?.to_ne_bytes();
    let word = |kind| u16::from_ne_bytes([kind, code]);
    frame.write(at + icmp::TYPE, word(reply))?;
    let checksum = frame.read(at + icmp::CHECKSUM)?;
    let delta = Delta::new().word16(word(kind), word(reply));
    frame.write(at + icmp::CHECKSUM, delta.apply(checksum))
}

/// Makes of a packet the error about it, on its way back. The error comes from where the packet
/// went. `None`, and the frame not fit to be sent, if there is no room in front of it.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a bounded length")]
pub fn refuse<F: Frame>(frame: &mut F, packet: &Packet, refusal: Refusal) -> Option<()> {
    turn(frame)?;
    let link = read_link(frame)?;
    let whole = packet.ip_len as usize & !3;
    let quoted = if whole > QUOTED { QUOTED } else { whole };
    let surplus = frame.len().checked_sub(eth::LEN + quoted)?;
    if surplus > 0 {
        frame.shrink_tail(surplus)?;
    }
    let (kind, code, rest) = refusal.header(packet.family);
    let first = u32::from_ne_bytes([kind, code, 0, 0]);
    let length = (icmp::LEN + quoted) as u16;
    let (at, pseudo) = match packet.family {
        Family::V4 => {
            frame.grow_head(ipv4::LEN + icmp::LEN)?;
            write_link(frame, &link)?;
            header_v4(frame, packet, length + ipv4::LEN as u16)?;
            (ipv4::PAYLOAD, Delta::new())
        }
        Family::V6 => {
            frame.grow_head(ipv6::LEN + icmp::LEN)?;
            write_link(frame, &link)?;
            (ipv6::PAYLOAD, header_v6(frame, packet, length)?)
        }
    };
    frame.write(at + icmp::LEN - 4, rest)?;
    let mut sum = pseudo.added(first).added(rest);
    for word in 0..QUOTED / 4 {
        if word * 4 < quoted {
            sum = sum.added(frame.read(at + icmp::LEN + word * 4)?);
        }
    }
    let [high, low] = sum.checksum().to_ne_bytes();
    frame.write(at, u32::from_ne_bytes([kind, code, high, low]))
}

#[inline(always)]
fn header_v4<F: Frame>(frame: &mut F, packet: &Packet, length: u16) -> Option<()> {
    let (source, destination) = (packet.dst_be[3], packet.src_be[3]);
    let [high, low] = length.to_be_bytes();
    let first = u32::from_ne_bytes([0x45, CLASS, high, low]);
    let second = u32::from_ne_bytes(WHOLE);
    let third = |high, low| u32::from_ne_bytes([TTL, icmp::V4, high, low]);
    let sum = Delta::new().added(first).added(second).added(third(0, 0));
    let [high, low] = sum.added(source).added(destination).checksum().to_ne_bytes();
    frame.write(eth::TYPE, eth::IPV4_BE)?;
    frame.write(ipv4::VERSION_IHL, pair(first, second))?;
    frame.write(ipv4::TTL, third(high, low))?;
    frame.write(ipv4::SRC, pair(source, destination))
}

/// The header, and what it adds to the checksum (RFC 8200 section 8.1).
#[inline(always)]
fn header_v6<F: Frame>(frame: &mut F, packet: &Packet, length: u16) -> Option<Delta> {
    let first = (6 << 28 | u32::from(CLASS) << 20_u32).to_be();
    let [high, low] = length.to_be_bytes();
    frame.write(eth::TYPE, eth::IPV6_BE)?;
    frame.write(ipv6::VERSION, pair(first, u32::from_ne_bytes([high, low, icmp::V6, TTL])))?;
    write_addr(frame, ipv6::SRC, &packet.dst_be)?;
    write_addr(frame, ipv6::DST, &packet.src_be)?;
    let sum = Delta::new().added(u32::from(length).to_be()).added(u32::from(icmp::V6).to_be());
    Some(
        [&packet.src_be, &packet.dst_be]
            .into_iter()
            .flatten()
            .fold(sum, |sum, word| sum.added(*word)),
    )
}

/// The ends of an ICMP error and of the packet that it quotes.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// Where the error comes from.
    pub source: &'a AddrBe,
    /// Where it goes.
    pub destination: &'a AddrBe,
    /// Where the quoted packet came from.
    pub quoted_source: (&'a AddrBe, u16),
    /// Where it went.
    pub quoted_destination: (&'a AddrBe, u16),
}

/// Gives an ICMP error, and what it quotes, other ends.
#[inline(always)]
pub fn translate<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    quoted: &Quoted,
    ends: &Ends<'_>,
    hop: Hop,
) -> Option<()> {
    let inner = quoted_delta(quoted, ends);
    let ports = inner
        .word16(quoted.source.port_be, ends.quoted_source.1)
        .word16(quoted.destination.port_be, ends.quoted_destination.1);
    // What changes in the payload of ICMP, each word of it.
    let mut delta = ports;
    let (from, header) = (quoted.from as usize, quoted.transport as usize);
    match packet.family {
        Family::V4 => {
            let outer = Delta::new()
                .word32(packet.src_be[3], ends.source[3])
                .word32(packet.dst_be[3], ends.destination[3]);
            frame.write(ipv4::SRC, pair(ends.source[3], ends.destination[3]))?;
            match hop {
                Hop::Here => {
                    ipv4_header(frame, packet, outer.counted_down(), packet.ttl.wrapping_sub(1))?;
                }
                Hop::Later => ipv4_header(frame, packet, outer, packet.ttl)?,
            }
            let checksum: u16 = frame.read(from + ipv4::CHECKSUM)?;
            let new = inner.apply(checksum);
            frame.write(from + ipv4::CHECKSUM, new)?;
            delta = delta.word16(checksum, new);
            frame.write(
                from + ipv4::SRC,
                pair(ends.quoted_source.0[3], ends.quoted_destination.0[3]),
            )?;
        }
        Family::V6 => {
            write_addr(frame, ipv6::SRC, ends.source)?;
            write_addr(frame, ipv6::DST, ends.destination)?;
            if hop == Hop::Here {
                frame.write(ipv6::HOP_LIMIT, packet.ttl.wrapping_sub(1))?;
            }
            delta = delta.addr(&packet.src_be, ends.source).addr(&packet.dst_be, ends.destination);
            write_addr(frame, from + ipv6::SRC, ends.quoted_source.0)?;
            write_addr(frame, from + ipv6::DST, ends.quoted_destination.0)?;
        }
    }
    frame.write(header + transport::SRC_PORT, ends.quoted_source.1)?;
    frame.write(header + transport::DST_PORT, ends.quoted_destination.1)?;
    if quoted.has_checksum {
        delta = quoted_checksum(frame, quoted, ports, delta)?;
    }
    let at = packet.transport() + icmp::CHECKSUM;
    let checksum = frame.read(at)?;
    frame.write(at, delta.apply(checksum))
}

#[inline(always)]
fn quoted_delta(quoted: &Quoted, ends: &Ends<'_>) -> Delta {
    Delta::new()
        .addr(&quoted.source.addr_be, ends.quoted_source.0)
        .addr(&quoted.destination.addr_be, ends.quoted_destination.0)
}

/// The checksum of the quoted transport header, which is a changed word of the error itself.
#[inline(always)]
fn quoted_checksum<F: Frame>(
    frame: &mut F,
    quoted: &Quoted,
    change: Delta,
    delta: Delta,
) -> Option<Delta> {
    let is_tcp = quoted.source.protocol == transport::TCP;
    let at = if is_tcp { transport::TCP_CHECKSUM } else { transport::UDP_CHECKSUM };
    let at = quoted.transport as usize + at;
    let checksum: u16 = frame.read(at)?;
    let new = if is_tcp { change.apply(checksum) } else { change.apply_udp(checksum) };
    frame.write(at, new)?;
    Some(delta.word16(checksum, new))
}

#[cfg(test)]
mod tests;
