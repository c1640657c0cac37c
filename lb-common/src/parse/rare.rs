//! The packets that few are: with IPv4 options or IPv6 extension headers, fragments, and what an ICMP
//! error quotes.
//!
//! All walks are bounded, because the verifier wants to see their end, and so that nobody can make a
//! packet that takes long.

use super::{Family, IPV4_LEN, IPV6_LEN, Packet, Wholeness, fixed_ipv6};
use crate::{
    abi::{AddrBe, Endpoint, Reason, is_v4_mapped, v4_mapped},
    csum::Delta,
    vlan::Tags,
    wire::{Frame, eth, icmp, ipv4, ipv6, transport},
};

/// Words of the longest IPv4 options (RFC 791 section 3.1: a header has at most 60 bytes).
const OPTION_WORDS: usize = 10;
/// Extension headers that are followed: one of each kind, and one more.
const EXTENSIONS: usize = 5;
/// Bytes of extension headers that are followed.
const MOST_EXTENSIONS: u16 = 128;

/// What is known of a rare packet, in memory of its own: the program's 512 bytes of stack have no room
/// for it, and one stage hands it to the next.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Bytes of the frame as it came.
    pub bytes: u64,
    /// Tags that it came with.
    pub tags: Tags,
    /// The packet.
    pub network: Network,
    /// What it quotes, if it is an ICMP error.
    pub quoted: Quoted,
    /// A packet of the flow that is quoted, in the direction to its new receiver's other end.
    pub flow: Packet,
    /// Service that refuses it.
    pub service: u32,
    /// Largest packet that it would not refuse.
    pub most: u32,
    /// Why it does.
    pub reason: Reason,
}

/// Something that no packet left there.
#[cfg(any(feature = "std", test))]
impl Default for Work {
    fn default() -> Self {
        const WRONG: AddrBe = [0xeeee_eeee; 4];
        const PACKET: Packet = Packet::new(Family::V6, 0xee, 0xee, 0xeeee, (WRONG, WRONG));
        const END: Endpoint = Endpoint { addr_be: WRONG, port_be: 0xeeee, protocol: 0xee, wide: 0 };
        Self {
            network: Network { packet: PACKET, id_be: 0xeeee_eeee, available: 0xeeee },
            quoted: Quoted {
                source: END,
                destination: END,
                from: 0xee,
                transport: 0xee,
                has_checksum: true,
            },
            flow: PACKET,
            bytes: 0xeeee,
            tags: Tags::WRONG,
            service: 0xeeee,
            most: 0xeeee,
            reason: Reason::NotOurs,
        }
    }
}

/// What the network layer says of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// The packet. Its transport header is yet to be read.
    pub packet: Packet,
    /// Identification that all its fragments share; 0 if it is whole.
    pub id_be: u32,
    /// Bytes of the payload.
    available: u16,
}

impl Network {
    /// Whether its payload is TCP or UDP.
    #[inline(always)]
    pub const fn is_balanced(&self) -> bool {
        self.packet.protocol == transport::TCP || self.packet.protocol == transport::UDP
    }

    /// Whether its payload is ICMP of its family.
    #[inline(always)]
    pub const fn is_icmp(&self) -> bool {
        match self.packet.family {
            Family::V4 => self.packet.protocol == icmp::V4,
            Family::V6 => self.packet.protocol == icmp::V6,
        }
    }

    /// Reads the TCP or UDP header.
    #[inline(always)]
    pub fn read_transport<F: Frame>(&mut self, frame: &F) -> Result<(), Reason> {
        self.packet.read_transport(frame, self.available)
    }
}

/// Reads the network layer of a frame without tags.
#[inline(always)]
pub fn network<F: Frame>(frame: &F, into: &mut Network) -> Result<(), Reason> {
    match frame.read::<u16>(eth::TYPE) {
        Some(eth::IPV4_BE) => network_ipv4(frame, into),
        Some(eth::IPV6_BE) => network_ipv6(frame, into),
        Some(_) => Err(Reason::NotIp),
        None => Err(Reason::Truncated),
    }
}

