//! HTTP/1.1 as backends are spoken to: one request at a time on a connection, driven by the task that has the request.
//!
//! hyper runs each such connection as a task of its own, which a request is handed to and the answer comes back from. That is
//! right for a library, and a fifth of what a small request costs a proxy in user time. Here the request's task writes to
//! the socket and reads from it itself, the head is written from the request where it is (so that it can be sent
//! again without a copy), and nobody else has a part in it. Heads, sizes of chunks and trailers are parsed by `httparse`, as
//! hyper does.
//!
//! Clients, and HTTP/2 in both directions, are hyper's.

mod answer;
mod buffer;
mod error;
mod fields;
mod framing;
mod head;
mod outgoing;
mod raw;
mod request;
mod sending;
mod serving;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Frame, SizeHint},
    http::response::Parts,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::{
    buffer::Buffer,
    fields::Spans,
    framing::{Framing, Piece},
    sending::Sending,
};
pub(super) use self::{error::Error, raw::Raw, serving::Serving, wire::RequestBody};
use super::body::{Outbound, ROOM};

/// What a backend is connected by.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// See the module.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    read: Buffer,
    spans: Spans,
    /// The present request.
    sending: Sending<Outbound>,
    /// The body of the present answer.
    framing: Framing,
    /// Whether the connection goes on after the present answer.
    persists: bool,
}

/// A request without an answer.
pub(super) struct Unanswered {
    pub(super) error: Error,
    /// Whether the backend has not seen anything of it, and it is whole.
    pub(super) is_unsent: bool,
}

impl Connection {
    pub(super) fn new(stream: impl Stream + 'static) -> Box<Self> {
        Box::new(Self {
            stream: Box::new(stream),
            read: Buffer::default(),
            spans: Spans::new(),
            sending: Sending::default(),
            framing: Framing::Over,
            persists: true,
        })
    }

    /// Whether the backend has neither closed the connection nor said anything unasked. It costs no system call unless there
    /// is something to be read.
    pub(super) fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let stream = Pin::new(&mut self.stream);
        stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }

    /// Sends a request, and waits for the head of its answer. The body of the answer is then had of the connection. If the
    /// request has a body it is taken, unless nothing was sent.
    pub(super) async fn ask(
        mut self: Box<Self>,
        request: &mut Request<Outbound>,
    ) -> Result<Response<Box<Self>>, Unanswered> {
        self.sending.request(request);
        let method = request.method();
        match poll_fn(|cx| self.poll_head(cx, method)).await {
            Ok(parts) => Ok(Response::from_parts(parts, self)),
            Err(error) => {
                let is_unsent = self.sending.is_unsent();
                if is_unsent {
                    *request.body_mut() = self.sending.take_body();
                }
                Err(Unanswered { error, is_unsent })
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, method: &Method) -> Poll<Result<Parts, Error>> {
        loop {
            // An answer may come before the end of the request; who gives one need not read the rest. So where the backend
            // takes no more, what it has said before decides: that may be there without our having been told of it.
            let sent = self.sending.poll(&mut self.stream, cx);
            if let Poll::Ready(Err(error @ Error::Request(_))) = sent {
                return Poll::Ready(Err(error));
            }
            match ready!(self.read.poll_fill(&mut self.stream, cx)) {
                Ok(0) if self.read.bytes.is_empty() => return Poll::Ready(Err(Error::Closed)),
                Ok(0) => return Poll::Ready(Err(Error::Incomplete)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Error::Broken(error))),
            }
            if let Some(head) = head::parse(&mut self.read.bytes, &mut self.spans, method)? {
                (self.framing, self.persists) = (head.framing, head.persists);
                return Poll::Ready(Ok(head.parts));
            }
            if self.read.bytes.len() >= ROOM {
                return Poll::Ready(Err(Error::LongHead(ROOM)));
            }
        }
    }

    /// More of the answer's body, while what is left of the request is sent.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(Err(error @ Error::Request(_))) = self.sending.poll(&mut self.stream, cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match self.framing.next(&mut self.read.bytes)? {
                Some(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Piece::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                None if self.framing.is_over() => return Poll::Ready(None),
                None => {}
            }
            if ready!(self.read.poll_fill(&mut self.stream, cx)).map_err(Error::Broken)? == 0 {
                self.framing.end()?;
            }
        }
    }

    /// Whether the answer is complete.
    pub(super) fn is_over(&self) -> bool {
        self.framing.is_over()
    }

    /// What is known of the length of the rest of the answer.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.framing.size_hint()
    }

    /// Whether another request can be sent.
    pub(super) fn can_go_on(&self) -> bool {
        let is_done = self.framing.is_over() && self.sending.is_done();
        self.persists && is_done && self.read.bytes.is_empty()
    }

    /// The connection when what comes is not HTTP any more.
    pub(super) fn into_raw(self) -> Raw {
        Raw { ahead: self.read.bytes.freeze(), stream: self.stream }
    }
}

/// Whether an answer of this status is the last of HTTP on its connection.
const fn switches(status: StatusCode) -> bool {
    status.as_u16() == StatusCode::SWITCHING_PROTOCOLS.as_u16()
}
