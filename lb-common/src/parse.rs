//! Bytes of a frame to a [`Packet`], or why it is not one.
//!
//! [`parse`] reads the packets that are nearly all packets: IPv4 without options and fragments, or
//! IPv6 without extension headers, carrying TCP or UDP. What else can be balanced is read by
//! [`rare`], in a program of its own, so that its rules cost the others nothing. The checks never
//! depend on which service the packet is for.

pub mod rare;

use crate::{
    abi::{AddrBe, Endpoint, FlowKey, Reason, is_v4_mapped, v4_mapped},
    csum::Delta,
    wire::{Frame, eth, icmp, ipv4, ipv6, transport},
};

#[expect(clippy::cast_possible_truncation, reason = "header lengths fit easily")]
const IPV4_LEN: u16 = ipv4::LEN as u16;
#[expect(clippy::cast_possible_truncation, reason = "header lengths fit easily")]
const IPV6_LEN: u16 = ipv6::LEN as u16;

/// Family of a packet's addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Why [`parse`] has no packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// There may be one: [`rare`] reads it.
    Rare,
    /// It is left alone.
    Pass(Reason),
}

/// Whether a packet is whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wholeness {
    /// It is.
    Whole,
    /// It is the first fragment of one with this identification, and has the transport header.
    First(u32),
    /// It is a later fragment, without a transport header. Its ports are those of the first one.
    Later,
}

/// What the headers of a packet say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Source address.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// Bytes of IPv4 options or IPv6 extension headers.
    pub extra: u16,
    /// Length from the IP header on, as the IP header says it.
    pub ip_len: u16,
    /// Whether it is a fragment.
    pub wholeness: Wholeness,
    /// Whether it is a TCP segment that opens a flow: SYN without ACK.
    pub opens_flow: bool,
    /// Whether it is a TCP segment that ends its flow: FIN or RST.
    pub closes_flow: bool,
    /// Family of the addresses.
    pub family: Family,
    /// Transport protocol.
    pub protocol: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
}

impl Packet {
    /// A whole packet without options, from one address to another, whose transport header is yet to
    /// be read.
    #[inline(always)]
    const fn new(
        family: Family,
        protocol: u8,
        ttl: u8,
        ip_len: u16,
        (src_be, dst_be): (AddrBe, AddrBe),
    ) -> Self {
        Self {
            family,
            protocol,
            ttl,
            opens_flow: false,
            closes_flow: false,
            wholeness: Wholeness::Whole,
            ip_len,
            extra: 0,
            src_port_be: 0,
            dst_port_be: 0,
            src_be,
            dst_be,
        }
    }

    /// Reads the TCP or UDP header; `available` is what the headers before leave for it and its
    /// payload.
    #[inline(always)]
    fn read_transport<F: Frame>(&mut self, frame: &F, available: u16) -> Result<(), Reason> {
        let at = self.transport();
        let flags = if self.protocol == transport::TCP {
            tcp_flags(frame, available, at)?
        } else {
            // The length of a datagram is that of all its fragments.
            let is_fragment = !matches!(self.wholeness, Wholeness::Whole);
            udp_length_fits(frame, available, at, is_fragment)?;
            0
        };
        let port = |offset| frame.read::<u16>(at + offset).ok_or(Reason::Truncated);
        self.opens_flow = flags & (transport::SYN | transport::ACK) == transport::SYN;
        self.closes_flow = flags & (transport::FIN | transport::RST) != 0;
        self.src_port_be = port(transport::SRC_PORT)?;
        self.dst_port_be = port(transport::DST_PORT)?;
        Ok(())
    }

    /// Where the transport header begins.
    #[inline(always)]
    pub const fn transport(&self) -> usize {
        let fixed = match self.family {
            Family::V4 => ipv4::PAYLOAD,
            Family::V6 => ipv6::PAYLOAD,
        };
        fixed + self.extra as usize
    }

    /// Whether the transport header is not in it.
    #[inline(always)]
    pub const fn is_later_fragment(&self) -> bool {
        matches!(self.wholeness, Wholeness::Later)
    }

    /// Where it comes from.
    #[inline(always)]
    pub const fn source(&self) -> Endpoint {
        Endpoint {
            addr_be: self.src_be,
            port_be: self.src_port_be,
            protocol: self.protocol,
            wide: 0,
        }
    }

    /// Where it goes.
    #[inline(always)]
    pub const fn destination(&self) -> Endpoint {
        Endpoint {
            addr_be: self.dst_be,
            port_be: self.dst_port_be,
            protocol: self.protocol,
            wide: 0,
        }
    }

    /// Its flow, in its own direction.
    #[inline(always)]
    pub const fn flow(&self) -> FlowKey {
        FlowKey {
            src_be: self.src_be,
            dst_be: self.dst_be,
            src_port_be: self.src_port_be,
            dst_port_be: self.dst_port_be,
            protocol: self.protocol,
            _pad: [0; 3],
        }
    }

    /// Its flow in the other direction.
    #[inline(always)]
    pub const fn reverse_flow(&self) -> FlowKey {
        FlowKey {
            src_be: self.dst_be,
            dst_be: self.src_be,
            src_port_be: self.dst_port_be,
            dst_port_be: self.src_port_be,
            protocol: self.protocol,
            _pad: [0; 3],
        }
    }
}

const TRUNCATED: Stop = Stop::Pass(Reason::Truncated);

/// Reads the headers of a frame.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F) -> Result<Packet, Stop> {
    match frame.read::<u16>(eth::TYPE) {
        Some(eth::IPV4_BE) => parse_ipv4(frame),
        Some(eth::IPV6_BE) => parse_ipv6(frame),
        Some(eth::VLAN_BE | eth::PROVIDER_VLAN_BE) => Err(Stop::Rare),
        Some(_) => Err(Stop::Pass(Reason::NotIp)),
        None => Err(TRUNCATED),
    }
}

