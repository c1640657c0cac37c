//! Who a listener's clients are to it: how many connections each has, and how often each asks.
//!
//! Both are of a client's address, and of all workers together. An IPv6 address counts by its first 64 bits, which are a
//! network of one customer: who has one has all of its addresses (RFC 6177). What is counted outlives snapshots, so a
//! change of the configuration forgets no connection. A listener without limits counts nothing.

mod buckets;
mod connections;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::Duration,
};

use lb_common::limit::Rate;

pub(super) use self::connections::Entry;
use self::{buckets::Buckets, connections::Connections};
use crate::model::listener::ClientLimits;

/// A client: an IPv4 address, or the first half of an IPv6 address.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Client(u64);

/// Where IPv4 addresses are: multicast addresses of IPv6 (RFC 4291 section 2.7) are nobody's.
const V4: u64 = 0xffff_ffff << 32;

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(V4 | u64::from(u32::from(v4))),
            IpAddr::V6(v6) => Self(u64::try_from(u128::from(v6) >> 64).unwrap_or_default()),
        }
    }
}

/// What is counted, from one snapshot to the next.
#[derive(Debug, Default)]
pub(super) struct ClientsShared {
    connections: Arc<Connections>,
    /// Once there is a limit.
    buckets: OnceLock<Arc<Buckets>>,
}

/// The clients of a listener as it is now.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Most connections of each.
    most: Option<(NonZeroU32, Arc<Connections>)>,
    /// Most requests of each.
    rate: Option<(Rate, Arc<Buckets>)>,
}

impl Clients {
    /// Goes on with what was counted, by these limits.
    pub(super) fn new(shared: &ClientsShared, limits: &ClientLimits) -> Self {
        let most = limits.max_connections.map(|most| (most, Arc::clone(&shared.connections)));
        let rate = limits.rate_limit.map(|limit| {
            let buckets = shared.buckets.get_or_init(Arc::default);
            (limit.entry(), Arc::clone(buckets))
        });
        Self { most, rate }
    }

    /// A connection of a client begins: it counts until what is returned is dropped. None if the client has its most.
    pub(super) fn enter(&self, client: IpAddr) -> Option<Entry> {
        match &self.most {
            None => Some(Entry::default()),
            Some((most, connections)) => connections.enter(client.into(), most.get()),
        }
    }

    /// A client makes a request. If it has made too many, how long it must wait before it may make one.
    pub(super) fn ask(&self, client: IpAddr, now: impl FnOnce() -> u64) -> Result<(), Duration> {
        let Some((rate, buckets)) = &self.rate else { return Ok(()) };
        buckets.ask(client.into(), *rate, now()).map_err(Duration::from_nanos)
    }
}
