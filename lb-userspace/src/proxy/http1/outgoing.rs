//! Bytes on their way into a socket: some of our own, a large piece that is not copied, and what ends it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use hyper::body::Bytes;
use tokio::{io::AsyncWrite, net::TcpStream};
use tokio_rustls::client::TlsStream;

use crate::proxy::gather::{SMALL, poll_write_gathered};

/// Where bytes go.
pub(in crate::proxy) trait Outlet: AsyncWrite + Unpin {
    /// What is written from now on is the last, and the end comes behind it at once: they may leave together.
    fn ends(&mut self) {}
}

impl Outlet for TcpStream {}

impl Outlet for TlsStream<TcpStream> {}

impl<O: Outlet + ?Sized> Outlet for Box<O> {
    fn ends(&mut self) {
        (**self).ends();
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    own: Vec<u8>,
    /// How many of them are written.
    written: usize,
    piece: Bytes,
    end: &'static [u8],
    /// Whether the stream may hold something of what was written: one of TLS does.
    unflushed: bool,
}

impl Outgoing {
    /// Bytes of our own, which go out behind those that there are. There must be no piece.
    pub(super) fn own(&mut self) -> &mut Vec<u8> {
        &mut self.own
    }

    /// Adds a piece and its end, if there is none yet.
    pub(super) fn put(&mut self, piece: Bytes, end: &'static [u8]) {
        if self.own.len() + piece.len() <= SMALL {
            self.own.extend_from_slice(&piece);
            self.own.extend_from_slice(end);
        } else {
            (self.piece, self.end) = (piece, end);
        }
    }

    /// Whether more can be put without anything being written before.
    pub(super) fn has_room(&self) -> bool {
        self.piece.is_empty() && self.end.is_empty() && self.own.len() < SMALL
    }

    /// Whether some of what there is or was is written, and the stream may hold it.
    pub(super) fn is_begun(&self) -> bool {
        self.unflushed
    }

    /// Whether all is written, and nothing is held by the stream.
    pub(super) fn is_empty(&self) -> bool {
        self.is_written() && !self.unflushed
    }

    fn is_written(&self) -> bool {
        self.own.is_empty() && self.piece.is_empty() && self.end.is_empty()
    }

    /// Writes all there is, and has the stream let go of it.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_written() {
            let own = self.own.get(self.written..).unwrap_or_default();
            let written = if self.piece.is_empty() && self.end.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, own))?
            } else {
                let slices = [own, &self.piece, self.end].map(IoSlice::new);
                ready!(poll_write_gathered(stream, cx, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
        }
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let own = written.min(self.own.len() - self.written);
        self.written += own;
        if self.written == self.own.len() {
            self.own.clear();
            self.written = 0;
        }
        let piece = (written - own).min(self.piece.len());
        self.piece.advance(piece);
        self.end = self.end.get(written - own - piece..).unwrap_or_default();
    }
}
