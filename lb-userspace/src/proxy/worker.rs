//! One thread that serves clients: a runtime of its own, sockets of its own, connections to backends of
//! its own. It shares with the others the snapshot and the counts, and waits for nobody.

mod listening;
mod parking;
mod thread;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt, io,
    net::TcpStream,
    rc::{Rc, Weak},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;
use tracing::warn;

use self::parking::Parking;
pub(super) use self::{
    parking::Parked,
    thread::{Command, Thread, drop_privileges},
};
use super::{
    alarms::Alarms,
    balance::Turns,
    clock,
    failure::{Failure, Fault},
    following::Ids,
    shared::{ListenerShared, PoolShared},
    snapshot::{Choice, Pool, Snapshot},
    upstream::Kept,
};
use crate::model::Name;

/// Failures that a worker writes to the log in a second.
const LINES: u32 = 10;

/// What the tasks of a worker have in common.
pub(super) struct Worker {
    /// Which of them it is.
    pub(super) nth: usize,
    snapshot: Arc<ArcSwap<Snapshot>>,
    random: RefCell<fastrand::Rng>,
    ids: Ids,
    turns: RefCell<HashMap<*const PoolShared, (Arc<Pool>, Turns)>>,
    kept: Rc<RefCell<Kept>>,
    alarms: Rc<Alarms>,
    /// It ends before the worker does, whom each connection there knows.
    parking: Weak<Parking>,
    /// Connections and tunnels.
    open: Cell<usize>,
    /// Told when the last of them has gone.
    idle: Notify,
    log: Cell<Log>,
}

/// How many lines were written in the present second, and how many were not.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    second: u64,
    written: u32,
    left_out: u32,
}

impl Worker {
    fn new(nth: usize, snapshot: Arc<ArcSwap<Snapshot>>, parking: &Rc<Parking>) -> Self {
        Self {
            nth,
            snapshot,
            random: RefCell::new(fastrand::Rng::new()),
            ids: Ids::new(),
            turns: RefCell::default(),
            kept: Rc::default(),
            alarms: Rc::default(),
            parking: Rc::downgrade(parking),
            open: Cell::new(0),
            idle: Notify::new(),
            log: Cell::default(),
        }
    }

    /// What is to be gone by now.
    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// A number below another, at random.
    pub(super) fn draw(&self, below: u64) -> u64 {
        self.random.borrow_mut().u64(0..below.max(1))
    }

    /// What ids of requests are drawn from.
    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Connections that are kept.
    pub(super) fn kept(&self) -> &Rc<RefCell<Kept>> {
        &self.kept
    }

    /// Times after which something is given up.
    pub(super) fn alarms(&self) -> &Rc<Alarms> {
        &self.alarms
    }

    /// Keeps a connection until its socket can be read, or until some time. If that fails the connection is closed.
    pub(super) fn park(
        &self,
        socket: TcpStream,
        until: u64,
        parked: Box<dyn Parked>,
    ) -> io::Result<()> {
        // Without it everything ends now.
        self.parking.upgrade().map_or(Ok(()), |parking| parking.park(socket, until, parked))
    }

    /// The backend whose turn it is.
    pub(super) fn turn(&self, pool: &Arc<Pool>, choice: &Choice<'_>) -> Option<usize> {
        let mut all = self.turns.borrow_mut();
        let entry = all
            .entry(Arc::as_ptr(&pool.shared))
            .or_insert_with(|| (Arc::clone(pool), Turns::default()));
        let (known, turns) = entry;
        if !Arc::ptr_eq(known, pool) {
            let place = |id| known.backends.iter().position(|backend| backend.shared.id == id);
            *turns = turns.moved(pool.backends.iter().map(|backend| place(backend.shared.id)));
            *known = Arc::clone(pool);
        }
        turns.next(choice)
    }

    /// Closes and forgets what is not used any more.
    fn tidy(&self) {
        self.kept.borrow_mut().prune();
        self.turns.borrow_mut().retain(|_, (pool, _)| Arc::strong_count(pool) > 1);
    }

    /// Something that must have ended before the worker does.
    pub(super) fn open_one(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open { worker: Rc::clone(self), listener: None }
    }

    /// A connection of a client.
    pub(super) fn open_connection(self: &Rc<Self>, listener: &Arc<ListenerShared>) -> Open {
        listener.connections.fetch_add(1, Relaxed);
        listener.open.fetch_add(1, Relaxed);
        let mut open = self.open_one();
        open.listener = Some(Arc::clone(listener));
        open
    }

    /// Writes to the log why a request failed, unless very many do.
    pub(super) fn report(&self, listener: &Name, request: fmt::Arguments<'_>, why: &Failure) {
        if why.fault() == Fault::Client {
            tracing::debug!("listener {listener}: {request}: {why}");
            return;
        }
        let mut log = self.log.get();
        let second = clock::now() / 1000;
        if log.second != second {
            if log.left_out > 0 {
                warn!("{} more requests failed, of which nothing was logged", log.left_out);
            }
            log = Log { second, ..Log::default() };
        }
        if log.written < LINES {
            log.written += 1;
            warn!("listener {listener}: {request}: {} {why}", why.status().as_u16());
        } else {
            log.left_out += 1;
        }
        self.log.set(log);
    }
}

/// Counts as open until it is dropped.
pub(super) struct Open {
    worker: Rc<Worker>,
    listener: Option<Arc<ListenerShared>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.open.fetch_sub(1, Relaxed);
        }
        let left = self.worker.open.get().saturating_sub(1);
        self.worker.open.set(left);
        if left == 0 {
            self.worker.idle.notify_one();
        }
    }
}
