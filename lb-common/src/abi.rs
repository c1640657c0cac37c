//! Every key and value that crosses the BPF boundary.
//!
//! All structures have fixed widths, named padding and asserted sizes. A field in network byte
//! order says so in its name (`_be`): it holds the bytes as they stand in the packet, whatever the
//! byte order of the machine. Addresses are four such words; an IPv4 address is stored in its
//! IPv4-mapped form (RFC 4291 section 2.5.5.2), so one table serves both families.

pub use self::explanation::{Explanation, Why};
pub use self::flow::{Flow, FlowKey, FlowState, Return, Scratch};
pub use self::fragment::{FragmentKey, Ports};
pub(crate) use self::reason::reasons;
pub use self::reason::{Reason, Verdict};
pub use self::service::{
    Limits, NoBackend, PortRange, Ranges, Scheduler, SourceBucket, SourceKey, SourceRule,
};

mod explanation;
mod flow;
mod fragment;
#[cfg(feature = "user")]
mod pod;
mod reason;
mod service;

/// Version of everything in this module. Maps pinned by another version are never adopted.
pub const ABI_VERSION: u32 = 4;

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
    addr[0] | addr[1] == 0 && addr[2] == V4_MAPPED_BE
}

/// Facts about a pinned set of maps as a whole.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Meta {
    /// [`ABI_VERSION`] of the daemon that made the maps; 0 in maps just created.
    pub abi_version: u32,
    /// [`META_RANGES`] and [`META_WIDE_ORIGINS`].
    pub flags: u32,
}

/// There are services with ranges of ports: what is for no other may be for one of them.
pub const META_RANGES: u32 = 1;
/// Some of them translate: any port of their backends may reply.
pub const META_WIDE_ORIGINS: u32 = 1 << 1;

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
    /// 0 for what stands in a packet. 1 where `port_be` is the first of a range of ports, or 0 for what an
    /// address has of ranges ([`Ranges`]) or of replies from any port.
    pub wide: u8,
}

impl Endpoint {
    /// The key of what there is at any port of the address.
    #[inline(always)]
    #[must_use]
    pub const fn any_port(&self) -> Self {
        Self { addr_be: self.addr_be, port_be: 0, protocol: self.protocol, wide: 1 }
    }
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
    /// A [`Tracking`] code.
    pub tracking: u8,
    /// Ticks ([`time::tick`](crate::time::tick)) without packets after which a flow is over.
    pub idle_ticks: u16,
    /// Seed of the flow hash, equal on all balancers of a fleet.
    pub seed: u64,
    /// First source address for IPv6 packets or outer headers; zero for the backend's own.
    pub source_v6_be: AddrBe,
    /// Bits of the last word of `source_v6_be` that the flow's hash picks.
    pub spread_v6_be: u32,
    /// First source address for IPv4 packets or outer headers; zero for the backend's own.
    pub source_v4_be: u32,
    /// Bits of `source_v4_be` that the flow's hash picks.
    pub spread_v4_be: u32,
    /// Lowest source port of `full-nat`, in host order.
    pub first_port: u16,
    /// Source ports of `full-nat`, less one.
    pub last_port_offset: u16,
    /// [`SERVICE_RANGE`] and others.
    pub flags: u16,
    /// A [`Scheduler`] code.
    pub scheduler: u8,
    /// A [`NoBackend`] code: what becomes of packets that no backend is there for.
    pub no_backend: u8,
    /// Its list of sources, if [`SERVICE_LISTED`].
    pub list: u32,
    /// First of its turns, if its scheduler takes turns.
    pub first_turn: u32,
    /// How many there are.
    pub turns: u32,
}

/// The service has a range of ports: packets keep theirs on their way to the backend.
pub const SERVICE_RANGE: u16 = 1;
/// No service, but the [`Ranges`] of an address and protocol, by its id.
pub const SERVICE_RANGES: u16 = 1 << 1;
/// All flows of a client have one slot.
pub const SERVICE_AFFINITY: u16 = 1 << 2;
/// Sources are looked up in a list.
pub const SERVICE_LISTED: u16 = 1 << 3;
/// Sources that the list has nothing of are refused.
pub const SERVICE_ALLOWS: u16 = 1 << 4;
/// The list has prefixes too short for the filter: IPv4 sources are always looked up.
pub const SERVICE_LIST_V4: u16 = 1 << 5;
/// The same for IPv6.
pub const SERVICE_LIST_V6: u16 = 1 << 6;
/// There is a limit to how many flows begin.
pub const SERVICE_LIMITED: u16 = 1 << 7;

