//! The backend's end of `ipip` and `gue`: takes the outer headers off, so that the kernel sees the
//! packet that the client sent to the VIP.
//!
//! [`process`] is the whole program of `shunt decap`. What is addressed to none of the backend's own
//! addresses, is no tunnelled packet, or is malformed in any way passes untouched: the kernel, which
//! may have tunnel devices of its own, answers it as if the program were not there. Only one kind of
//! packet is dropped, as RFC 6040 demands: marked as having met congestion on the way, but of a
//! sender that would not understand it.
//!
//! Accepted are, in outer IPv4 without options or outer IPv6 without extension headers, and never
//! in a fragment:
//! - IPv4 and IPv6 as the payload of IP (RFC 2003, RFC 2473, RFC 4213);
//! - Generic UDP Encapsulation (draft-ietf-intarea-gue-09), in variant 1, where the inner packet
//!   follows the UDP header, and in variant 0 as far as its header says no more than that.
//!
//! The checksum of an outer IPv4 header is verified, because a wrong one could not be noticed any
//! more once the header is gone. A UDP checksum is not, whether it is zero (RFC 6935 allows that to
//! tunnels in IPv6, too) or not: it would mean to read the whole packet, and all that it protects
//! is protected again, by the checksum of the inner transport and, in IPv4, the inner header's. The
//! ports do not matter here, and the addresses are compared with lists.

use crate::{
    abi::{AddrBe, Verdict, is_v4_mapped, v4_mapped},
    csum::Delta,
    parse::Family,
    wire::{Frame, eth, ipv4, ipv6, read_link, transport, tunnel, write_link},
};

pub use self::reason::Reason;

mod ecn;
#[cfg(any(feature = "std", test))]
pub mod host;
mod reason;
#[cfg(test)]
mod tests;

/// Version of the maps' keys and values. Maps pinned by another version are never adopted.
pub const VERSION: u32 = 1;

/// Facts about a pinned set of maps as a whole.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Meta {
    /// [`VERSION`] of who made the maps; 0 in maps just created.
    pub version: u32,
    /// Unused.
    pub _pad: u32,
    /// Network namespace of the interface, by the number of its inode.
    pub netns: u64,
}

/// A source address as the allow list has it: the family, then the address. The family is there
/// because a short IPv6 prefix would cover the IPv4-mapped addresses, too.
pub type SourceKey = [u32; 5];

/// Bits of a [`SourceKey`].
pub const SOURCE_BITS: u32 = 160;
/// Bits of a [`SourceKey`] in front of an IPv4 address: the family, and what makes it IPv4-mapped.
pub const SOURCE_BITS_BEFORE_V4: u32 = 128;
/// Bits of a [`SourceKey`] in front of an IPv6 address: the family.
pub const SOURCE_BITS_BEFORE_V6: u32 = 32;

/// The key of a source in the allow list.
#[inline(always)]
pub const fn source_key(family: Family, addr: &AddrBe) -> SourceKey {
    let family = match family {
        Family::V4 => 4_u32.to_be(),
        Family::V6 => 6_u32.to_be(),
    };
    [family, addr[0], addr[1], addr[2], addr[3]]
}

/// What the decisions read, and the counters.
pub trait Tables {
    /// Whether tunnels end at an address.
    fn is_local(&self, addr: &AddrBe) -> bool;
    /// Whether tunnelled packets may come from a source.
    fn is_allowed(&self, source: &SourceKey) -> bool;
    /// Counts a packet.
    fn count(&self, reason: Reason, bytes: u64);
}

/// Decides on a frame, takes its outer headers off if they are to go, and counts it.
#[inline(always)]
pub fn process<F: Frame, T: Tables>(frame: &mut F, tables: &T) -> Verdict {
    let bytes = frame.len() as u64;
    let (verdict, reason) = match inspect(frame, tables) {
        // What cannot be finished was begun, and is not what arrived any more.
        Ok(inner) => match strip(frame, &inner) {
            Some(()) => (Verdict::Pass, Reason::Decapsulated),
            None => (Verdict::Drop, Reason::Truncated),
        },
        Err(Reason::CongestionLoss) => (Verdict::Drop, Reason::CongestionLoss),
        Err(reason) => (Verdict::Pass, reason),
    };
    tables.count(reason, bytes);
    verdict
}

