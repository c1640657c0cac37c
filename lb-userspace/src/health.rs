//! Whether backends work: probes them, and counts what the probes say.
//!
//! The counting is pure and in [`board`]: it is told what is desired, what the probes found and what
//! time it is, and says which probes to start and stop, and which backends are down. [`Checks`]
//! carries that out: one task for each backend, on a thread of its own, so that neither a long
//! change of the tables fails a probe nor a burst of probes delays a change. Results come back to
//! the event loop by a channel.
//!
//! What it means for packets that a backend is down is not decided here.

pub mod board;
mod check;
mod probe;
mod runner;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use thiserror::Error;
use tokio::sync::mpsc;

pub use self::board::{Change, Key, News, Outcome, Report, Standing};
use self::{
    board::{Action, Board},
    check::Check,
    probe::Prober,
    runner::Runner,
};
use crate::model::{Desired, Name};

/// Reports that may wait for the event loop; then probes wait, too.
const WAITING: usize = 1024;

/// Why a check cannot be made.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The certificates cannot be used.
    #[error(
        "pool `{pool}`: `ca` {} cannot be used: {reason}; give a PEM file with at least one certificate",
        path.display()
    )]
    Ca {
        /// The pool.
        pool: Name,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no thread to probe from.
    #[error("cannot start the thread of the health checks: {source}")]
    Thread {
        /// The reason.
        #[from]
        source: io::Error,
    },
}

/// The health checks of all pools.
pub struct Checks {
    board: Board,
    runner: Runner,
    probers: Probers,
}

/// The settings of the check of each pool, and what probes by them.
type Probers = BTreeMap<Name, (Arc<Check>, Arc<Prober>)>;

impl Checks {
    /// No checks yet, and where their reports will arrive.
    pub fn new() -> (Self, mpsc::Receiver<Report>) {
        let (sender, reports) = mpsc::channel(WAITING);
        let (board, runner) = (Board::default(), Runner::new(sender));
        (Self { board, runner, probers: BTreeMap::new() }, reports)
    }

    /// Backends that were down when the last daemon ended: they stay so until they have risen.
    pub fn adopt(&mut self, down: impl IntoIterator<Item = Key>) {
        self.board.adopt(down);
    }

    /// Checks what a configuration asks for, and nothing else. Nothing is changed if some check
    /// cannot be made.
    pub fn follow(&mut self, desired: &Desired) -> Result<(), CheckError> {
        let probers = self.probers(desired)?;
        if !probers.is_empty() {
            self.runner.start()?;
        }
        self.probers = probers;
        let settings = self.probers.iter().map(|(pool, (check, _))| (pool, check));
        for action in self.board.follow(desired, &settings.collect(), Instant::now()) {
            match action {
                Action::Stop(key) => self.runner.stop(&key),
                Action::Start(key, generation) => {
                    if let Some((_, prober)) = self.probers.get(&key.0) {
                        self.runner.spawn(key, generation, Arc::clone(prober));
                    }
                }
            }
        }
        Ok(())
    }

    fn probers(&self, desired: &Desired) -> Result<Probers, CheckError> {
        let mut probers = Probers::new();
        let pools = desired.pools.iter();
        for (pool, check) in pools.filter_map(|(name, pool)| Some((name, Check::of(pool)?))) {
            let present = self.probers.get(pool).filter(|(present, _)| **present == check);
            let prober = if let Some(present) = present {
                present.clone()
            } else {
                let prober = Arc::new(Prober::new(pool, &check)?);
                (Arc::new(check), prober)
            };
            probers.insert(pool.clone(), prober);
        }
        Ok(probers)
    }

    /// Takes note of what a probe found. Says what is new, if anything is.
    pub fn record(&mut self, report: Report) -> Option<News> {
        self.board.record(report, Instant::now())
    }

    /// Backends that shall get no flows. A pool that is down as a whole and fails open has none.
    pub fn down(&self, desired: &Desired) -> BTreeSet<Key> {
        self.board.down(desired)
    }

    /// Pools whose enabled backends are all down, and whether they fail open.
    pub fn pools_down(&self, desired: &Desired) -> BTreeMap<Name, bool> {
        self.board.pools_down(desired)
    }

    /// What is known of a backend; nothing if it is not checked.
    pub fn standing(&self, pool: &Name, address: SocketAddr) -> Option<Standing<'_>> {
        self.board.standing(pool, address)
    }
}