/// A copy of a service with its VIP, in the service index.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServiceRow {
    /// The service. It comes first, so that there is nothing to add to a pointer to the row, which the
    /// compiler would do before it knows that there is one.
    pub service: Service,
    /// The VIP.
    pub vip: Endpoint,
    /// Unused.
    pub _pad: u32,
}

/// What is remembered of a service's flows.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Tracking {
    /// Those opened while their slot moves: a TCP segment with SYN opens one.
    #[default]
    Moving = 0,
    /// None: each packet goes to the owner of its slot.
    None = 1,
    /// All, from their first packet on.
    All = 2,
    /// Those opened while their slot moves, by QUIC; connection ids name their backend.
    Quic = 3,
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
    /// [`BACKEND_RESOLVED`] and others.
    pub flags: u16,
    /// Interface that leads to it.
    pub ifindex: u32,
    /// Destination and source MAC address: the first 12 bytes of the frame.
    pub link: [u32; 3],
    /// Largest IP packet, in bytes, that fits that interface.
    pub mtu: u16,
    /// Ticks for which it keeps its flows once it leaves; if [`BACKEND_LEAVING`], the low bits of
    /// the tick at which that ends. Of no meaning without [`BACKEND_LIMITED`].
    pub drain: u16,
    /// The balancer's own address on the way there: source of outer headers.
    pub source_be: AddrBe,
}

/// The next hop of a [`Backend`] is known: `ifindex`, `link`, `mtu` and `source_be` are valid.
pub const BACKEND_RESOLVED: u16 = 1;
/// The backend failed its health check, or its drain time is over: no flow is its any more.
pub const BACKEND_DEAD: u16 = 1 << 1;
/// The backend was drained or removed: it owns no slot, but keeps its old flows.
pub const BACKEND_LEAVING: u16 = 1 << 2;
/// Several `nat` services send to this address: the return table tells whose flow is whose.
pub const BACKEND_SHARED: u16 = 1 << 3;

/// There is a limit to how long the backend keeps its flows when it leaves.
pub const BACKEND_LIMITED: u16 = 1 << 4;
/// That limit was reached: the backend is dead until it takes new flows again.
pub const BACKEND_EXPIRED: u16 = 1 << 5;
/// Frames to the backend carry VLAN tags: those of its id in the tag table.
pub const BACKEND_TAGGED: u16 = 1 << 6;

impl Backend {
    /// Whether flows can be its.
    #[inline(always)]
    pub const fn is_alive(&self) -> bool {
        self.identity != 0 && self.flags & BACKEND_DEAD == 0
    }
}

/// The service whose packets an [`Endpoint`] of a backend answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Address of the VIP.
    pub vip_be: AddrBe,
    /// Port of the VIP.
    pub port_be: u16,
    /// [`ORIGIN_TRACKED`] and [`ORIGIN_STATELESS`].
    pub flags: u16,
    /// Counter row of the service.
    pub service: u32,
    /// Backend id.
    pub backend: u32,
}

/// Replies are looked up in the return table first.
pub const ORIGIN_TRACKED: u16 = 1;
/// Replies that are not in the return table are of the service named by the entry.
pub const ORIGIN_STATELESS: u16 = 1 << 1;

/// A VLAN interface, by the number that routes know it by.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Vlan {
    /// Number of the interface that its frames leave by.
    pub ifindex: u32,
    /// Their tags: the innermost in the low half, in host order.
    pub tags: u32,
}

/// The server that a QUIC connection id names, as a key.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServerId {
    /// Counter row of the service.
    pub service: u32,
    /// Server id, as it stands in the connection id.
    pub server_be: u32,
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
    /// Both ends are rewritten; replies come back through the balancer by themselves.
    FullNat = 3,
    /// The packet is put into an IP packet; the backend unpacks it and replies directly.
    Ipip = 4,
    /// The packet is put into a UDP datagram; the backend unpacks it and replies directly.
    Gue = 5,
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<Meta>() == 8);
    assert!(size_of::<Endpoint>() == 20);
    assert!(size_of::<Service>() == 72 && offset_of!(Service, seed) == 16);
    assert!(size_of::<ServiceRow>() == 96 && offset_of!(ServiceRow, service) == 0);
    // One cache line.
    assert!(size_of::<Backend>() == 64 && offset_of!(Backend, link) == 32);
    assert!(size_of::<Origin>() == 28 && offset_of!(Origin, service) == 20);
    assert!(size_of::<ServerId>() == 8);
    assert!(size_of::<Vlan>() == 8);
    assert!(size_of::<Counter>() == 16);
};
