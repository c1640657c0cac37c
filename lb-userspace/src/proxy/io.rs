//! The client's socket as the reader of requests sees it: what arrives is noted, and can be ended.
//!
//! Whoever refuses a client leaves the answer in [`Watch::refuse`]. From then on the reader sees the end of
//! the stream and lets go of the socket, and the connection's task writes the answer. Time is noted for
//! the whole connection here, so that a request needs no timer of its own. And the bytes of HTTP/1 are
//! looked at more strictly ([`strict`](super::strict)) before they are parsed.
//!
//! A connection without TLS is taken for one of HTTP/1. If it begins as one of HTTP/2 does, the reader sees the end of the
//! stream as well, and the connection's task begins anew with [`ClientIo::into_h2`].

#[cfg(test)]
mod tests;
mod watch;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

pub(super) use self::watch::{Verdict, Watch};
use super::{
    clients::Entry,
    gather::poll_write_gathered,
    http1::Outlet,
    strict::{Limits, Refused, Scanner},
};

/// What a connection of HTTP/2 begins with (RFC 9113 section 3.4), as far as no request of HTTP/1 does.
const PREFACE: &[u8; 3] = b"PRI";

/// What is done with bytes that arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// It is yet to be seen how the connection begins.
    Opening,
    /// They are passed on.
    Open,
    /// None is read: the client begins with HTTP/2.
    Http2,
    /// None is read: the client was refused for what it sent.
    Over,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ClientIo<S> {
    stream: S,
    watch: Arc<Watch>,
    /// Whether the stream is nothing but a socket.
    plain: bool,
    /// Of HTTP/1, as long as that is spoken.
    scanner: Option<Scanner>,
    /// Heads of requests that have passed it.
    heads: u64,
    stage: Stage,
    /// Whether the client is told no more.
    ends: bool,
    /// What was read and is yet to be passed on.
    ahead: Box<[u8]>,
    /// What counts the connection as one of its client's, for as long as there is this: in a tunnel, too.
    entry: Entry,
}

impl<S> ClientIo<S> {
    /// Of a connection that may begin in either version of HTTP if it is `plain`.
    pub(super) fn new(stream: S, watch: Arc<Watch>, plain: bool, entry: Entry) -> Self {
        let scanner = (!watch.is_multiplexed()).then(|| Scanner::new(Limits::of(watch.limits())));
        let stage = if plain { Stage::Opening } else { Stage::Open };
        Self {
            stream,
            watch,
            plain,
            scanner,
            heads: 0,
            stage,
            ends: false,
            ahead: Box::default(),
            entry,
        }
    }

    /// Of a connection that has rested: it goes on with another request in HTTP/1.
    pub(super) fn again(stream: S, watch: Arc<Watch>, plain: bool, entry: Entry) -> Self {
        Self { stage: Stage::Open, ..Self::new(stream, watch, plain, entry) }
    }

    /// The socket itself, and what counts the connection.
    pub(super) fn into_parts(self) -> (S, Entry) {
        (self.stream, self.entry)
    }

    /// Whether the client begins with HTTP/2.
    pub(super) fn begins_as_h2(&self) -> bool {
        self.stage == Stage::Http2
    }

    /// The same from the beginning, as a connection of HTTP/2.
    pub(super) fn into_h2(self, watch: Arc<Watch>) -> Self {
        Self { watch, scanner: None, stage: Stage::Open, ..self }
    }

    /// Takes back what begins with a fault, and refuses the client.
    fn look_at(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if self.watch.is_tunnelled() {
            self.scanner = None;
        }
        let Some(scanner) = &mut self.scanner else { return };
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        let fault = scanner.scan(arrived);
        self.heads = scanner.heads();
        self.watch.expects(!scanner.is_between());
        if let Err(refused) = fault {
            buffer.set_filled(before + refused.after);
            self.refuse(refused);
        }
    }

    /// Reads no more, and refuses the client for what it sent.
    pub(super) fn refuse(&mut self, refused: Refused) {
        debug!("a client is refused: {}", refused.fault);
        (self.scanner, self.stage) = (None, Stage::Over);
        self.watch.refuse(refused.fault.status(), Some(refused));
    }

    /// Whether the client was refused.
    pub(super) fn is_refused(&self) -> bool {
        self.watch.is_refused(None)
    }

    /// Heads of requests that have passed: all of each, and found right.
    pub(super) const fn heads(&self) -> u64 {
        self.heads
    }

    /// Fields that a head may have.
    pub(super) fn most_fields(&self) -> usize {
        usize::try_from(self.watch.limits().max_headers).unwrap_or(usize::MAX)
    }

    /// The socket itself.
    pub(super) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: Outlet> Outlet for ClientIo<S> {
    fn ends(&mut self) {
        self.ends = true;
        self.stream.ends();
    }
}

impl<S: AsyncRead + Unpin> ClientIo<S> {
    /// Reads the first bytes, and keeps those that begin as HTTP/2 does.
    fn poll_opening(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        while self.stage == Stage::Opening {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            let arrived = buffer.filled().get(before..).unwrap_or_default();
            let ended = arrived.is_empty();
            if self.ahead.is_empty() && arrived.first() != PREFACE.first() {
                self.stage = Stage::Open;
                return Poll::Ready(Ok(()));
            }
            self.ahead = [&self.ahead, arrived].concat().into();
            buffer.set_filled(before);
            if self.ahead.starts_with(PREFACE) {
                self.stage = Stage::Http2;
            } else if ended || !PREFACE.starts_with(&self.ahead) {
                self.stage = Stage::Open;
            }
        }
        if self.stage == Stage::Open {
            let length = self.ahead.len().min(buffer.remaining());
            let (now, later) = self.ahead.split_at_checked(length).unwrap_or_default();
            buffer.put_slice(now);
            self.ahead = later.into();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(self.stage, Stage::Http2 | Stage::Over) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = if self.stage == Stage::Open && self.ahead.is_empty() {
            Pin::new(&mut self.stream).poll_read(cx, buffer)
        } else {
            self.poll_opening(cx, buffer)
        };
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
        if self.plain && !self.ends && !self.watch.is_tunnelled() {
            // It is closed next, which says the same, unless it goes on as HTTP/2.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = poll_write_gathered(&mut self.stream, cx, slices);
        self.watch.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