#[inline(always)]
fn network_ipv4<F: Frame>(frame: &F, into: &mut Network) -> Result<(), Reason> {
    let word = |offset| frame.read::<u32>(offset).ok_or(Reason::Truncated);

    let dst = word(ipv4::DST)?;
    let first = word(ipv4::VERSION_IHL)?;
    let [version_ihl, _, high, low] = first.to_ne_bytes();
    if version_ihl >> 4 != 4 {
        return Err(Reason::BadVersion);
    }
    let header = u16::from(version_ihl & 0x0f) * 4;
    let ip_len = u16::from_be_bytes([high, low]);
    if header < IPV4_LEN || ip_len < header || ip_len as usize > frame.len() - eth::LEN {
        return Err(Reason::BadLength);
    }
    let extra = header - IPV4_LEN;
    let (second, third, src) = (word(ipv4::ID)?, word(ipv4::TTL)?, word(ipv4::SRC)?);
    let mut sum = Delta::new().added(first).added(second).added(third).added(src).added(dst);
    for option in 0..OPTION_WORDS {
        if option * 4 < extra as usize {
            sum = sum.added(word(ipv4::PAYLOAD + option * 4)?);
        }
    }
    if !sum.is_right() {
        return Err(Reason::BadChecksum);
    }
    let [id_high, id_low, flags, offset] = second.to_ne_bytes();
    let id_be = u32::from(u16::from_ne_bytes([id_high, id_low]));
    let fragment = u16::from_ne_bytes([flags, offset]);
    let wholeness = if fragment & ipv4::OFFSET_MASK_BE != 0 {
        Wholeness::Later
    } else if fragment & ipv4::MORE_FRAGMENTS_BE != 0 {
        Wholeness::First(id_be)
    } else {
        Wholeness::Whole
    };
    let [ttl, protocol, _, _] = third.to_ne_bytes();
    let ends = (v4_mapped(src), v4_mapped(dst));
    into.packet = Packet::new(Family::V4, protocol, ttl, ip_len, ends);
    (into.packet.wholeness, into.packet.extra) = (wholeness, extra);
    (into.id_be, into.available) = (id_be, ip_len - header);
    Ok(())
}

#[inline(always)]
fn network_ipv6<F: Frame>(frame: &F, into: &mut Network) -> Result<(), Reason> {
    into.packet = fixed_ipv6(frame)?;
    let packet = &mut into.packet;
    let chain =
        Chain { protocol: packet.protocol, length: 0, wholeness: Wholeness::Whole, id_be: 0 };
    let chain = follow(frame, chain)?;
    let payload = packet.ip_len - IPV6_LEN;
    into.available = payload.checked_sub(chain.length).ok_or(Reason::BadLength)?;
    into.id_be = chain.id_be;
    (packet.protocol, packet.wholeness) = (chain.protocol, chain.wholeness);
    packet.extra = chain.length;
    Ok(())
}

/// Extension headers up to a place, and what comes next.
#[derive(Clone, Copy)]
struct Chain {
    protocol: u8,
    length: u16,
    wholeness: Wholeness,
    id_be: u32,
}

impl Chain {
    /// Whether the payload comes next, or what is in another fragment.
    #[inline(always)]
    const fn has_ended(&self) -> bool {
        !is_extension(self.protocol) || matches!(self.wholeness, Wholeness::Later)
    }
}

/// Follows the extension headers of an IPv6 packet (RFC 8200 section 4).
#[inline(always)]
fn follow<F: Frame>(frame: &F, mut chain: Chain) -> Result<Chain, Reason> {
    for _ in 0..EXTENSIONS {
        if chain.length > MOST_EXTENSIONS {
            return Err(Reason::LongExtensions);
        }
        if chain.has_ended() {
            return Ok(chain);
        }
        chain = next(frame, chain)?;
    }
    if chain.has_ended() && chain.length <= MOST_EXTENSIONS {
        return Ok(chain);
    }
    Err(Reason::LongExtensions)
}

/// The chain with one header more.
#[inline(always)]
fn next<F: Frame>(frame: &F, chain: Chain) -> Result<Chain, Reason> {
    let at = ipv6::PAYLOAD + chain.length as usize;
    let first = frame.read::<u32>(at).ok_or(Reason::Truncated)?;
    let [protocol, units, high, low] = first.to_ne_bytes();
    if chain.protocol == ipv6::FRAGMENT {
        let id_be = frame.read::<u32>(at + ipv6::FRAGMENT_ID).ok_or(Reason::Truncated)?;
        let place = u16::from_ne_bytes([high, low]);
        let wholeness = if place & ipv6::OFFSET_MASK_BE != 0 {
            Wholeness::Later
        } else if place & ipv6::MORE_FRAGMENTS_BE != 0 {
            Wholeness::First(id_be)
        } else {
            // An atomic fragment (RFC 6946).
            Wholeness::Whole
        };
        return Ok(Chain { protocol, length: chain.length + UNIT, wholeness, id_be });
    }
    // The packet is on its way to somewhere else first.
    if chain.protocol == ipv6::ROUTING && low != 0 {
        return Err(Reason::NotOurs);
    }
    let length = chain.length + (u16::from(units) + 1) * UNIT;
    Ok(Chain { protocol, length, ..chain })
}

