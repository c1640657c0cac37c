//! The layer-7 plane: an HTTP proxy with a thread for each core.
//!
//! [`Proxy`] is the control loop's end. It turns a configuration and what is known of backends into a
//! [`Snapshot`](snapshot::Snapshot), which is swapped as a whole, binds sockets (each worker has its own, by
//! `SO_REUSEPORT`), and tells workers which to serve. Workers do the rest: a connection is a task
//! ([`connection`]), each request finds its route ([`table`]), a pool, and a backend of it ([`pick`]), and is
//! sent until an answer comes or no further attempt makes sense ([`forward`]). Bodies are streamed both ways
//! and never held: who cannot write does not read.
//!
//! What is pure is in files of its own: [`table`], [`balance`], [`headers`], [`shared`] (budget,
//! ejection), [`sticky`], [`failure`], [`strict`] (which raw bytes are a request).

mod access_log;
mod alarms;
mod answers;
mod attempt;
mod balance;
mod body;
mod caller;
mod clients;
mod clock;
mod compress;
mod connection;
mod explain;
mod failure;
mod following;
mod forward;
mod gather;
mod headers;
mod http1;
mod io;
mod local;
mod pages;
mod pick;
mod shared;
mod snapshot;
mod socket;
mod stamp;
mod sticky;
mod stream;
mod strict;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod tunnel;
mod upstream;
mod visit;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use thiserror::Error;

pub use self::access_log::LogCounts;
pub use self::explain::{BackendCounts, Explanation, ListenerCounts, Passed};
pub use self::tls::TlsError;
use self::{
    access_log::Logs,
    snapshot::{Maker, Snapshot},
    worker::{Command, Thread},
};
pub use crate::access_log::LogError;
use crate::model::{Desired, Name, listener::LogTarget};
pub use crate::page::PageError;

/// How long requests may take that are under way when the daemon ends.
const GRACE: Duration = Duration::from_secs(10);

/// Why listeners cannot be what a configuration asks for.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// A socket.
    #[error(
        "listener `{listener}` cannot listen on {address}: {source}; see whether the address is of this host and who else listens there"
    )]
    Listen {
        /// The listener.
        listener: Name,
        /// Its address.
        address: SocketAddr,
        /// The kernel's reason.
        #[source]
        source: std::io::Error,
    },
    /// The routes.
    #[error(
        "the globs and regular expressions of listener `{listener}` are too large together: {source}; use prefixes, or fewer of them"
    )]
    Routes {
        /// The listener.
        listener: Name,
        /// The reason.
        #[source]
        source: regex::Error,
    },
    /// TLS.
    #[error("listener `{listener}`: {source}")]
    Tls {
        /// The listener.
        listener: Name,
        /// What is wrong.
        #[source]
        source: TlsError,
    },
    /// An error page.
    #[error("listener `{listener}`: {source}")]
    Page {
        /// The listener.
        listener: Name,
        /// What is wrong.
        #[source]
        source: PageError,
    },
    /// An access log.
    #[error("listener `{listener}`: {source}")]
    AccessLog {
        /// The listener.
        listener: Name,
        /// What is wrong.
        #[source]
        source: LogError,
    },
    /// TLS towards backends.
    #[error("pool `{pool}`: {source}")]
    Upstream {
        /// The pool.
        pool: Name,
        /// What is wrong.
        #[source]
        source: TlsError,
    },
    /// A worker.
    #[error("cannot start a worker: {source}")]
    Thread {
        /// The reason.
        #[from]
        source: std::io::Error,
    },
}

/// A listener that is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bound {
    number: u32,
    address: SocketAddr,
    clients_speak_first: bool,
}

/// The proxy as the control loop sees it.
pub struct Proxy {
    snapshot: Arc<ArcSwap<Snapshot>>,
    maker: Maker,
    /// None before there is a listener.
    workers: Vec<Thread>,
    count: usize,
    bound: BTreeMap<Name, Bound>,
    last_number: u32,
}

impl Proxy {
    /// A proxy without listeners, of so many workers once there is one.
    pub fn new(workers: usize) -> Self {
        Self {
            snapshot: Arc::default(),
            maker: Maker::new(workers.max(1)),
            workers: Vec::new(),
            count: workers.max(1),
            bound: BTreeMap::new(),
            last_number: 0,
        }
    }

