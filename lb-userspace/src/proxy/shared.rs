//! What all workers know of a backend, a pool or a listener: counts, in atomic words. Nothing here is
//! locked, and it outlives the snapshots that refer to it.

mod budget;
mod outliers;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

pub(super) use self::{budget::Budget, outliers::Outlier};
use super::clients::ClientsShared;

/// Of one backend of a pool.
#[derive(Debug)]
pub(super) struct BackendShared {
    /// Unique in this process.
    pub(super) id: u64,
    /// Requests that it has.
    pub(super) active: AtomicU32,
    /// Requests that it was sent.
    pub(super) requests: AtomicU64,
    /// Requests that came to nothing because of it.
    pub(super) failures: AtomicU64,
    /// Whether it is out, because it failed again and again.
    pub(super) outlier: Outlier,
    /// When it came, or came back, in milliseconds.
    pub(super) since: AtomicU64,
    /// Whether it gets no more requests: then connections to it are not kept.
    pub(super) retired: AtomicBool,
}

impl BackendShared {
    /// A backend that has its whole share at once if `since` is long ago.
    pub(super) fn new(since: u64) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: IDS.fetch_add(1, Relaxed),
            active: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            outlier: Outlier::default(),
            since: AtomicU64::new(since),
            retired: AtomicBool::new(false),
        }
    }

    /// Takes a place for a request, if there is one. [`BackendShared::leave`] gives it back.
    pub(super) fn enter(&self, most: u32) -> bool {
        if self.active.fetch_add(1, Relaxed) < most {
            return true;
        }
        self.active.fetch_sub(1, Relaxed);
        false
    }

    /// Gives back the place of a request.
    pub(super) fn leave(&self) {
        self.active.fetch_sub(1, Relaxed);
    }
}

/// Of one pool.
#[derive(Debug, Default)]
pub(super) struct PoolShared {
    /// Requests that wait for a place.
    pub(super) waiting: AtomicUsize,
    /// Told when a place is free.
    pub(super) freed: Notify,
    /// What may be sent again.
    pub(super) budget: Budget,
}

/// Of one listener.
#[derive(Debug, Default)]
pub(super) struct ListenerShared {
    /// Connections that are open.
    pub(super) open: AtomicUsize,
    /// Connections that there were.
    pub(super) connections: AtomicU64,
    /// Requests by the first digit of the status of their answer, from 1 on.
    pub(super) answers: [AtomicU64; 5],
    /// Requests that no route took.
    pub(super) unrouted: AtomicU64,
    /// Connections of trusted proxies that did not say whom they are for.
    pub(super) unannounced: AtomicU64,
    /// Connections that were closed because their client had its most.
    pub(super) over_max_connections: AtomicU64,
    /// Requests that were refused because their client had made too many.
    pub(super) over_rate_limit: AtomicU64,
    /// Connections and requests by client.
    pub(super) clients: ClientsShared,
}

impl ListenerShared {
    /// Counts an answer.
    pub(super) fn answered(&self, status: hyper::StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = self.answers.get(class) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Counts a connection that was closed because it had no header of the PROXY protocol.
    pub(super) fn unannounced(&self) {
        self.unannounced.fetch_add(1, Relaxed);
    }
}
