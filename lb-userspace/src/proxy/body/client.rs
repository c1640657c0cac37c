//! What a client sends, which is read to its end also when nobody wants it any more: the answer is ours, or the
//! backend has given it early.
//!
//! A connection of HTTP/1 with half a request on it can carry no other, and one that is closed with unread bytes
//! is reset, which may take the answer with it (RFC 9112 section 9.6). In HTTP/2 the stream ends, and nothing else.
//!
//! A body that has a length is measured before anything is done with its request; another one here, on its way.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Request, Version,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::EXPECT,
};
use thiserror::Error;
use tokio::{runtime::Handle, task::spawn_local, time::timeout};

/// How long the rest of a body is read.
const LINGERING: Duration = Duration::from_secs(5);

/// Why a body does not come to its end.
#[derive(Debug, Error)]
pub(in crate::proxy) enum Cut {
    /// It broke off, or is damaged.
    #[error("{0}")]
    Broken(#[source] hyper::Error),
    /// It has more bytes than this.
    #[error("a body of more than {0} bytes")]
    TooLarge(u64),
}

/// See the module.
pub(in crate::proxy) struct ClientBody {
    body: Option<Incoming>,
    /// Whether the rest of it will come, and must be read.
    comes: bool,
    /// Whether it comes once it is asked for.
    waits: bool,
    /// Bytes that it may have, and how many of them have come.
    most: u64,
    read: u64,
    /// Where they are counted, too, if somebody wants to know.
    count: Option<Rc<Cell<u64>>>,
}

impl ClientBody {
    /// A request with its body, which may have so many bytes.
    pub(in crate::proxy) fn of(
        request: Request<Incoming>,
        most: Option<u64>,
        count: Option<Rc<Cell<u64>>>,
    ) -> Request<Self> {
        let blocks = request.version() < Version::HTTP_2;
        // Who waits to be told to send it sends nothing unless we read.
        let waits = request.headers().contains_key(EXPECT);
        let (comes, waits) = (blocks && !waits, blocks && waits);
        let most = most.unwrap_or(u64::MAX);
        request.map(|body| Self { body: Some(body), comes, waits, most, read: 0, count })
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
        self.comes |= self.waits;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        Pin::new(body).poll_frame(cx).map(|frame| {
            frame.map(|frame| frame.map_err(Cut::Broken).and_then(|frame| self.measure(frame)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        // A worker that ends drops what it has outside of its run-time.
        let read = self.comes && Handle::try_current().is_ok();
        if let Some(body) = self.body.take().filter(|body| read && !body.is_end_stream()) {
            spawn_local(async { timeout(LINGERING, read_rest(body)).await });
        }
    }
}

async fn read_rest(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