    /// Serves the listeners of a configuration, and no others. `down` are backends that get no requests. If it
    /// fails, nothing has changed.
    pub fn follow(
        &mut self,
        desired: &Desired,
        down: &BTreeSet<(Name, SocketAddr)>,
    ) -> Result<(), ProxyError> {
        let made = self.maker.made_for(desired)?;
        let (bound, mut commands) = self.bind(desired)?;
        self.start_workers(&bound)?;
        let numbers = numbers(&bound);
        let snapshot = self.maker.snapshot(desired, down, made, &numbers);
        self.snapshot.store(Arc::new(snapshot));
        for (name, entry) in &self.bound {
            if bound.get(name).is_none_or(|now| now.number != entry.number) {
                let close = |nth| (nth, Command::Close(entry.number));
                commands.extend((0..self.workers.len()).map(close));
            }
        }
        for (nth, command) in commands {
            if let Some(worker) = self.workers.get(nth) {
                worker.tell(command);
            }
        }
        self.bound = bound;
        Ok(())
    }

    /// Reads certificates and error pages again whose files have changed.
    pub fn reload_files(&mut self, desired: &Desired, down: &BTreeSet<(Name, SocketAddr)>) {
        if self.maker.reload() {
            let numbers = numbers(&self.bound);
            let made = self.maker.made();
            let snapshot = self.maker.snapshot(desired, down, made, &numbers);
            self.snapshot.store(Arc::new(snapshot));
        }
    }

    /// Binds what is not bound yet: a socket for each worker. What is bound stays.
    #[expect(clippy::type_complexity, reason = "used once, right above")]
    fn bind(
        &mut self,
        desired: &Desired,
    ) -> Result<(BTreeMap<Name, Bound>, Vec<(usize, Command)>), ProxyError> {
        let mut bound = BTreeMap::new();
        let mut commands = Vec::new();
        for (name, listener) in &desired.listeners {
            let address = listener.listen;
            let clients_speak_first = listener.protocol.clients_speak_first();
            if let Some(entry) = self.bound.get(name).filter(|entry| entry.address == address) {
                if entry.clients_speak_first != clients_speak_first {
                    let command = |nth| (nth, Command::Defer(entry.number, clients_speak_first));
                    commands.extend((0..self.count).map(command));
                }
                bound.insert(name.clone(), Bound { clients_speak_first, ..*entry });
                continue;
            }
            self.last_number += 1;
            let number = self.last_number;
            for nth in 0..self.count {
                let socket = socket::listen(address, clients_speak_first).map_err(|source| {
                    ProxyError::Listen { listener: name.clone(), address, source }
                })?;
                commands.push((nth, Command::Open(number, socket)));
            }
            bound.insert(name.clone(), Bound { number, address, clients_speak_first });
        }
        Ok((bound, commands))
    }

    fn start_workers(&mut self, bound: &BTreeMap<Name, Bound>) -> Result<(), ProxyError> {
        if bound.is_empty() {
            return Ok(());
        }
        for nth in self.workers.len()..self.count {
            self.workers.push(Thread::start(nth, Arc::clone(&self.snapshot))?);
        }
        Ok(())
    }

    /// Ends: takes no more connections, and waits until requests are answered, or for a while.
    pub async fn stop(&mut self) {
        for worker in &self.workers {
            worker.tell(Command::End(GRACE));
        }
        for worker in self.workers.drain(..) {
            worker.ended().await;
        }
        let (logs, all) = self.maker.logs();
        logs.end(all).await;
    }

    /// Opens every access log anew. Says of each whether that succeeded; if not, it goes on as it was.
    pub async fn reopen_logs(&mut self) -> Vec<(LogTarget, Result<(), String>)> {
        Logs::reopen(self.maker.logs().1).await
    }
}

fn numbers(bound: &BTreeMap<Name, Bound>) -> BTreeMap<Name, u32> {
    bound.iter().map(|(name, bound)| (name.clone(), bound.number)).collect()
}