/// The inner packet of a frame that is to be decapsulated.
struct Inner {
    family: Family,
    /// Bytes between the Ethernet header and the inner packet.
    outer_len: usize,
    /// Congestion mark that it arrived with.
    ecn: u8,
    /// Congestion mark that it leaves with.
    new_ecn: u8,
}

/// What the outer IP header says.
struct Outer {
    ecn: u8,
    protocol: u8,
    /// Where the payload begins.
    payload: usize,
    /// Bytes of the payload.
    available: usize,
}

#[inline(always)]
fn inspect<F: Frame, T: Tables>(frame: &F, tables: &T) -> Result<Inner, Reason> {
    let outer = match frame.read::<u16>(eth::TYPE) {
        Some(eth::IPV4_BE) => outer_ipv4(frame, tables)?,
        Some(eth::IPV6_BE) => outer_ipv6(frame, tables)?,
        Some(_) => return Err(Reason::NotIp),
        None => return Err(Reason::Truncated),
    };
    let (family, at, available) = match outer.protocol {
        tunnel::IPV4 => (Family::V4, outer.payload, outer.available),
        tunnel::IPV6 => (Family::V6, outer.payload, outer.available),
        _ => gue(frame, outer.payload, outer.available)?,
    };
    let outer_len = at - eth::LEN;
    let ecn = match family {
        Family::V4 => inner_ipv4(frame, outer_len, available)?,
        Family::V6 => inner_ipv6(frame, outer_len, available)?,
    };
    match ecn::decapsulated(outer.ecn, ecn) {
        Some(new_ecn) => Ok(Inner { family, outer_len, ecn, new_ecn }),
        None => Err(Reason::CongestionLoss),
    }
}

/// Whether an outer packet carries another, as far as protocol and port tell. `at` is where UDP
/// begins.
#[inline(always)]
fn require_tunnel<F: Frame>(frame: &F, protocol: u8, at: usize) -> Result<(), Reason> {
    match protocol {
        tunnel::IPV4 | tunnel::IPV6 => Ok(()),
        transport::UDP => {
            let port = frame.read::<u16>(at + transport::DST_PORT).ok_or(Reason::Truncated)?;
            if u16::from_be(port) == tunnel::GUE_PORT { Ok(()) } else { Err(Reason::NotTunnelled) }
        }
        _ => Err(Reason::NotTunnelled),
    }
}

/// Whether the ends of the tunnel are those that the lists name.
#[inline(always)]
fn require_ends<T: Tables>(
    tables: &T,
    family: Family,
    src: &AddrBe,
    dst: &AddrBe,
) -> Result<(), Reason> {
    if !tables.is_local(dst) {
        return Err(Reason::NotLocal);
    }
    if !tables.is_allowed(&source_key(family, src)) {
        return Err(Reason::SourceNotAllowed);
    }
    Ok(())
}

