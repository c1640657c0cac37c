//! A connection between two requests.
//!
//! Most connections are idle most of the time. What it takes to serve one (buffers, the state of parsing, room for
//! a request under way) is many kilobytes, and what tokio has for a socket and who waits for it another. So it is taken
//! apart after a while: its socket is [parked](crate::proxy::worker::Worker::park), and of the rest there stays what cannot
//! be made anew, as one block of memory. That block is allocated then, among others that stay as long; what a connection
//! begins with lies between what others have used for a moment, and would keep those pages.
//!
//! With TLS the session stays as it is, without its socket (see [`seat`](super::seat)).

use std::{net::TcpStream, rc::Rc, sync::Arc};

use tokio::{io::AsyncWriteExt, sync::watch, task::spawn_local, time::timeout};
use tracing::debug;

use super::{LINGERING, Spoken, seat::Socket};
use crate::proxy::{
    clients::Entry,
    io::{ClientIo, Watch},
    visit::Guest,
    worker::{Open, Parked},
};

/// See the module.
struct Resting<S: Socket> {
    guest: Guest,
    /// Since when it is idle.
    since: u64,
    ending: watch::Receiver<bool>,
    open: Open,
    entry: Entry,
    above: S::Above,
}

impl Spoken {
    /// Waits for another request, as something that needs little.
    pub(super) fn rest<S: Socket>(self, io: ClientIo<S>) {
        let Self { visit, watch, ending, open, .. } = self;
        let (stream, entry) = io.into_parts();
        let Some(guest) = visit.end() else { return };
        let (worker, since, until) = (Rc::clone(guest.worker()), watch.since(), watch.until());
        let parked = stream.apart().and_then(|(socket, above)| {
            let resting = Resting::<S> { guest, since, ending, open, entry, above };
            worker.park(socket, until, Box::new(resting))
        });
        if let Err(error) = parked {
            debug!("an idle connection is closed because it cannot rest: {error}");
        }
    }
}

impl<S: Socket> Resting<S> {
    /// Puts together what was taken apart.
    fn together(self, socket: TcpStream) -> (Spoken, Box<ClientIo<S>>) {
        let Self { guest, since, ending, open, entry, above } = self;
        let stream = S::together(socket, above);
        let watch = Arc::new(Watch::again(&guest.listener().limits, since));
        let io = ClientIo::again(stream, Arc::clone(&watch), S::IS_PLAIN, entry);
        (Spoken::new(guest, watch, ending, open), Box::new(io))
    }
}

impl<S: Socket> Parked for Resting<S> {
    fn must_leave(&self) -> bool {
        *self.ending.borrow()
    }

    fn go_on(self: Box<Self>, socket: TcpStream) {
        let (spoken, io) = self.together(socket);
        spawn_local(spoken.serve(io));
    }

    fn leave(self: Box<Self>, socket: TcpStream) {
        if S::IS_PLAIN {
            // To be closed says it all.
            return;
        }
        let (spoken, mut io) = self.together(socket);
        spawn_local(async move {
            _ = timeout(LINGERING, io.shutdown()).await;
            drop(spoken);
        });
    }
}
