//! The traffic: clients of every kind, each of which asks again and again and keeps count.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Error, Result, anyhow, ensure};
use tests::{interrupt, netns::Netns, wait};

use super::{
    super::clients::{EDGE, Site},
    requests::{self, REQUESTS},
    sockets::{self, SOCKETS},
};

/// Until every client has been answered some more times, on a machine under load.
const ROUND: Duration = Duration::from_mins(1);
/// As many failures are shown.
const SHOWN: usize = 5;

/// Which clients there are.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Kinds {
    /// All of them.
    All,
    /// Those whose requests a proxy may send again, and those that have servers of their own.
    Repeatable,
}

/// What became of one client's requests or messages.
pub(super) struct Tally {
    kind: String,
    done: AtomicU64,
    failed: Mutex<Vec<Error>>,
}

/// What clients share.
pub(super) struct Shared {
    stop: AtomicBool,
    /// Numbers of the certificates that were shown in new handshakes.
    pub(super) certificates: Mutex<BTreeSet<u64>>,
}

impl Shared {
    /// Whether clients go on.
    pub(super) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !interrupt::requested()
    }
}

impl Tally {
    fn new(kind: String) -> Arc<Self> {
        Arc::new(Self { kind, done: AtomicU64::default(), failed: Mutex::default() })
    }

    /// Counts one.
    pub(super) fn count(&self, outcome: Result<()>) {
        match outcome {
            Ok(()) => _ = self.done.fetch_add(1, Ordering::Relaxed),
            Err(error) => self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(error),
        }
    }
}

/// Clients at work; they end when it is dropped.
pub(super) struct Traffic {
    shared: Arc<Shared>,
    tallies: Vec<Arc<Tally>>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Traffic {
    /// Starts them inside a namespace, and waits until each has been answered.
    pub(super) fn start(netns: &Netns, site: &Site, kinds: Kinds) -> Result<Self> {
        let shared = Shared { stop: AtomicBool::new(false), certificates: Mutex::default() };
        let (shared, roots) = (Arc::new(shared), site.authority.roots()?);
        let mut traffic = Self { shared, tallies: Vec::new(), threads: Vec::new() };
        let all = kinds == Kinds::All;
        let mut clients = Vec::new();
        for kind in REQUESTS.iter().filter(|kind| all || kind.repeatable) {
            for number in 0..kind.clients {
                let tally = traffic.tally(&format!("{} {number}", kind.name));
                let at = site.at(kind.port);
                clients.push(requests::Client::new(kind, at, &roots, !all, tally, &traffic.shared));
            }
        }
        traffic.spawn(netns, move || requests::run(&clients));
        for (port, tls) in SOCKETS {
            let tally = traffic.tally(&format!("socket at port {port}"));
            let (at, shared) = (site.at(*port), Arc::clone(&traffic.shared));
            let roots = tls.then(|| roots.clone());
            traffic.spawn(netns, move || {
                sockets::run(at, EDGE, roots.as_ref(), &tally, &shared);
                Ok(())
            });
        }
        traffic.wait_more(1)?;
        Ok(traffic)
    }

    fn tally(&mut self, kind: &str) -> Arc<Tally> {
        let tally = Tally::new(kind.to_owned());
        self.tallies.push(Arc::clone(&tally));
        tally
    }

    /// Runs something on a thread of its own inside a namespace.
    fn spawn(&mut self, netns: &Netns, work: impl FnOnce() -> Result<()> + Send + 'static) {
        self.threads.push(netns.spawn(work));
    }

    /// An error if something has failed.
    pub(super) fn check(&self) -> Result<()> {
        for tally in &self.tallies {
            let failed = tally.failed.lock().unwrap_or_else(PoisonError::into_inner);
            let shown: Vec<_> = failed.iter().take(SHOWN).map(|it| format!("{it:#}")).collect();
            let done = tally.done.load(Ordering::Relaxed);
            ensure!(
                failed.is_empty(),
                "{}: {} failed beside {done}: {shown:?}",
                tally.kind,
                failed.len()
            );
        }
        Ok(())
    }

    /// Waits until every client has been answered so many more times.
    pub(super) fn wait_more(&self, more: u64) -> Result<()> {
        let done = |tally: &Tally| tally.done.load(Ordering::Relaxed);
        let goals: Vec<_> = self.tallies.iter().map(|it| (it, done(it) + more)).collect();
        // The outer error is one to try again on, the inner one is final.
        wait::until("every client to be answered", ROUND, || {
            if let Err(failed) = self.check() {
                return Ok(Err(failed));
            }
            let waiting = goals.iter().filter(|(tally, goal)| done(tally) < *goal);
            let waiting: Vec<_> = waiting.map(|(tally, _)| &tally.kind).collect();
            ensure!(waiting.is_empty(), "{waiting:?} wait");
            Ok(Ok(()))
        })?
    }

    /// Whether a certificate was shown in a new handshake.
    pub(super) fn saw(&self, number: u64) -> Result<()> {
        let seen = self.shared.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(seen.contains(&number), "not {number}, only {seen:?}");
        Ok(())
    }

    /// Ends all of them; an error if something has failed.
    pub(super) fn finish(mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        for tally in &self.tallies {
            println!("{}: {}", tally.kind, tally.done.load(Ordering::Relaxed));
        }
        self.check()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