#[inline(always)]
fn outer_ipv4<F: Frame, T: Tables>(frame: &F, tables: &T) -> Result<Outer, Reason> {
    let word16 = |offset| frame.read::<u16>(offset).ok_or(Reason::Truncated);
    let word32 = |offset| frame.read::<u32>(offset).ok_or(Reason::Truncated);

    // The last field first: where it is readable, all are.
    let dst = word32(ipv4::DST)?;
    let [_, protocol] = word16(ipv4::TTL)?.to_ne_bytes();
    if !matches!(protocol, tunnel::IPV4 | tunnel::IPV6 | transport::UDP) {
        return Err(Reason::NotTunnelled);
    }
    let [version_ihl, tos] = word16(ipv4::VERSION_IHL)?.to_ne_bytes();
    match version_ihl {
        0x45 => {}
        0x46..=0x4f => return Err(Reason::OuterOptions),
        0x40..=0x44 => return Err(Reason::BadLength),
        _ => return Err(Reason::BadVersion),
    }
    if word16(ipv4::FRAGMENT)? & ipv4::FRAGMENT_MASK_BE != 0 {
        return Err(Reason::Fragment);
    }
    require_tunnel(frame, protocol, ipv4::PAYLOAD)?;
    let src = word32(ipv4::SRC)?;
    require_ends(tables, Family::V4, &v4_mapped(src), &v4_mapped(dst))?;

    // With its checksum, a header sums up to nothing.
    let sum = Delta::new()
        .added(word32(ipv4::VERSION_IHL)?)
        .added(word32(ipv4::VERSION_IHL + 4)?)
        .added(word32(ipv4::VERSION_IHL + 8)?)
        .added(src)
        .added(dst);
    if !sum.is_right() {
        return Err(Reason::BadChecksum);
    }
    let ip_len = u16::from_be(word16(ipv4::TOTAL_LEN)?) as usize;
    if ip_len < ipv4::LEN || ip_len > frame.len() - eth::LEN {
        return Err(Reason::BadLength);
    }
    let available = ip_len - ipv4::LEN;
    Ok(Outer { ecn: tos & ecn::MASK, protocol, payload: ipv4::PAYLOAD, available })
}

#[inline(always)]
fn outer_ipv6<F: Frame, T: Tables>(frame: &F, tables: &T) -> Result<Outer, Reason> {
    /// IPv6 extension header of fragments.
    const FRAGMENT: u8 = 44;

    let word16 = |offset| frame.read::<u16>(offset).ok_or(Reason::Truncated);
    let word32 = |offset| frame.read::<u32>(offset).ok_or(Reason::Truncated);
    let addr = |offset| -> Result<AddrBe, Reason> {
        Ok([word32(offset)?, word32(offset + 4)?, word32(offset + 8)?, word32(offset + 12)?])
    };

    let dst = addr(ipv6::DST)?;
    let [protocol, _] = word16(ipv6::NEXT_HEADER)?.to_ne_bytes();
    match protocol {
        tunnel::IPV4 | tunnel::IPV6 | transport::UDP => {}
        FRAGMENT => return Err(Reason::Fragment),
        _ => return Err(Reason::NotTunnelled),
    }
    let version_class = u16::from_be(word16(ipv6::VERSION)?);
    if version_class >> 12 != 6 {
        return Err(Reason::BadVersion);
    }
    require_tunnel(frame, protocol, ipv6::PAYLOAD)?;
    // The tables keep IPv4 addresses in this form. On the wire it means nothing.
    if is_v4_mapped(&dst) {
        return Err(Reason::NotLocal);
    }
    require_ends(tables, Family::V6, &addr(ipv6::SRC)?, &dst)?;

    let available = u16::from_be(word16(ipv6::PAYLOAD_LEN)?) as usize;
    if available > frame.len() - ipv6::PAYLOAD {
        return Err(Reason::BadLength);
    }
    let ecn = ecn::of_class(version_class);
    Ok(Outer { ecn, protocol, payload: ipv6::PAYLOAD, available })
}

/// Length of the GUE header of variant 0 without extension fields.
const GUE_LEN: usize = 4;
/// GUE header of variant 0 before IPv4: two bits of the variant, the control bit and five of the
/// header's length are all zero; then the protocol, and two bytes of flags.
const VARIANT_0_IPV4: [u8; GUE_LEN] = [0, tunnel::IPV4, 0, 0];
/// As [`VARIANT_0_IPV4`], before IPv6.
const VARIANT_0_IPV6: [u8; GUE_LEN] = [0, tunnel::IPV6, 0, 0];

