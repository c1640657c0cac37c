//! Bytes of a frame to a [`Packet`], or the reason why it is left alone.
//!
//! Only what can be balanced gets through: IPv4 without options and fragments, or IPv6 without
//! extension headers, carrying TCP or UDP whose lengths agree with the frame. The checks never
//! depend on which service the packet is for.

use crate::{
    abi::{AddrBe, Endpoint, FlowKey, Reason, is_v4_mapped, v4_mapped},
    wire::{Frame, eth, ipv4, ipv6, transport},
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

/// What the headers of a packet say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Family of the addresses.
    pub family: Family,
    /// Transport protocol.
    pub protocol: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether it is a TCP segment that opens a flow: SYN without ACK.
    pub opens_flow: bool,
    /// Whether it is a TCP segment that ends its flow: FIN or RST.
    pub closes_flow: bool,
    /// Length from the IP header on, as the IP header says it.
    pub ip_len: u16,
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// Source address.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
}

impl Packet {
    /// Where the transport header begins.
    #[inline(always)]
    pub const fn transport(&self) -> usize {
        match self.family {
            Family::V4 => ipv4::PAYLOAD,
            Family::V6 => ipv6::PAYLOAD,
        }
    }

    /// Where it comes from.
    #[inline(always)]
    pub const fn source(&self) -> Endpoint {
        Endpoint {
            addr_be: self.src_be,
            port_be: self.src_port_be,
            protocol: self.protocol,
            _pad: 0,
        }
    }

    /// Where it goes.
    #[inline(always)]
    pub const fn destination(&self) -> Endpoint {
        Endpoint {
            addr_be: self.dst_be,
            port_be: self.dst_port_be,
            protocol: self.protocol,
            _pad: 0,
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

/// Reads the headers of a frame.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F) -> Result<Packet, Reason> {
    match frame.read::<u16>(eth::TYPE) {
        Some(eth::IPV4_BE) => parse_ipv4(frame),
        Some(eth::IPV6_BE) => parse_ipv6(frame),
        Some(_) => Err(Reason::NotIp),
        None => Err(Reason::Truncated),
    }
}

#[inline(always)]
fn parse_ipv4<F: Frame>(frame: &F) -> Result<Packet, Reason> {
    let word16 = |offset| frame.read::<u16>(offset).ok_or(Reason::Truncated);
    let byte = |offset| frame.read::<u8>(offset).ok_or(Reason::Truncated);
    let word32 = |offset| frame.read::<u32>(offset).ok_or(Reason::Truncated);

    // The last field first: where it is readable, all are.
    let dst = word32(ipv4::DST)?;
    match byte(ipv4::VERSION_IHL)? {
        0x45 => {}
        0x46..=0x4f => return Err(Reason::Ipv4Options),
        0x40..=0x44 => return Err(Reason::BadLength),
        _ => return Err(Reason::BadVersion),
    }
    let ip_len = u16::from_be(word16(ipv4::TOTAL_LEN)?);
    if (ip_len as usize) < ipv4::LEN || ip_len as usize > frame.len() - eth::LEN {
        return Err(Reason::BadLength);
    }
    if word16(ipv4::FRAGMENT)? & ipv4::FRAGMENT_MASK_BE != 0 {
        return Err(Reason::Fragment);
    }
    let [ttl, protocol] = word16(ipv4::TTL)?.to_ne_bytes();
    let ends = Ends {
        family: Family::V4,
        ttl,
        ip_len,
        src_be: v4_mapped(word32(ipv4::SRC)?),
        dst_be: v4_mapped(dst),
    };
    parse_transport(frame, protocol, ip_len - IPV4_LEN, ipv4::PAYLOAD, &ends)
}

#[inline(always)]
fn parse_ipv6<F: Frame>(frame: &F) -> Result<Packet, Reason> {
    let word32 = |offset| frame.read::<u32>(offset).ok_or(Reason::Truncated);
    let addr = |offset| -> Result<AddrBe, Reason> {
        Ok([word32(offset)?, word32(offset + 4)?, word32(offset + 8)?, word32(offset + 12)?])
    };

    let dst_be = addr(ipv6::DST)?;
    if frame.read::<u8>(ipv6::VERSION).ok_or(Reason::Truncated)? >> 4 != 6 {
        return Err(Reason::BadVersion);
    }
    let payload_len = frame.read::<u16>(ipv6::PAYLOAD_LEN).ok_or(Reason::Truncated)?;
    let payload_len = u16::from_be(payload_len);
    let Some(ip_len) = payload_len.checked_add(IPV6_LEN) else {
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
    let ends = Ends { family: Family::V6, ttl, ip_len, src_be, dst_be };
    parse_transport(frame, protocol, payload_len, ipv6::PAYLOAD, &ends)
}

/// What the IP header says.
struct Ends {
    family: Family,
    ttl: u8,
    ip_len: u16,
    src_be: AddrBe,
    dst_be: AddrBe,
}

/// `available` is what the IP header leaves for the transport header and its payload.
#[inline(always)]
fn parse_transport<F: Frame>(
    frame: &F,
    protocol: u8,
    available: u16,
    at: usize,
    ends: &Ends,
) -> Result<Packet, Reason> {
    let flags = match protocol {
        transport::TCP => tcp_flags(frame, available, at)?,
        transport::UDP => {
            udp_length_fits(frame, available, at)?;
            0
        }
        _ => return Err(Reason::OtherProtocol),
    };
    let port = |offset| frame.read::<u16>(at + offset).ok_or(Reason::Truncated);
    Ok(Packet {
        family: ends.family,
        protocol,
        ttl: ends.ttl,
        opens_flow: flags & (transport::SYN | transport::ACK) == transport::SYN,
        closes_flow: flags & (transport::FIN | transport::RST) != 0,
        ip_len: ends.ip_len,
        src_port_be: port(transport::SRC_PORT)?,
        dst_port_be: port(transport::DST_PORT)?,
        src_be: ends.src_be,
        dst_be: ends.dst_be,
    })
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
fn udp_length_fits<F: Frame>(frame: &F, available: u16, at: usize) -> Result<(), Reason> {
    if (available as usize) < transport::UDP_LEN {
        return Err(Reason::BadLength);
    }
    let length = frame.read::<u16>(at + transport::UDP_LENGTH).ok_or(Reason::Truncated)?;
    let length = u16::from_be(length);
    if (length as usize) < transport::UDP_LEN || length > available {
        return Err(Reason::BadLength);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