#[inline(always)]
fn parse_ipv4<F: Frame>(frame: &F) -> Result<Packet, Stop> {
    let word = |offset| frame.read::<u32>(offset).ok_or(TRUNCATED);

    // The last word first: where it is readable, all are.
    frame.read::<u32>(ipv4::PAYLOAD).ok_or(Stop::Rare)?;
    let dst = word(ipv4::DST)?;
    let first = word(ipv4::VERSION_IHL)?;
    let [version_ihl, _, high, low] = first.to_ne_bytes();
    match version_ihl {
        0x45 => {}
        0x46..=0x4f => return Err(Stop::Rare),
        0x40..=0x44 => return Err(Stop::Pass(Reason::BadLength)),
        _ => return Err(Stop::Pass(Reason::BadVersion)),
    }
    let ip_len = u16::from_be_bytes([high, low]);
    if (ip_len as usize) < ipv4::LEN || ip_len as usize > frame.len() - eth::LEN {
        return Err(Stop::Pass(Reason::BadLength));
    }
    let (second, third, src) = (word(ipv4::ID)?, word(ipv4::TTL)?, word(ipv4::SRC)?);
    let [_, _, flags, offset] = second.to_ne_bytes();
    if u16::from_ne_bytes([flags, offset]) & ipv4::FRAGMENT_MASK_BE != 0 {
        return Err(Stop::Rare);
    }
    // With its checksum, a header sums up to nothing.
    let sum = Delta::new().added(first).added(second).added(third).added(src).added(dst);
    if !sum.is_right() {
        return Err(Stop::Pass(Reason::BadChecksum));
    }
    let [ttl, protocol, _, _] = third.to_ne_bytes();
    match protocol {
        transport::TCP | transport::UDP => {}
        icmp::V4 => return Err(Stop::Rare),
        _ => return Err(Stop::Pass(Reason::OtherProtocol)),
    }
    let ends = (v4_mapped(src), v4_mapped(dst));
    let mut packet = Packet::new(Family::V4, protocol, ttl, ip_len, ends);
    packet.read_transport(frame, ip_len - IPV4_LEN).map_err(Stop::Pass)?;
    Ok(packet)
}

#[inline(always)]
fn parse_ipv6<F: Frame>(frame: &F) -> Result<Packet, Stop> {
    let mut packet = fixed_ipv6(frame).map_err(Stop::Pass)?;
    match packet.protocol {
        transport::TCP | transport::UDP => {}
        icmp::V6 | ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::FRAGMENT | ipv6::DESTINATION => {
            return Err(Stop::Rare);
        }
        _ => return Err(Stop::Pass(Reason::OtherProtocol)),
    }
    packet.read_transport(frame, packet.ip_len - IPV6_LEN).map_err(Stop::Pass)?;
    Ok(packet)
}

/// What the fixed IPv6 header says; the protocol is that of the next header.
#[inline(always)]
fn fixed_ipv6<F: Frame>(frame: &F) -> Result<Packet, Reason> {
    let word32 = |offset| frame.read::<u32>(offset).ok_or(Reason::Truncated);
    let addr = |offset| -> Result<AddrBe, Reason> {
        Ok([word32(offset)?, word32(offset + 4)?, word32(offset + 8)?, word32(offset + 12)?])
    };

    let dst_be = addr(ipv6::DST)?;
    if frame.read::<u8>(ipv6::VERSION).ok_or(Reason::Truncated)? >> 4 != 6 {
        return Err(Reason::BadVersion);
    }
    let payload_len = frame.read::<u16>(ipv6::PAYLOAD_LEN).ok_or(Reason::Truncated)?;
    let Some(ip_len) = u16::from_be(payload_len).checked_add(IPV6_LEN) else {
        return Err(Reason::BadLength);
    };
    if ip_len as usize > frame.len() - eth::LEN {
        return Err(Reason::BadLength);
    }
    let src_be = addr(ipv6::SRC)?;
    // The tables keep IPv4 addresses in this form. On the wire it means nothing (and Linux drops
    // it), so an IPv6 packet must not reach an IPv4 service by it.
    if is_v4_mapped(&src_be) || is_v4_mapped(&dst_be) {
        return Err(Reason::NotOurs);
    }
    let next = frame.read::<u16>(ipv6::NEXT_HEADER).ok_or(Reason::Truncated)?;
    let [protocol, ttl] = next.to_ne_bytes();
    Ok(Packet::new(Family::V6, protocol, ttl, ip_len, (src_be, dst_be)))
}

#[inline(always)]
fn tcp_flags<F: Frame>(frame: &F, available: u16, at: usize) -> Result<u8, Reason> {
    if (available as usize) < transport::TCP_LEN {
        return Err(Reason::BadLength);
    }
    let word = frame.read::<u16>(at + transport::TCP_DATA_OFFSET).ok_or(Reason::Truncated)?;
    let [data_offset, flags] = word.to_ne_bytes();
    let header = (data_offset >> 4) as usize * 4;
    if header < transport::TCP_LEN || header > available as usize {
        return Err(Reason::BadLength);
    }
    Ok(flags)
}

#[inline(always)]
fn udp_length_fits<F: Frame>(
    frame: &F,
    available: u16,
    at: usize,
    is_fragment: bool,
) -> Result<(), Reason> {
    if (available as usize) < transport::UDP_LEN {
        return Err(Reason::BadLength);
    }
    let length = frame.read::<u16>(at + transport::UDP_LENGTH).ok_or(Reason::Truncated)?;
    let length = u16::from_be(length);
    if (length as usize) < transport::UDP_LEN || (length > available && !is_fragment) {
        return Err(Reason::BadLength);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
