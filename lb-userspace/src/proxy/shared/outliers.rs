//! Passive ejection: a backend that fails several times in a row is out for a while.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// See the module. Time is an argument, in milliseconds.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Outlier {
    in_a_row: AtomicU32,
    out_until: AtomicU64,
}

impl Outlier {
    /// It has answered. Who was out when it was asked, as it may be when all are, is back: otherwise it would share
    /// the requests with those that are out and do not work. What it was asked before says nothing.
    pub(in crate::proxy) fn succeeded(&self, was_out: bool) {
        if self.in_a_row.load(Relaxed) != 0 {
            self.in_a_row.store(0, Relaxed);
        }
        if was_out {
            self.out_until.store(0, Relaxed);
        }
    }

    /// It has failed. Says whether that puts it out: after `limit` failures in a row (0 is never), for
    /// `time` milliseconds. When those are over, one more failure is enough.
    #[must_use]
    pub(in crate::proxy) fn failed(&self, limit: u32, time: u64, now: u64) -> bool {
        let in_a_row = self.in_a_row.fetch_add(1, Relaxed).saturating_add(1);
        if limit == 0 || in_a_row < limit || self.is_out(now) {
            return false;
        }
        self.out_until.store(now.saturating_add(time), Relaxed);
        true
    }

    /// Whether it is out.
    pub(in crate::proxy) fn is_out(&self, now: u64) -> bool {
        now < self.out_until.load(Relaxed)
    }
}
