//! What a client sends, which is read to its end also when nobody wants it any more: the answer is ours, or the
//! backend has given it early.
//!
//! A connection of HTTP/1 with half a request on it can carry no other, and one that is closed with unread bytes
//! is reset, which may take the answer with it (RFC 9112 section 9.6). In HTTP/2 the stream ends, and nothing else.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Request, Version,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::EXPECT,
};
use tokio::{runtime::Handle, task::spawn_local, time::timeout};

/// How long the rest of a body is read.
const LINGERING: Duration = Duration::from_secs(5);

/// See the module.
pub(in crate::proxy) struct ClientBody {
    body: Option<Incoming>,
    /// Whether the rest of it will come, and must be read.
    comes: bool,
}

impl ClientBody {
    /// A request with its body.
    pub(in crate::proxy) fn of(request: Request<Incoming>) -> Request<Self> {
        // Who waits to be told to send it sends nothing unless we read.
        let waits = request.headers().contains_key(EXPECT);
        let comes = request.version() < Version::HTTP_2 && !waits;
        request.map(|body| Self { body: Some(body), comes })
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
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
