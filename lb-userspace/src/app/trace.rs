//! Who traces packets: one client at a time.
//!
//! The twins of the programs are loaded on a thread of their own, attached by the event loop, and taken off
//! again when the client has gone. Should the daemon be killed meanwhile, they copy nothing any more once
//! the deadline in their filter is over, which is set anew all the time.

mod filter;
#[cfg(test)]
mod tests;
mod view;

use std::{
    future::pending,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hyper::body::Bytes;
use lb_common::trace::{Filter, Record};
use tokio::{
    io::unix::AsyncFd,
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
    time::sleep_until,
};

pub(super) use self::{
    filter::filter,
    view::{Names, since_1970},
};
use crate::{
    admin::RequestError,
    dataplane::{Ring, Twins},
};

/// How often the deadline is set anew, and it is looked whether packets were lost.
const RENEWAL: Duration = Duration::from_secs(1);
/// Ticks from then to the deadline.
pub(super) const LEASE_TICKS: u32 = 5;
/// Packets that are taken from the ring before anything else is looked at.
const AT_ONCE: usize = 128;
/// Messages of so many packets that wait for a client; when it takes none, the ring fills.
const WAITING: usize = 16;

/// Where the answer to a client goes.
pub(super) type Reply = oneshot::Sender<Result<mpsc::Receiver<Bytes>, RequestError>>;

/// See the module.
#[derive(Default)]
pub(super) struct Tracing(State);

/// The twins, and where they leave what they have seen.
pub(super) type Loaded = Box<(Twins, Ring)>;

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Loading(JoinHandle<Result<Loaded>>, Box<Filter>, Option<Reply>),
    Running(Box<Running>),
}

/// A trace that is going on.
struct Running {
    ring: AsyncFd<Ring>,
    client: mpsc::Sender<Bytes>,
    filter: Filter,
    renew_at: Instant,
    /// Packets that the client knows to be lost.
    lost: u64,
    /// Nanoseconds from the beginning of the monotonic clock to 1970.
    epoch: u64,
}

/// What a trace wants of the event loop.
pub(super) enum Step {
    /// To attach the twins and to answer the client.
    Loaded(Result<Loaded>, Box<Filter>, Reply),
    /// To tell the client of these packets.
    Seen(Vec<Record>),
    /// To set the deadline anew, and to tell the client what it has missed.
    Renew,
    /// To end: the client has gone.
    Over,
}

impl Tracing {
    /// Whether somebody traces.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.0, State::Idle)
    }

    /// Begins to load the twins.
    pub(super) fn load(&mut self, pin_dir: PathBuf, filter: Filter, reply: Reply) {
        let loading = spawn_blocking(move || Ok(Box::new(Twins::load(&pin_dir)?)));
        self.0 = State::Loading(loading, Box::new(filter), Some(reply));
    }

    /// Reads the ring for a client; what it will get.
    pub(super) fn run(
        &mut self,
        ring: Ring,
        filter: Filter,
        epoch: u64,
    ) -> io::Result<mpsc::Receiver<Bytes>> {
        let ring = ring.awaitable()?;
        let (client, lines) = mpsc::channel(WAITING);
        let renew_at = Instant::now() + RENEWAL;
        let running = Running { ring, client, filter, renew_at, lost: 0, epoch };
        self.0 = State::Running(Box::new(running));
        Ok(lines)
    }

    /// Ends it; whom it was for, if it had begun.
    pub(super) fn end(&mut self) -> Option<mpsc::Sender<Bytes>> {
        match std::mem::take(&mut self.0) {
            State::Running(running) => Some(running.client),
            State::Idle | State::Loading(..) => None,
        }
    }

    /// Waits for the next thing to do.
    pub(super) async fn next(&mut self) -> Step {
        match &mut self.0 {
            State::Idle => pending().await,
            State::Running(running) => running.next().await,
            State::Loading(loading, filter, reply) => {
                let ended = loading.await.context("loading was interrupted").flatten();
                let Some(reply) = reply.take() else { return Step::Over };
                Step::Loaded(ended, filter.clone(), reply)
            }
        }
    }

    /// Sends the client lines.
    pub(super) fn send(&mut self, lines: Vec<u8>) {
        if let State::Running(running) = &self.0 {
            // There is room, for it was waited for; and if the client has gone, that is seen next.
            _ = running.client.try_send(lines.into());
        }
    }

    /// The filter with a new deadline.
    pub(super) fn renewed(&mut self, tick: u32) -> Option<Filter> {
        let State::Running(running) = &mut self.0 else { return None };
        running.renew_at = Instant::now() + RENEWAL;
        running.filter.until = tick.wrapping_add(LEASE_TICKS);
        Some(running.filter)
    }

    /// How many packets more were lost, of all that were.
    pub(super) fn newly_lost(&mut self, lost: u64) -> u64 {
        let State::Running(running) = &mut self.0 else { return 0 };
        if running.client.capacity() == 0 {
            // It could not be told.
            return 0;
        }
        let more = lost.saturating_sub(running.lost);
        running.lost = lost;
        more
    }

    /// When the monotonic clock began, in nanoseconds since 1970.
    pub(super) fn epoch(&self) -> u64 {
        match &self.0 {
            State::Running(running) => running.epoch,
            State::Idle | State::Loading(..) => 0,
        }
    }
}

impl Running {
    async fn next(&mut self) -> Step {
        let Self { ring, client, renew_at, .. } = self;
        tokio::select! {
            () = client.closed() => Step::Over,
            () = sleep_until((*renew_at).into()) => Step::Renew,
            seen = seen(ring, client) => seen.map_or(Step::Over, Step::Seen),
        }
    }
}

/// Waits until the client has room, and then for packets.
async fn seen(ring: &mut AsyncFd<Ring>, client: &mpsc::Sender<Bytes>) -> Result<Vec<Record>> {
    _ = client.reserve().await?;
    loop {
        let mut ready = ring.readable_mut().await?;
        let ring = ready.get_inner_mut();
        let seen: Vec<_> = ring.by_ref().take(AT_ONCE).collect();
        if !seen.is_empty() {
            return Ok(seen);
        }
        ready.clear_ready();
    }
}
