//! A socket of a worker at which it listens.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    pin::pin,
    rc::{Rc, Weak},
    time::Duration,
};

use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::watch,
    task::{coop::consume_budget, spawn_local},
    time::sleep,
};
use tracing::{debug, error, warn};

use super::Worker;
use crate::proxy::{
    connection::Arrival,
    socket::{self, BACKLOG},
};

/// How long is waited when a connection cannot be accepted for want of something.
const BREATH: Duration = Duration::from_millis(50);

/// See the module. It is open until its task has ended.
pub(super) struct Listening {
    socket: Weak<AsyncFd<TcpListener>>,
    /// For who is served, too.
    ending: watch::Sender<bool>,
}

impl Listening {
    /// Serves who comes by a socket, for the listener of this number.
    pub(super) fn begin(worker: &Rc<Worker>, number: u32, socket: TcpListener) -> io::Result<Self> {
        // SAFETY: A `TcpListener` has one file that is open for as long as itself.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        let (socket, (ending, told)) = (Rc::new(socket), watch::channel(false));
        let listening = Self { socket: Rc::downgrade(&socket), ending };
        spawn_local(accept(Rc::clone(worker), number, socket, told));
        Ok(listening)
    }

    /// See [`socket::defer`].
    pub(super) fn defer(&self, clients_speak_first: bool) {
        let Some(socket) = self.socket.upgrade() else { return };
        if let Err(error) = socket::defer(socket.get_ref(), clients_speak_first) {
            error!("connections may come later than they should: {error}");
        }
    }

    /// Takes no more connections, and lets those there are end.
    pub(super) fn end(&self) {
        self.ending.send_replace(true);
    }
}

/// Takes connections until told to end; then those that wait already, and no more.
async fn accept(
    worker: Rc<Worker>,
    number: u32,
    socket: Rc<AsyncFd<TcpListener>>,
    ending: watch::Receiver<bool>,
) {
    let is_ending = || *ending.borrow();
    let mut ended = ending.clone();
    let mut ended = pin!(ended.wait_for(|ending| *ending));
    loop {
        let mut ready = tokio::select! {
            biased;
            _ = ended.as_mut() => break,
            ready = socket.readable() => match ready {
                Ok(ready) => ready,
                Err(error) => return error!("a worker cannot wait for connections: {error}"),
            },
        };
        // There may be more of them at any time, so that there is no end of it but ours.
        while !is_ending()
            && let Ok(accepted) = ready.try_io(|socket| take(socket.get_ref()))
        {
            match accepted {
                Ok((socket, client)) => serve(&worker, number, &ending, socket, client),
                Err(error) if is_of_the_client(&error) => debug!("a client went at once: {error}"),
                Err(error) => {
                    warn!("cannot take a connection: {error}; raise the limit of open files");
                    sleep(BREATH).await;
                }
            }
            // Those who are here already have their turn between many that come.
            consume_budget().await;
        }
    }
    for _ in 0..BACKLOG {
        match take(socket.get_ref()) {
            Ok((socket, client)) => serve(&worker, number, &ending, socket, client),
            Err(error) if is_of_the_client(&error) => {}
            Err(_) => break,
        }
    }
}

fn serve(
    worker: &Rc<Worker>,
    number: u32,
    ending: &watch::Receiver<bool>,
    socket: TcpStream,
    client: SocketAddr,
) {
    let (worker, ending) = (Rc::clone(worker), ending.clone());
    spawn_local(Arrival { worker, number, client, ending }.serve(socket));
}

/// Takes a connection that waits. Its socket does not block.
fn take(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, client) = acceptfrom_with(socket, flags)?;
    let client = client.and_then(|client| client.try_into().ok());
    // The kernel knows the other end of what it has accepted.
    Ok((socket.into(), client.ok_or(io::ErrorKind::ConnectionAborted)?))
}

/// Errors of accept(2) that are about the connection, not about us.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
