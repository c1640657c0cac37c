//! The client's socket as hyper sees it: what arrives is noted, and can be ended.
//!
//! Whoever refuses a client leaves the answer in [`Watch::refuse`]. From then on hyper reads the end of
//! the stream and lets go of the socket, and the connection's task writes the answer. Time is noted for
//! the whole connection here, so that a request needs no timer of its own. And the bytes of HTTP/1 are
//! looked at more strictly ([`strict`](super::strict)) before hyper parses them.

#[cfg(test)]
mod tests;
mod watch;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

pub(super) use self::watch::{Verdict, Watch};
use super::{
    clients::Entry,
    strict::{Limits, Scanner},
};

/// See the module.
#[derive(Debug)]
pub(super) struct ClientIo<S> {
    stream: S,
    watch: Arc<Watch>,
    /// Of HTTP/1, as long as that is spoken.
    scanner: Option<Scanner>,
    /// Nothing more is read: the client was refused for what it sent.
    over: bool,
    /// What counts the connection as one of its client's, for as long as there is this: in a tunnel, too.
    _entry: Entry,
}

impl<S> ClientIo<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>, entry: Entry) -> Self {
        let scanner = (!watch.is_multiplexed()).then(|| Scanner::new(Limits::of(watch.limits())));
        Self { stream, watch, scanner, over: false, _entry: entry }
    }

    /// Takes back what begins with a fault, and refuses the client.
    fn look_at(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if self.watch.is_tunnelled() {
            self.scanner = None;
        }
        let Some(scanner) = &mut self.scanner else { return };
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        let fault = scanner.scan(arrived);
        self.watch.expects(!scanner.is_between());
        if let Err(refused) = fault {
            debug!("a client is refused: {}", refused.fault);
            buffer.set_filled(before + refused.after);
            (self.scanner, self.over) = (None, true);
            self.watch.refuse(refused.fault.status(), Some(refused.fault));
        }
    }

    /// The socket itself.
    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The socket itself.
    pub(super) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.over {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // Of who was refused nothing more is heard, even if it has arrived.
        if self.watch.is_refused(read.is_pending().then(|| cx.waker())) {
            buffer.set_filled(before);
            return Poll::Ready(Ok(()));
        }
        if buffer.filled().len() > before {
            self.watch.heard();
            self.look_at(buffer, before);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch.wrote(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // With TLS the last bytes are taken by this, and not by a write.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch.wrote(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.is_refused(None) {
            // The answer is yet to be written.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
