//! How much may be sent again: a share of what is sent at all, so that a pool that fails is not given
//! more than it has to carry anyway.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A request earns a part of a retry; so many make one.
const PRICE: u32 = 5;
/// Retries that may be saved up: what a pool with few requests has.
const MOST: u32 = 20 * PRICE;

/// See the module.
#[derive(Debug)]
pub(in crate::proxy) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(MOST))
    }
}

impl Budget {
    /// A request is sent for the first time.
    pub(in crate::proxy) fn earn(&self) {
        let more = |saved: u32| (saved < MOST).then_some(saved + 1);
        _ = self.0.fetch_update(Relaxed, Relaxed, more);
    }

    /// Whether one may be sent again.
    #[must_use]
    pub(in crate::proxy) fn spend(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |saved| saved.checked_sub(PRICE)).is_ok()
    }
}
