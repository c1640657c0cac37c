//! Every key and value that crosses the BPF boundary.
//!
//! All structures have fixed widths, named padding and asserted sizes. A field in network byte
//! order says so in its name (`_be`): it holds the bytes as they stand in the packet, whatever the
//! byte order of the machine. Addresses are four such words; an IPv4 address is stored in its
//! IPv4-mapped form (RFC 4291 section 2.5.5.2), so one table serves both families.

pub use self::reason::{Reason, Verdict};

mod reason;

/// Version of everything in this module. Maps pinned by another version are never adopted.
pub const ABI_VERSION: u32 = 1;

/// An IPv6 or IPv4-mapped address, as it stands in the packet.
pub type AddrBe = [u32; 4];

/// Third word of an IPv4-mapped address.
pub const V4_MAPPED_BE: u32 = 0xffff_u32.to_be();

/// The IPv4-mapped form of an IPv4 address word.
#[inline(always)]
pub const fn v4_mapped(addr_be: u32) -> AddrBe {
    [0, 0, V4_MAPPED_BE, addr_be]
}

/// Whether an address is IPv4-mapped.
#[inline(always)]
pub const fn is_v4_mapped(addr: &AddrBe) -> bool {
    addr[0] == 0 && addr[1] == 0 && addr[2] == V4_MAPPED_BE
}

/// Facts about a pinned set of maps as a whole.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Meta {
    /// [`ABI_VERSION`] of the daemon that made the maps; 0 in maps just created.
    pub abi_version: u32,
    /// Unused.
    pub _pad: u32,
}

/// An address, port and protocol: of a VIP or of a backend.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// Address.
    pub addr_be: AddrBe,
    /// Port.
    pub port_be: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero, because it is part of the key.
    pub _pad: u8,
}

/// The layer-4 service behind an [`Endpoint`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// Row of the service in the packet counters, from 1.
    pub id: u32,
    /// First slot of its ring.
    pub ring_base: u32,
    /// Slots of its ring, less one; the number of slots is a power of two.
    pub ring_mask: u32,
    /// A [`ForwardMode`] code.
    pub mode: u8,
    /// Unused.
    pub _pad: [u8; 3],
    /// Seed of the flow hash, equal on all balancers of a fleet.
    pub seed: u64,
}

/// Where packets to a backend go.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Backend {
    /// Hash of pool and address, by which a new daemon recognises the entry; 0 in unused ones.
    pub identity: u64,
    /// Address.
    pub addr_be: AddrBe,
    /// Port.
    pub port_be: u16,
    /// [`BACKEND_RESOLVED`] or 0.
    pub flags: u16,
    /// Interface that leads to it.
    pub ifindex: u32,
    /// Destination and source MAC address: the first 12 bytes of the frame.
    pub link: [u32; 3],
    /// Largest IP packet, in bytes, that fits that interface.
    pub mtu: u32,
}

/// The next hop of a [`Backend`] is known: `ifindex`, `link` and `mtu` are valid.
pub const BACKEND_RESOLVED: u16 = 1;

/// The service whose packets an [`Endpoint`] of a `nat` backend answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Address of the VIP.
    pub vip_be: AddrBe,
    /// Port of the VIP.
    pub port_be: u16,
    /// Unused.
    pub _pad: u16,
    /// Counter row of the service.
    pub service: u32,
    /// Backend id.
    pub backend: u32,
}

/// One direction of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct FlowKey {
    /// Source address.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero, because it is part of the key.
    pub _pad: [u8; 3],
}

/// Packets, and their bytes from the Ethernet header on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl core::ops::AddAssign for Counter {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// How a packet reaches its backend.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ForwardMode {
    /// Destination address and port are rewritten; replies come back through the balancer.
    Nat = 1,
    /// Only MAC addresses are rewritten; the backend holds the VIP and replies directly.
    Dsr = 2,
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<Meta>() == 8);
    assert!(size_of::<Endpoint>() == 20);
    assert!(size_of::<Service>() == 24 && offset_of!(Service, seed) == 16);
    assert!(size_of::<Backend>() == 48 && offset_of!(Backend, link) == 32);
    assert!(size_of::<Origin>() == 28 && offset_of!(Origin, service) == 20);
    assert!(size_of::<FlowKey>() == 40);
    assert!(size_of::<Counter>() == 16);
};

#[cfg(feature = "user")]
#[expect(unsafe_code, reason = "aya::Pod is an unsafe trait")]
mod pod {
    use super::{Backend, Counter, Endpoint, FlowKey, Meta, Origin, Service};

    macro_rules! pod {
        ($($name:ident),+) => {$(
            // SAFETY: repr(C), made of integers only, and the assertions above leave no room for
            // padding that is not a named field.
            unsafe impl aya::Pod for $name {}
        )+};
    }

    pod!(Meta, Endpoint, Service, Backend, Origin, FlowKey, Counter);
}