/// Family, place and room of the packet within GUE. `at` is where the UDP header begins.
#[inline(always)]
fn gue<F: Frame>(frame: &F, at: usize, available: usize) -> Result<(Family, usize, usize), Reason> {
    let length = frame.read::<u16>(at + transport::UDP_LENGTH).ok_or(Reason::Truncated)?;
    let length = u16::from_be(length) as usize;
    // Behind the UDP header there are four bytes in either variant.
    if length < transport::UDP_LEN + GUE_LEN || length > available {
        return Err(Reason::BadLength);
    }
    let (at, available) = (at + transport::UDP_LEN, length - transport::UDP_LEN);
    let header = frame.read::<u32>(at).ok_or(Reason::Truncated)?;
    match header.to_ne_bytes() {
        // Variant 1: its number, the first two bits, is also the first half of the IP version.
        [0x40..=0x4f, ..] => Ok((Family::V4, at, available)),
        [0x60..=0x6f, ..] => Ok((Family::V6, at, available)),
        VARIANT_0_IPV4 => Ok((Family::V4, at + GUE_LEN, available - GUE_LEN)),
        VARIANT_0_IPV6 => Ok((Family::V6, at + GUE_LEN, available - GUE_LEN)),
        _ => Err(Reason::GueNotUnderstood),
    }
}

/// Checks an inner IPv4 header; its congestion mark. The inner packet may be shorter than the room
/// for it, as packets in short Ethernet frames are.
#[inline(always)]
fn inner_ipv4<F: Frame>(frame: &F, outer_len: usize, available: usize) -> Result<u8, Reason> {
    if available < ipv4::LEN {
        return Err(Reason::BadLength);
    }
    let word16 = |offset| frame.read::<u16>(outer_len + offset).ok_or(Reason::Truncated);
    let [version_ihl, tos] = word16(ipv4::VERSION_IHL)?.to_ne_bytes();
    if version_ihl >> 4 != 4 {
        return Err(Reason::BadVersion);
    }
    let header = (version_ihl & 0x0f) as usize * 4;
    let ip_len = u16::from_be(word16(ipv4::TOTAL_LEN)?) as usize;
    if header < ipv4::LEN || ip_len < header || ip_len > available {
        return Err(Reason::BadLength);
    }
    Ok(tos & ecn::MASK)
}

/// As [`inner_ipv4`], for IPv6.
#[inline(always)]
fn inner_ipv6<F: Frame>(frame: &F, outer_len: usize, available: usize) -> Result<u8, Reason> {
    if available < ipv6::LEN {
        return Err(Reason::BadLength);
    }
    let word16 = |offset| frame.read::<u16>(outer_len + offset).ok_or(Reason::Truncated);
    let version_class = u16::from_be(word16(ipv6::VERSION)?);
    if version_class >> 12 != 6 {
        return Err(Reason::BadVersion);
    }
    if u16::from_be(word16(ipv6::PAYLOAD_LEN)?) as usize > available - ipv6::LEN {
        return Err(Reason::BadLength);
    }
    Ok(ecn::of_class(version_class))
}

/// Takes the outer headers off. The Ethernet header stays, with the type of the inner packet.
#[inline(always)]
fn strip<F: Frame>(frame: &mut F, inner: &Inner) -> Option<()> {
    let link = read_link(frame)?;
    frame.shrink_head(inner.outer_len)?;
    write_link(frame, &link)?;
    let ether_type = match inner.family {
        Family::V4 => eth::IPV4_BE,
        Family::V6 => eth::IPV6_BE,
    };
    frame.write(eth::TYPE, ether_type)?;
    match inner.family {
        _ if inner.new_ecn == inner.ecn => Some(()),
        Family::V4 => ecn::mark_ipv4(frame, inner.new_ecn),
        Family::V6 => ecn::mark_ipv6(frame, inner.new_ecn),
    }
}

const _: () = assert!(size_of::<Meta>() == 16);

#[cfg(feature = "user")]
#[expect(unsafe_code, reason = "aya::Pod is an unsafe trait")]
mod pod {
    // SAFETY: repr(C), made of integers only, without padding that is not a named field.
    unsafe impl aya::Pod for super::Meta {}
}
