//! A connection to a backend: one request at a time, driven by the task that has the request.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use hyper::{
    Method, Request, Response,
    body::{Bytes, Frame, SizeHint},
    http::response::Parts,
};
use tokio::io::{AsyncRead as _, ReadBuf};

use super::{
    Stream,
    buffer::Buffer,
    error::Error,
    fields::Spans,
    framing::{Framing, poll_frame},
    head,
    raw::Raw,
    sending::Sending,
};
use crate::proxy::body::{Outbound, ROOM};

/// See the module.
pub(in crate::proxy) struct Connection {
    stream: Box<dyn Stream>,
    read: Buffer,
    spans: Spans,
    /// The present request.
    sending: Sending<Outbound>,
    /// The body of the present answer.
    framing: Framing,
    /// Whether the connection goes on after the present answer.
    persists: bool,
    /// Why the request broke off, until that is told.
    half: Option<Error>,
}

/// A request without an answer.
pub(in crate::proxy) struct Unanswered {
    pub(in crate::proxy) error: Error,
    /// Whether the backend has not seen anything of it, and it is whole.
    pub(in crate::proxy) is_unsent: bool,
}

impl Connection {
    pub(in crate::proxy) fn new(stream: impl Stream + 'static) -> Box<Self> {
        Box::new(Self {
            stream: Box::new(stream),
            read: Buffer::default(),
            spans: Spans::new(),
            sending: Sending::default(),
            framing: Framing::Over,
            persists: true,
            half: None,
        })
    }

    /// Whether the backend has neither closed the connection nor said anything unasked. It costs no system call unless there
    /// is something to be read.
    pub(in crate::proxy) fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let stream = Pin::new(&mut self.stream);
        stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }

    /// Sends a request, and waits for the head of its answer. The body of the answer is then had of the connection. If the
    /// request has a body it is taken, unless nothing was sent.
    pub(in crate::proxy) async fn ask(
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
            self.poll_upload(cx);
            if let Some(error) = self.half.take() {
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
    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.poll_upload(cx);
        if let Some(error) = self.half.take() {
            return Poll::Ready(Some(Err(error)));
        }
        poll_frame(&mut self.framing, &mut self.read, &mut self.stream, cx)
    }

    /// Sends more of what is left of the request.
    pub(in crate::proxy) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error @ Error::Request(_))) = self.sending.poll(&mut self.stream, cx)
        {
            self.half = Some(error);
        }
    }

    /// Whether the answer is complete.
    pub(in crate::proxy) fn is_over(&self) -> bool {
        self.framing.is_over()
    }

    /// What is known of the length of the rest of the answer.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.framing.size_hint()
    }

    /// Whether another request can be sent.
    pub(in crate::proxy) fn can_go_on(&self) -> bool {
        let is_done = self.framing.is_over() && self.sending.is_done();
        self.persists && is_done && self.read.bytes.is_empty()
    }

    /// The connection when what comes is not HTTP any more.
    pub(in crate::proxy) fn into_raw(self) -> Raw {
        Raw { ahead: self.read.bytes.freeze(), stream: self.stream }
    }
}