#[expect(clippy::cast_possible_truncation, reason = "eight fits easily")]
const UNIT: u16 = ipv6::EXTENSION_UNIT as u16;

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::FRAGMENT | ipv6::DESTINATION)
}

/// The packet that an ICMP error is about, as far as it is quoted.
#[derive(Clone, Copy, Debug)]
pub struct Quoted {
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it went.
    pub destination: Endpoint,
    /// Where an Ethernet header would begin in the frame if the quoted IP header stood behind one: from
    /// there, the offsets of header fields are the usual ones.
    pub from: u16,
    /// Where its transport header begins in the frame.
    pub transport: u16,
    /// Whether its TCP or UDP checksum is quoted, too.
    pub has_checksum: bool,
}

/// Reads what an ICMP error quotes (RFC 792, RFC 4443 section 2.4): IP header, and at least the ports.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "offsets of words that were read")]
pub fn quoted<F: Frame>(frame: &F, packet: &Packet, into: &mut Quoted) -> Result<(), Reason> {
    let at = packet.transport() + icmp::LEN;
    // An IP header at an offset of the frame, by the offsets of one behind the Ethernet header.
    let from = at - eth::LEN;
    let word = |offset| frame.read::<u32>(from + offset).ok_or(Reason::BadLength);
    let (protocol, src_be, dst_be, header) = match packet.family {
        Family::V4 => {
            let [version_ihl, _, _, _] = word(ipv4::VERSION_IHL)?.to_ne_bytes();
            let header = (version_ihl & 0x0f) as usize * 4;
            let [_, _, flags, offset] = word(ipv4::ID)?.to_ne_bytes();
            let is_later = u16::from_ne_bytes([flags, offset]) & ipv4::OFFSET_MASK_BE != 0;
            if version_ihl >> 4 != 4 || header < ipv4::LEN || is_later {
                return Err(Reason::OtherProtocol);
            }
            let [_, protocol, _, _] = word(ipv4::TTL)?.to_ne_bytes();
            (protocol, v4_mapped(word(ipv4::SRC)?), v4_mapped(word(ipv4::DST)?), header)
        }
        Family::V6 => {
            let addr = |offset| -> Result<AddrBe, Reason> {
                Ok([word(offset)?, word(offset + 4)?, word(offset + 8)?, word(offset + 12)?])
            };
            let [version, _, _, _] = word(ipv6::VERSION)?.to_ne_bytes();
            if version >> 4 != 6 {
                return Err(Reason::OtherProtocol);
            }
            let [_, _, protocol, _] = word(ipv6::PAYLOAD_LEN)?.to_ne_bytes();
            let (src_be, dst_be) = (addr(ipv6::SRC)?, addr(ipv6::DST)?);
            if is_v4_mapped(&src_be) || is_v4_mapped(&dst_be) {
                return Err(Reason::NotOurs);
            }
            (protocol, src_be, dst_be, ipv6::LEN)
        }
    };
    if protocol != transport::TCP && protocol != transport::UDP {
        return Err(Reason::OtherProtocol);
    }
    let transport = at + header;
    let ports = frame.read::<u32>(transport).ok_or(Reason::BadLength)?.to_ne_bytes();
    let checksum =
        if protocol == transport::TCP { transport::TCP_CHECKSUM } else { transport::UDP_CHECKSUM };
    let end = eth::LEN + packet.ip_len as usize;
    if transport + 4 > end {
        return Err(Reason::BadLength);
    }
    let endpoint = |addr_be, port: [u8; 2]| Endpoint {
        addr_be,
        port_be: u16::from_ne_bytes(port),
        protocol,
        wide: 0,
    };
    into.source = endpoint(src_be, [ports[0], ports[1]]);
    into.destination = endpoint(dst_be, [ports[2], ports[3]]);
    (into.from, into.transport) = (from as u16, transport as u16);
    into.has_checksum = transport + checksum + 2 <= end;
    Ok(())
}

#[cfg(test)]
mod tests;
