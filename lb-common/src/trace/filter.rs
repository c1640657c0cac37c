//! Which packets are wanted.

use super::{Capture, Ends};
use crate::{
    abi::{AddrBe, is_v4_mapped},
    limits::trace::MAX_ENDS,
    wire::icmp,
};

/// In the place of a [`Reason`](crate::abi::Reason) code, whose codes begin with 0: any.
pub const ANY_REASON: u8 = u8::MAX;

/// In [`EndFilter::sides`]: the source.
pub const SOURCE: u8 = 1;
/// In [`EndFilter::sides`]: the destination.
pub const DESTINATION: u8 = 2;
/// In [`EndFilter::sides`]: either.
pub const BOTH: u8 = SOURCE | DESTINATION;

/// Conditions, all of which must hold.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Filter {
    /// From this tick on nothing is wanted any more, so that a trace which nobody ends costs little.
    pub until: u32,
    /// Counter row of the service; 0 for any.
    pub service: u32,
    /// Address of the backend.
    pub backend_be: AddrBe,
    /// Port of the backend; 0 for any backend, and for none.
    pub backend_port_be: u16,
    /// Transport protocol; 0 for any. That of ICMP stands for both versions.
    pub protocol: u8,
    /// An [`Ending`](super::Ending) code; 0 for any.
    pub ending: u8,
    /// A [`Reason`](crate::abi::Reason) code, or [`ANY_REASON`].
    pub reason: u8,
    /// Unused.
    pub _pad: [u8; 3],
    /// Conditions on addresses and ports.
    pub ends: [EndFilter; MAX_ENDS],
}

/// A condition on one end of a packet, as it came or as it leaves.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EndFilter {
    /// Bits of the address that count.
    pub mask_be: AddrBe,
    /// What they are.
    pub addr_be: AddrBe,
    /// Port; 0 for any.
    pub port_be: u16,
    /// [`SOURCE`], [`DESTINATION`] or [`BOTH`]; 0 for no condition.
    pub sides: u8,
    /// The address is of IPv6: 1, or 0. The mask tells that of IPv4.
    pub is_v6: u8,
}

impl Filter {
    /// Wants everything, until some tick.
    pub const fn all(until: u32) -> Self {
        let none = EndFilter { mask_be: [0; 4], addr_be: [0; 4], port_be: 0, sides: 0, is_v6: 0 };
        Self {
            until,
            service: 0,
            backend_be: [0; 4],
            backend_port_be: 0,
            protocol: 0,
            ending: 0,
            reason: ANY_REASON,
            _pad: [0; 3],
            ends: [none; MAX_ENDS],
        }
    }

    /// Whether nothing is wanted any more.
    #[inline(always)]
    pub const fn is_over(&self, tick: u32) -> bool {
        // Ticks turn after 146 years; the half of that tells before from after.
        tick.wrapping_sub(self.until) < 1 << 31
    }

    /// Whether a packet is wanted.
    #[inline(always)]
    pub fn wants(&self, packet: &Capture) -> bool {
        let record = &packet.record;
        let named = (self.service == 0 || self.service == record.service)
            && (self.ending == 0 || self.ending == record.ending)
            && (self.reason == ANY_REASON || self.reason == record.reason);
        if !named {
            return false;
        }
        if self.protocol != 0 && !self.is_of(&packet.before) && !self.is_of(&packet.after) {
            return false;
        }
        if self.backend_port_be != 0
            && (self.backend_port_be != record.backend_port_be
                || !is_equal(&self.backend_be, &record.backend_be, &[u32::MAX; 4]))
        {
            return false;
        }
        for end in &self.ends {
            if end.sides != 0 && !end.holds(&packet.before) && !end.holds(&packet.after) {
                return false;
            }
        }
        true
    }

    #[inline(always)]
    fn is_of(&self, ends: &Ends) -> bool {
        let same = self.protocol == ends.protocol;
        let icmp = self.protocol == icmp::V4 && ends.protocol == icmp::V6;
        ends.has_addresses != 0 && (same || icmp)
    }
}

impl EndFilter {
    #[inline(always)]
    fn holds(&self, ends: &Ends) -> bool {
        if ends.has_addresses == 0 || (self.port_be != 0 && ends.has_ports == 0) {
            return false;
        }
        (self.sides & SOURCE != 0 && self.is(&ends.src_be, ends.src_port_be))
            || (self.sides & DESTINATION != 0 && self.is(&ends.dst_be, ends.dst_port_be))
    }

    #[inline(always)]
    fn is(&self, addr: &AddrBe, port_be: u16) -> bool {
        (self.port_be == 0 || self.port_be == port_be)
            && is_equal(&self.addr_be, addr, &self.mask_be)
            && (self.is_v6 == 0 || !is_v4_mapped(addr))
    }
}

/// Whether the bits of a mask are the same. Without branches, which the verifier would have to follow.
#[inline(always)]
const fn is_equal(one: &AddrBe, other: &AddrBe, mask: &AddrBe) -> bool {
    let first = (one[0] ^ other[0]) & mask[0] | (one[1] ^ other[1]) & mask[1];
    let last = (one[2] ^ other[2]) & mask[2] | (one[3] ^ other[3]) & mask[3];
    first | last == 0
}
