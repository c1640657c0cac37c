//! The client's socket as hyper sees it: what arrives is noted, and can be ended.
//!
//! Whoever refuses a client leaves the answer in [`Watch::refuse`]. From then on hyper reads the end of
//! the stream and lets go of the socket, and the connection's task writes the answer. Time is noted for
//! the whole connection here, so that a request needs no timer of its own. And the bytes of HTTP/1 are
//! looked at more strictly ([`strict`](super::strict)) before hyper parses them.

#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

use super::{
    clock::{milliseconds, now},
    strict::{Limits, Scanner},
};

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// How long a connection may be idle between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take nothing of what we have for it.
const STUCK: Duration = Duration::from_mins(1);

/// What a client is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Its next request.
    Idle,
    /// The rest of the head of a request.
    Head,
}

/// What the time says of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Look again after so long.
    Later(Duration),
    /// It has been idle for long enough.
    Stale,
    /// The head of its request took too long.
    Slow,
    /// It has taken nothing of its answer for too long.
    Stuck,
}

/// What is noted of a client's connection.
#[derive(Debug)]
pub(super) struct Watch {
    phase: AtomicU8,
    /// When the phase began.
    since: AtomicU64,
    /// Since when the client takes nothing; 0 if it does.
    stuck: AtomicU64,
    /// Requests that are not answered yet.
    busy: AtomicU32,
    /// Whether there may be several at one time: then what arrives need not be the head of one.
    multiplexed: bool,
    /// Whether there is a refusal, for who has no time to look.
    refused: AtomicBool,
    /// What arrives from now on is not HTTP.
    tunnelled: AtomicBool,
    refusal: Mutex<Refusal>,
}

#[derive(Debug, Default)]
struct Refusal {
    status: Option<StatusCode>,
    /// Who waits for bytes that will not come.
    reader: Option<Waker>,
}

impl Watch {
    pub(super) fn new(multiplexed: bool) -> Self {
        let phase = AtomicU8::new(Phase::Idle as u8);
        let (since, stuck) = (AtomicU64::new(now()), AtomicU64::new(0));
        let busy = AtomicU32::new(0);
        let (tunnelled, refused) = (AtomicBool::new(false), AtomicBool::new(false));
        let refusal = Mutex::default();
        Self { phase, since, stuck, busy, multiplexed, refused, tunnelled, refusal }
    }

    /// A request is there.
    pub(super) fn asked(&self) {
        self.busy.fetch_add(1, Relaxed);
    }

    /// A request is answered.
    pub(super) fn answered(&self) {
        self.busy.fetch_sub(1, Relaxed);
        self.enter(Phase::Idle);
    }

    /// Another protocol is spoken from now on.
    pub(super) fn tunnel(&self) {
        self.tunnelled.store(true, Relaxed);
    }

    /// Begins a phase.
    fn enter(&self, phase: Phase) {
        self.since.store(now(), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    /// Whether it is time to do something.
    pub(super) fn verdict(&self, now: u64) -> Verdict {
        let (phase, since) = (self.phase.load(Relaxed), self.since.load(Relaxed));
        let stuck = self.stuck.load(Relaxed);
        let busy = self.busy.load(Relaxed) > 0;
        let (limit, since, verdict) = if busy && stuck > 0 {
            (STUCK, stuck, Verdict::Stuck)
        } else if busy {
            return Verdict::Later(HEAD);
        } else if phase == Phase::Idle as u8 {
            (KEEP_ALIVE, since, Verdict::Stale)
        } else {
            (HEAD, since, Verdict::Slow)
        };
        let age = now.saturating_sub(since);
        match milliseconds(limit).checked_sub(age) {
            None | Some(0) => verdict,
            Some(left) => Verdict::Later(Duration::from_millis(left)),
        }
    }

    /// Ends what is read, and leaves the status that the client is told.
    pub(super) fn refuse(&self, status: StatusCode) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.status.get_or_insert(status);
        self.refused.store(true, Release);
        if let Some(reader) = refusal.reader.take() {
            reader.wake();
        }
    }

    /// The status that the client is to be told, if it was refused.
    pub(super) fn refusal(&self) -> Option<StatusCode> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).status
    }

    /// Notes bytes that have arrived.
    fn heard(&self) {
        let idle = self.phase.load(Relaxed) == Phase::Idle as u8;
        if idle && !self.multiplexed && self.busy.load(Relaxed) == 0 {
            self.enter(Phase::Head);
        }
    }

    /// Notes whether the client takes what we write.
    fn wrote<T>(&self, written: &Poll<T>) {
        if written.is_ready() {
            if self.stuck.load(Relaxed) != 0 {
                self.stuck.store(0, Relaxed);
            }
        } else if self.stuck.load(Relaxed) == 0 {
            self.stuck.store(now().max(1), Relaxed);
        }
    }

    /// Whether the client was refused; if not, `waiting` is told when it is.
    fn is_refused(&self, waiting: Option<&Waker>) -> bool {
        let Some(waker) = waiting else { return self.refused.load(Acquire) };
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if refusal.status.is_none() {
            refusal.reader = Some(waker.clone());
        }
        refusal.status.is_some()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct ClientIo<S> {
    stream: S,
    watch: Arc<Watch>,
    /// Of HTTP/1, as long as that is spoken.
    scanner: Option<Scanner>,
    /// Nothing more is read: the client was refused for what it sent.
    over: bool,
}

impl<S> ClientIo<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        let scanner = (!watch.multiplexed).then(|| Scanner::new(Limits::default()));
        Self { stream, watch, scanner, over: false }
    }

    /// Takes back what begins with a fault, and refuses the client.
    fn look_at(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if self.watch.tunnelled.load(Relaxed) {
            self.scanner = None;
        }
        let Some(scanner) = &mut self.scanner else { return };
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if let Err(refused) = scanner.scan(arrived) {
            debug!("a client is refused: {}", refused.fault);
            buffer.set_filled(before + refused.after);
            (self.scanner, self.over) = (None, true);
            self.watch.refuse(refused.fault.status());
        }
    }

    /// The socket itself.
    pub(super) fn into_inner(self) -> S {
        self.stream
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
        Pin::new(&mut self.stream).poll_flush(cx)
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
