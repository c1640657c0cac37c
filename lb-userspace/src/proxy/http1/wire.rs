//! A client's socket. What arrives is read by who waits for requests, and by who has the body of one.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use hyper::{
    Request,
    body::{Body, Bytes, Frame, SizeHint},
};
use tokio::io::AsyncWrite;

use super::{
    Stream,
    buffer::Buffer,
    error::Error,
    fields::Spans,
    framing::{Framing, poll_frame},
    outgoing::{Outgoing, Outlet},
    raw::Raw,
    request::{self, Asked},
};
use crate::proxy::{io::ClientIo, strict::Refused};

/// What a client is told whose body is waited for (RFC 9110 section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// See the module.
pub(super) struct Wire<S> {
    /// Until something else is spoken by it.
    io: Option<Box<ClientIo<S>>>,
    read: Buffer,
    spans: Spans,
    /// Heads that were taken.
    heads: u64,
    /// What of the body of the present request is to come.
    framing: Framing,
    /// Whether the client waits to be told to send it.
    waits: bool,
    /// What it is told.
    interim: Outgoing,
    /// Whether somebody has the body.
    is_held: bool,
    /// Who is told when that is over.
    waker: Option<Waker>,
}

impl<S: Stream> Wire<S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Some(io) => self.read.poll_fill(io, cx),
            None => Poll::Ready(Ok(0)),
        }
    }

    /// Sends what comes before the answer.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Some(io) if !self.interim.is_empty() => self.interim.poll(io, cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// The next request, if its head is there. A head that the scanner has seen and cannot be read is refused.
    fn take_request(&mut self) -> Option<(Request<()>, Asked)> {
        let io = self.io.as_mut()?;
        if io.heads() == self.heads {
            return None;
        }
        self.heads += 1;
        match request::parse(&mut self.read.bytes, &mut self.spans, io.most_fields()) {
            Ok((request, asked)) => {
                (self.framing, self.is_held) = (asked.framing, !asked.framing.is_over());
                self.waits = asked.waits && self.is_held;
                Some((request, asked))
            }
            Err(fault) => {
                io.refuse(Refused { after: 0, fault, of_body: false });
                self.read.bytes.clear();
                None
            }
        }
    }
}

/// Where the body of a request comes from.
trait Source {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>>;

    /// What of it is to come.
    fn framing(&self) -> &Framing;

    /// Nobody has it any more.
    fn let_go(&mut self);
}

impl<S: Stream> Source for Wire<S> {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if std::mem::take(&mut self.waits) {
            self.interim.own().extend_from_slice(CONTINUE);
        }
        if let Poll::Ready(told) = self.poll_interim(cx) {
            told.map_err(Error::Broken)?;
        }
        let Some(io) = &mut self.io else { return Poll::Ready(Some(Err(Error::HalfRequest))) };
        poll_frame(&mut self.framing, &mut self.read, io, cx).map_err(|error| match error {
            Error::Incomplete => Error::HalfRequest,
            error => error,
        })
    }

    fn framing(&self) -> &Framing {
        &self.framing
    }

    fn let_go(&mut self) {
        self.is_held = false;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The body of a request. Whoever has it reads from the client's socket.
pub(in crate::proxy) struct RequestBody(Rc<RefCell<dyn Source>>);

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.0.borrow_mut().let_go();
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.borrow_mut().poll_body(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.borrow().framing().is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.borrow().framing().size_hint()
    }
}

/// A wire that several have. None of them keeps it to itself longer than for one step.
pub(super) struct Shared<S>(Rc<RefCell<Wire<S>>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: Stream + 'static> Shared<S> {
    pub(super) fn new(io: Box<ClientIo<S>>) -> Self {
        Self(Rc::new(RefCell::new(Wire {
            heads: io.heads(),
            io: Some(io),
            read: Buffer::default(),
            spans: Spans::new(),
            framing: Framing::Over,
            waits: false,
            interim: Outgoing::default(),
            is_held: false,
            waker: None,
        })))
    }

    /// The next request; nothing at the end. `stop` is whether one need not be waited for of which nothing has come.
    pub(super) fn poll_request(
        &self,
        cx: &mut Context<'_>,
        stop: bool,
    ) -> Poll<Option<(Request<Option<RequestBody>>, Asked)>> {
        let mut wire = self.0.borrow_mut();
        loop {
            if let Some((request, asked)) = wire.take_request() {
                let body = wire.is_held.then(|| RequestBody(Rc::clone(&self.0) as _));
                return Poll::Ready(Some((request.map(|()| body), asked)));
            }
            if stop && wire.read.bytes.is_empty() {
                return Poll::Ready(None);
            }
            if !matches!(ready!(wire.poll_fill(cx)), Ok(1..)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Ready when the client has gone. That is not seen while there is something to be read of it.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut wire = self.0.borrow_mut();
        let is_refused = wire.io.as_ref().is_none_or(|io| io.is_refused());
        if is_refused || !wire.framing.is_over() || !wire.read.bytes.is_empty() {
            return Poll::Pending;
        }
        let read = ready!(wire.poll_fill(cx));
        // What is refused now comes behind the request that is under way.
        let is_refused = wire.io.as_ref().is_none_or(|io| io.is_refused());
        if is_refused || matches!(read, Ok(1..)) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether the client has not sent its body, and waits to be told to.
    pub(super) fn waits(&self) -> bool {
        self.0.borrow().waits
    }

    /// Reads the rest of a body that nobody has any more. Whether it has come to its end.
    pub(super) fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut wire = self.0.borrow_mut();
        loop {
            // Who has the body of one request must not come to read that of the next.
            if wire.is_held {
                wire.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if wire.framing.is_over() {
                return Poll::Ready(true);
            }
            if wire.waits {
                return Poll::Ready(false);
            }
            if matches!(ready!(wire.poll_body(cx)), Some(Err(_))) {
                return Poll::Ready(false);
            }
        }
    }

    /// Whether the present request has come to its end, and nobody has its body.
    pub(super) fn is_over(&self) -> bool {
        let wire = self.0.borrow();
        wire.framing.is_over() && !wire.is_held
    }

    /// The socket, for somebody else; nothing if it was taken before.
    pub(super) fn take_io(&self) -> Option<Box<ClientIo<S>>> {
        self.0.borrow_mut().io.take()
    }

    /// Whether all that was read was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().read.bytes.is_empty()
    }

    /// What comes when it is not HTTP any more.
    pub(super) fn take_raw(&self) -> Option<Raw> {
        let mut wire = self.0.borrow_mut();
        let ahead = std::mem::take(&mut wire.read.bytes).freeze();
        wire.io.take().map(|stream| Raw { ahead, stream })
    }
}

impl<S: Stream> Outlet for Shared<S> {
    fn ends(&mut self) {
        if let Some(io) = &mut self.0.borrow_mut().io {
            io.ends();
        }
    }
}

impl<S: Stream> AsyncWrite for Shared<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        ready!(wire.poll_interim(cx))?;
        match &mut wire.io {
            Some(io) => Pin::new(io).poll_write_vectored(cx, slices),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0.borrow_mut().io {
            Some(io) => Pin::new(io).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0.borrow_mut().io {
            Some(io) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
