//! When the tables are swept: in the background, and never more than a small share of the time.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use lb_common::time;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::error;

use crate::dataplane::{Slots, Sweeper};
pub(super) use crate::reconcile::sweep::{Found, Plan};

/// How often the tables are swept, if that is done quickly.
const INTERVAL: Duration = Duration::from_secs(2);
/// Share of its time, as a divisor, that may go into sweeping.
const SHARE: u32 = 10;

/// The present tick of the kernel's monotonic clock, which the program reads, too.
pub(super) fn tick() -> u32 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = Duration::from_secs(now.tv_sec.unsigned_abs());
    let nanoseconds = (seconds + Duration::from_nanos(now.tv_nsec.unsigned_abs())).as_nanos();
    time::tick(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// What a sweep works on.
pub(super) struct Work {
    pub(super) plan: Plan,
    pub(super) slots: Slots,
    /// Which tables the plan is for.
    pub(super) changes: u64,
}

/// Sweeps, one after the other.
pub(super) struct Sweeps {
    next: Instant,
    begun: Instant,
    /// Between two sweeps.
    sweeper: Option<Sweeper>,
    /// During one.
    running: Option<JoinHandle<(Sweeper, Result<Found>)>>,
    /// Which tables the sweep was planned for.
    changes: u64,
    /// What was reported last.
    failure: Option<String>,
}

impl Sweeps {
    pub(super) fn new(sweeper: Sweeper) -> Self {
        let now = Instant::now();
        Self {
            next: now + INTERVAL,
            begun: now,
            sweeper: Some(sweeper),
            running: None,
            changes: 0,
            failure: None,
        }
    }

    /// Begins a sweep.
    pub(super) fn begin(&mut self, work: Work) {
        let Some(mut sweeper) = self.sweeper.take() else { return };
        let Work { plan, slots, changes } = work;
        self.changes = changes;
        self.begun = Instant::now();
        self.running = Some(spawn_blocking(move || {
            let found = sweeper.sweep(&plan, &slots).map_err(Into::into);
            (sweeper, found)
        }));
    }

    /// Reports how a sweep went; the same failure only once.
    pub(super) fn report(&mut self, result: Result<()>) {
        let failure = result.err().map(|error| format!("{error:#}"));
        if let Some(failure) = failure.as_ref().filter(|_| failure != self.failure) {
            error!("cannot sweep the tables: {failure}");
        }
        self.failure = failure;
        self.next = self.next.max(Instant::now() + INTERVAL);
    }

    /// Waits for the next thing to do.
    pub(super) async fn next(&mut self) -> Step {
        let Some(running) = &mut self.running else {
            if self.sweeper.is_none() {
                return pending().await;
            }
            tokio::time::sleep_until(self.next.into()).await;
            return Step::Begin;
        };
        let ended = running.await;
        self.running = None;
        self.next = Instant::now() + INTERVAL.max(self.begun.elapsed() * SHARE);
        match ended.context("the sweep was interrupted") {
            Ok((sweeper, found)) => {
                self.sweeper = Some(sweeper);
                Step::Found(found, self.changes)
            }
            Err(error) => Step::Found(Err(error), self.changes),
        }
    }
}

/// What a sweep wants of the event loop.
pub(super) enum Step {
    /// A plan, for it is time to begin.
    Begin,
    /// To act upon what was found, of the tables that the plan was for.
    Found(Result<Found>, u64),
}
