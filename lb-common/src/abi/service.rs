//! What a service may ask for besides a backend: ranges of ports, a scheduler, lists of sources, limits.

use super::AddrBe;
use crate::{limit::Rate, limits::RANGES_PER_ADDRESS};

/// The services with ranges of ports at one address and protocol, by the id of the entry that stands for
/// them ([`SERVICE_RANGES`](super::SERVICE_RANGES)).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ranges {
    /// The first that has the port counts; unused ones have no service.
    pub ranges: [PortRange; RANGES_PER_ADDRESS],
}

/// A range of ports, and whose it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PortRange {
    /// Id of the service; 0 for none.
    pub service: u32,
    /// First port, in host order.
    pub first: u16,
    /// Last port, in host order.
    pub last: u16,
}

/// How a new flow gets its backend.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Scheduler {
    /// By the slot of its hash.
    #[default]
    Maglev = 0,
    /// The backends take turns. As for the others below, all flows are remembered.
    RoundRobin = 1,
    /// By chance.
    Random = 2,
    /// Of two backends by chance, the one with fewer flows for its weight.
    LeastFlows = 3,
}

/// What becomes of packets that no backend is there for.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum NoBackend {
    /// They are dropped.
    #[default]
    Drop = 0,
    /// Their senders are told: by a reset, or by ICMP.
    Reject = 1,
    /// The kernel gets them.
    Pass = 2,
}

/// How many flows may begin. An interval of 0 is no limit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Of the whole service.
    pub service: Rate,
    /// Of each source.
    pub source: Rate,
}

/// A source that has begun flows lately, as a key.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SourceBucket {
    /// Its address; of an IPv6 address the first 64 bits.
    pub addr_be: AddrBe,
    /// Id of the service.
    pub service: u32,
}

/// Sources in a list, as the data of a key whose prefix begins with all bits of the list.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SourceKey {
    /// The list.
    pub list: u32,
    /// First address.
    pub addr_be: AddrBe,
}

/// What a list says of a source.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SourceRule {
    /// It is refused.
    #[default]
    Deny = 0,
    /// It is served.
    Allow = 1,
}

const _: () = {
    assert!(size_of::<PortRange>() == 8 && size_of::<Ranges>() == 8 * RANGES_PER_ADDRESS);
    assert!(size_of::<Limits>() == 32);
    assert!(size_of::<SourceBucket>() == 20 && size_of::<SourceKey>() == 20);
};
