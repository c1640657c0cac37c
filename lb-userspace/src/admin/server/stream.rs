//! Answers that go on: a line at a time, until one side has enough.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::{Bytes, Frame},
    header::{CONTENT_TYPE, HeaderValue},
};
use tokio::{sync::mpsc, time};

/// The body of any answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Whether a connection is in the midst of such an answer: then its age does not count.
#[derive(Clone, Default)]
pub(super) struct Streaming(Arc<AtomicBool>);

impl Streaming {
    /// An answer of the lines that are still to come. It ends when their sender is dropped; when the
    /// client has gone, the receiver is.
    pub(super) fn respond(&self, lines: mpsc::Receiver<Bytes>) -> Response<Body> {
        self.0.store(true, Ordering::Relaxed);
        let state = (lines, Ended(self.clone()));
        let frames = stream::unfold(state, |(mut lines, ended)| async {
            let chunk = poll_fn(|context| lines.poll_recv(context)).await?;
            Some((Ok(Frame::data(chunk)), (lines, ended)))
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        let lines = HeaderValue::from_static("application/x-ndjson");
        response.headers_mut().insert(CONTENT_TYPE, lines);
        response
    }

    /// Waits until a connection is as old as it may become, and no such answer is under way.
    pub(super) async fn grows_old(&self, most: Duration) {
        loop {
            time::sleep(most).await;
            if !self.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// Notes the end of an answer when it is dropped.
struct Ended(Streaming);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}
