//! What both ends say once it is not HTTP (RFC 9110 section 7.8, or never was): bytes, passed on as they come.
//!
//! One timer a tunnel ends those that stand still. It is not set anew for every byte: those note when they
//! move, and the timer looks at that note when it runs out.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes},
    time::sleep,
};
use tracing::debug;

use super::{
    access_log::Noted,
    clock,
    http1::Raw,
    upstream::Lease,
    worker::{Open, Worker},
};
use crate::model::duration::text;

/// Bytes that are passed on at one time, in each direction: half as much costs a fifth more CPU time, twice as much
/// saves a sixth, and every tunnel has room for two of them.
const PIECE: usize = 16 << 10;

/// What is left to be done when both ends have agreed to change the protocol.
pub(super) struct Tunnel {
    server: Raw,
    /// Keeps the place at the backend.
    lease: Lease,
    noted: Noted,
    limit: Duration,
    open: Open,
}

impl Tunnel {
    pub(super) fn new(
        worker: &Rc<Worker>,
        server: Raw,
        (lease, noted): (Lease, Noted),
        limit: Duration,
    ) -> Self {
        Self { server, lease, noted, limit, open: worker.open_one() }
    }

    /// Passes bytes on, once the client has been told.
    pub(super) async fn run(self, client: Raw) {
        let Self { server, lease, mut noted, limit, open } = self;
        pass(client, server, limit, &mut noted).await;
        drop((lease, noted, open));
    }
}

/// Passes bytes on until both ends have ended, or nothing has moved in either direction for so long.
pub(super) async fn pass<C, S>(client: C, server: S, limit: Duration, noted: &mut Noted)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let moved = Cell::new(clock::now());
    let [from_client, from_server] = [Cell::new(0), Cell::new(0)];
    let passage = Passage { noted, from_client: &from_client, from_server: &from_server };
    let mut client = Moving { stream: client, moved: &moved, read: &from_client };
    let mut server = Moving { stream: server, moved: &moved, read: &from_server };
    let still = || Duration::from_millis(clock::now().saturating_sub(moved.get()));
    let standing_still = async {
        while let Some(left) = limit.checked_sub(still()).filter(|left| !left.is_zero()) {
            sleep(left).await;
        }
    };
    tokio::select! {
        // Either end may go at any time; there is nobody left to tell.
        passed = copy_bidirectional_with_sizes(&mut client, &mut server, PIECE, PIECE) => {
            match passed {
                Ok(_) => passage.noted.has_ended(),
                Err(error) => passage.noted.is_cut(&error),
            }
        }
        () = standing_still => {
            debug!("nothing has moved for {}, the `tunnel-timeout`: closed", text(limit));
            let why = format_args!("nothing has moved for {}, the `tunnel-timeout`", text(limit));
            passage.noted.is_cut(&why);
        }
    }
}

/// Says at the end how many bytes were passed on, also if it comes from outside.
struct Passage<'a> {
    noted: &'a mut Noted,
    from_client: &'a Cell<u64>,
    from_server: &'a Cell<u64>,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.noted.has_passed(self.from_client.get(), self.from_server.get());
    }
}

/// Notes when bytes move, and how many.
struct Moving<'a, S> {
    stream: S,
    moved: &'a Cell<u64>,
    /// Bytes that were read from it.
    read: &'a Cell<u64>,
}

impl<S> Moving<'_, S> {
    fn note<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.moved.set(clock::now());
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Moving<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.read.set(self.read.get() + (buffer.filled().len() - before) as u64);
        self.note(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Moving<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
