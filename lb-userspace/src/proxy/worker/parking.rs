//! Where connections wait that are asked nothing.
//!
//! What tokio has for a socket, a task that waits for it and a timer are more than a kilobyte. So a connection at rest
//! gives its socket up: it is in an epoll instance of the worker's own, which tokio knows as a single file, and one task
//! waits for all of them, and for the time of whoever is next to go. What else a connection keeps is its own affair
//! ([`Parked`]).
//!
//! The kernel says once of each socket that it can be read or is at its end, and at once if that is so when it is parked:
//! nothing gets lost between tokio and here, and nothing is told again and again.

#[cfg(test)]
mod tests;

use std::{
    cell::RefCell, collections::BTreeSet, io, net::TcpStream, os::fd::OwnedFd, rc::Rc,
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
};
use slab::Slab;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Notify,
    task::yield_now,
    time::sleep,
};
use tracing::error;

use crate::proxy::clock::now;

/// How many are called, or have to leave, before others of the worker have their turn.
const PIECE: usize = 64;
/// How long is waited when nobody is there.
const LONG: Duration = Duration::from_hours(1);
/// What is waited for. Errors and the end in both directions are told in any case.
const ONCE: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ONESHOT);

/// A connection without its socket.
pub(in crate::proxy) trait Parked {
    /// Whether it has to leave, even if it has time left.
    fn must_leave(&self) -> bool;

    /// There is something to read, or the end.
    fn go_on(self: Box<Self>, socket: TcpStream);

    /// It has waited for long enough, or has to leave.
    fn leave(self: Box<Self>, socket: TcpStream);
}

/// See the module.
pub(in crate::proxy) struct Parking {
    epoll: AsyncFd<OwnedFd>,
    lot: RefCell<Lot>,
    /// Told when somebody has to leave sooner than the task knows.
    sooner: Notify,
}

#[derive(Default)]
struct Lot {
    places: Slab<Place>,
    /// Until when each is there, and the number of its place.
    until: BTreeSet<(u64, usize)>,
}

struct Place {
    socket: TcpStream,
    until: u64,
    parked: Box<dyn Parked>,
}

impl Parking {
    /// What a parking needs of the system, in the runtime that this is called in.
    pub(super) fn epoll() -> io::Result<AsyncFd<OwnedFd>> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        // SAFETY: An `OwnedFd` has one file that is open for as long as itself.
        Ok(unsafe { AsyncFd::register_with_interest(epoll, Interest::READABLE) }?)
    }

    /// An empty one. Somebody must [look after](Self::look_after) it.
    pub(super) fn new(epoll: AsyncFd<OwnedFd>) -> Self {
        Self { epoll, lot: RefCell::default(), sooner: Notify::new() }
    }

    /// Keeps a connection until its socket can be read, or until some time. If that fails the connection is closed.
    pub(super) fn park(
        &self,
        socket: TcpStream,
        until: u64,
        parked: Box<dyn Parked>,
    ) -> io::Result<()> {
        let lot = &mut *self.lot.borrow_mut();
        let until = if parked.must_leave() { 0 } else { until };
        let vacant = lot.places.vacant_entry();
        let nth = vacant.key();
        let number = EventData::new_u64(u64::try_from(nth).unwrap_or(u64::MAX));
        epoll::add(&self.epoll, &socket, number, ONCE)?;
        vacant.insert(Place { socket, until, parked });
        lot.until.insert((until, nth));
        if lot.until.first() == Some(&(until, nth)) {
            self.sooner.notify_one();
        }
        Ok(())
    }

    /// Sees to it that those leave who [must](Parked::must_leave) by now.
    pub(super) fn clear(&self) {
        let Lot { places, until } = &mut *self.lot.borrow_mut();
        for (nth, place) in places.iter_mut().filter(|(_, place)| place.parked.must_leave()) {
            until.remove(&(place.until, nth));
            place.until = 0;
            until.insert((0, nth));
        }
        self.sooner.notify_one();
    }

    /// Calls those whose sockets can be read, and has those leave whose time is over.
    pub(super) async fn look_after(self: Rc<Self>) {
        let mut events = Vec::with_capacity(PIECE);
        loop {
            let pause = self.let_go(now());
            tokio::select! {
                // Who is heard just in time need not leave.
                biased;
                ready = self.epoll.readable() => match ready {
                    Ok(mut ready) => if !self.call(&mut events) {
                        ready.clear_ready();
                    },
                    Err(error) => {
                        error!("a worker cannot wait for connections at rest: {error}");
                        return;
                    }
                },
                () = self.sooner.notified() => {}
                () = sleep(pause) => {}
            }
            yield_now().await;
        }
    }

    /// Calls some of those whose sockets can be read. False if there are none.
    fn call(&self, events: &mut Vec<Event>) -> bool {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        if let Err(error) = epoll::wait(&self.epoll, spare_capacity(events), Some(&none)) {
            error!("a worker cannot ask for connections at rest: {error}");
        }
        let any = !events.is_empty();
        for event in events.drain(..) {
            let nth = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            if let Some(Place { socket, parked, .. }) = self.take(nth) {
                parked.go_on(socket);
            }
        }
        any
    }

    /// Has some of those leave whose time is over. How long it is until the next has to.
    fn let_go(&self, now: u64) -> Duration {
        for _ in 0..PIECE {
            let first = self.lot.borrow().until.first().copied();
            let Some((until, nth)) = first else { return LONG };
            if until > now {
                return Duration::from_millis(until - now);
            }
            if let Some(Place { socket, parked, .. }) = self.take(nth) {
                parked.leave(socket);
            }
        }
        Duration::ZERO
    }

    fn take(&self, nth: usize) -> Option<Place> {
        let lot = &mut *self.lot.borrow_mut();
        let place = lot.places.try_remove(nth)?;
        lot.until.remove(&(place.until, nth));
        // To be closed is not enough: a process that is being started may have the file for a moment.
        if let Err(error) = epoll::delete(&self.epoll, &place.socket) {
            error!("a worker cannot take back a connection at rest: {error}");
        }
        Some(place)
    }
}
