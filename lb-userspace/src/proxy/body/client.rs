//! What a client sends.
//!
//! A body that has a length is measured before anything is done with its request; another one here, on its way. What of it
//! nobody wants is read by who has the connection, or in HTTP/2 by nobody: there the stream ends, and nothing else.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::{
    Request,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
};
use thiserror::Error;

use crate::proxy::{http1::RequestBody, upstream::Trouble};

/// Where a body comes from.
pub(in crate::proxy) enum Upload {
    Nowhere,
    Http1(RequestBody),
    Http2(Incoming),
}

/// Why a body does not come to its end.
#[derive(Debug, Error)]
pub(in crate::proxy) enum Cut {
    /// It broke off, or is damaged.
    #[error("{0}")]
    Broken(#[source] Trouble),
    /// It has more bytes than this.
    #[error("a body of more than {0} bytes")]
    TooLarge(u64),
}

/// See the module.
pub(in crate::proxy) struct ClientBody {
    from: Upload,
    /// Bytes that it may have, and how many of them have come.
    most: u64,
    read: u64,
    /// Where they are counted, too, if somebody wants to know.
    count: Option<Rc<Cell<u64>>>,
}

impl ClientBody {
    /// A request with its body, which may have so many bytes.
    pub(in crate::proxy) fn of(
        request: Request<Upload>,
        most: Option<u64>,
        count: Option<Rc<Cell<u64>>>,
    ) -> Request<Self> {
        let most = most.unwrap_or(u64::MAX);
        request.map(|from| Self { from, most, read: 0, count })
    }

    /// Whether it is known to be larger than it may be.
    pub(in crate::proxy) fn is_too_large(&self) -> bool {
        self.size_hint().lower() > self.most
    }

    /// Counts what has come. A body that is larger than it may be ends here, and is no whole one for anybody.
    fn measure(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Cut> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.read = self.read.saturating_add(length);
        if let Some(count) = &self.count {
            count.set(self.read);
        }
        if self.read > self.most { Err(Cut::TooLarge(self.most)) } else { Ok(frame) }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = match &mut self.from {
            Upload::Nowhere => Poll::Ready(None),
            Upload::Http1(body) => Pin::new(body).poll_frame(cx).map_err(Trouble::Http1),
            Upload::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Trouble::Http2),
        };
        polled.map(|frame| {
            frame.map(|frame| frame.map_err(Cut::Broken).and_then(|frame| self.measure(frame)))
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.from {
            Upload::Nowhere => true,
            Upload::Http1(body) => body.is_end_stream(),
            Upload::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.from {
            Upload::Nowhere => SizeHint::with_exact(0),
            Upload::Http1(body) => body.size_hint(),
            Upload::Http2(body) => body.size_hint(),
        }
    }
}
