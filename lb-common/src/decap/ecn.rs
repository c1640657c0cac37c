//! Congestion marks (ECN, RFC 3168) of a packet that leaves a tunnel: RFC 6040.

use crate::{
    csum::Delta,
    wire::{Frame, ipv4, ipv6},
};

/// The congestion mark within the type of service or the traffic class (RFC 3168 section 5).
pub(super) const MASK: u8 = 0x03;
/// Not capable of it.
const NOT_ECT: u8 = 0;
/// Capable of it, in its second form.
const ECT_1: u8 = 1;
/// Capable of it, in its usual form.
const ECT_0: u8 = 2;
/// Congestion was met.
const CE: u8 = 3;

/// The congestion mark in the first two bytes of an IPv6 header, in host order.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "masked")]
pub(super) const fn of_class(version_class: u16) -> u8 {
    (version_class >> 4) as u8 & MASK
}

/// The congestion mark of the inner packet when it leaves the tunnel, by the table of RFC 6040
/// section 4.2; `None` if the packet must be dropped.
#[inline(always)]
pub(super) const fn decapsulated(outer: u8, inner: u8) -> Option<u8> {
    match (inner, outer) {
        (NOT_ECT, CE) => None,
        (NOT_ECT, _) => Some(NOT_ECT),
        (_, CE) => Some(CE),
        (ECT_0, ECT_1) => Some(ECT_1),
        _ => Some(inner),
    }
}

/// The checksum is updated, not computed anew, so that damage stays visible.
#[inline(always)]
pub(super) fn mark_ipv4<F: Frame>(frame: &mut F, ecn: u8) -> Option<()> {
    let old: u16 = frame.read(ipv4::VERSION_IHL)?;
    let [version_ihl, tos] = old.to_ne_bytes();
    let new = u16::from_ne_bytes([version_ihl, tos & !MASK | ecn]);
    let checksum = frame.read(ipv4::CHECKSUM)?;
    frame.write(ipv4::CHECKSUM, Delta::new().word16(old, new).apply(checksum))?;
    frame.write(ipv4::VERSION_IHL, new)
}

#[inline(always)]
pub(super) fn mark_ipv6<F: Frame>(frame: &mut F, ecn: u8) -> Option<()> {
    const CLASS_MASK: u16 = (MASK as u16) << 4;
    let old = u16::from_be(frame.read(ipv6::VERSION)?);
    let new = old & !CLASS_MASK | u16::from(ecn) << 4;
    frame.write(ipv6::VERSION, new.to_be())
}
