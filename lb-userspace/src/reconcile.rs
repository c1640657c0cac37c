//! From what is desired to operations on the tables. Pure: nothing here does I/O.
//!
//! [`compile`](compile::compile) turns a configuration and the next hops into an [`Image`] of the
//! tables; [`plan`] is the difference between two images, in an order in which every step is safe:
//! what is referred to is there before the reference, and goes after it.

pub mod compile;
pub mod describe;
pub mod filter;
mod image;
pub mod layout;
mod origins;
mod plan;
pub mod sweep;
#[cfg(test)]
mod tests;

use lb_common::abi::{AddrBe, Backend, Endpoint, Limits, Origin, Ranges, ServerId, Service, Vlan};

pub use self::{
    image::Image,
    plan::{Edit, difference, plan},
};
use crate::model::{Prefix, Rule};

/// One operation on the tables, safe on its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Op {
    /// Lets packets be redirected to an interface.
    PutInterface(u32),
    /// Writes the VLAN tags of frames to a backend.
    PutTags(u32, u32),
    /// Writes how packets leave by a VLAN interface.
    PutVlan(u32, Vlan),
    /// Begins the counters of a backend at zero, and its flags.
    ResetBackend(u32),
    /// Writes a backend.
    PutBackend(u32, Backend),
    /// Writes the translation of a backend's replies.
    PutOrigin(Endpoint, Origin),
    /// Writes slots, one word each, from an index on.
    PutSlots(u32, Vec<u64>),
    /// Begins the counters of a service at zero.
    ResetService(u32),
    /// Writes a service.
    PutService(Endpoint, Service),
    /// Writes a service at an address.
    PutVip(AddrBe, u32),
    /// Removes an address that no service is at any more.
    DeleteVip(AddrBe),
    /// Writes the backend that a QUIC server id names.
    PutServer(ServerId, u32),
    /// Removes a QUIC server id.
    DeleteServer(ServerId),
    /// Removes a service.
    DeleteService(Endpoint),
    /// Removes the translation of a backend's replies.
    DeleteOrigin(Endpoint),
    /// Removes a backend.
    DeleteBackend(u32),
    /// Removes the VLAN tags of frames to a backend.
    DeleteTags(u32),
    /// Removes a VLAN interface.
    DeleteVlan(u32),
    /// Stops redirects to an interface.
    DeleteInterface(u32),
    /// Writes which services have ranges of ports at an address.
    PutRanges(u32, Ranges),
    /// Removes an address at which no service has a range of ports.
    DeleteRanges(u32),
    /// Writes how many flows of a service may begin.
    PutLimits(u32, Limits),
    /// Removes a limit of flows.
    DeleteLimits(u32),
    /// Writes the backends that take turns, from a turn on.
    PutTurns(u32, Vec<u32>),
    /// Writes the weight of a backend whose flows are counted.
    PutWeight(u32, u32),
    /// Ends that the flows of a backend are counted.
    DeleteWeight(u32),
    /// Writes what a list says of a prefix.
    PutSource(u32, Prefix, Rule),
    /// Removes a prefix from a list.
    DeleteSource(u32, Prefix),
    /// Writes a word of the filter in front of the lists.
    PutFilter(u32, u64),
    /// Writes the flags of the tables as a whole.
    PutMeta(u32),
}
