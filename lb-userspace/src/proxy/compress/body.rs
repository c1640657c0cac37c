//! A body that is coded as it comes.
//!
//! A coding gives out little by itself: it waits for more. So it is made to give what it has when the backend pauses, and
//! events reach the client at once. A backend's connection is a task of its own, which brings the next piece only when it is its
//! turn; the backend pauses when that has been and there is still nothing.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    HeaderMap,
    body::{Body, Bytes, Frame},
};

use super::encoder::Encoder;
use crate::proxy::body::{BodyError, Inbound};

/// Bytes that are coded before others get their turn.
const TURN: usize = 64 << 10;

/// See the module.
pub(in crate::proxy) struct Compressed {
    body: Inbound,
    /// Until the end.
    encoder: Option<Encoder>,
    /// What follows the last byte.
    trailers: Option<HeaderMap>,
    /// Whether there are bytes that were taken and perhaps not given out.
    holds: bool,
    /// Whether there was nothing when it was last looked.
    pauses: bool,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Compressed {
    pub(super) fn new(body: Inbound, encoder: Encoder) -> Self {
        Self { body, encoder: Some(encoder), trailers: None, holds: false, pauses: false }
    }

    /// Sends more of the request, while the client takes nothing.
    pub(in crate::proxy) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        self.body.poll_upload(cx);
    }

    /// The next coded piece.
    pub(in crate::proxy) fn poll(&mut self, cx: &mut Context<'_>) -> Polled {
        let mut taken = 0;
        loop {
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(self.trailers.take().map(|it| Ok(Frame::trailers(it))));
            };
            let done = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending if self.holds && self.pauses => {
                    self.holds = false;
                    encoder.flush()
                }
                Poll::Pending => {
                    if self.holds {
                        self.pauses = true;
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Poll::Ready(None) => return self.finish(),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => {
                    self.pauses = false;
                    match frame.into_data() {
                        Ok(data) => {
                            taken += data.len();
                            self.holds = true;
                            encoder.write(&data)
                        }
                        Err(frame) => {
                            self.trailers = frame.into_trailers().ok();
                            Ok(())
                        }
                    }
                }
            };
            if let Err(error) = done {
                return Poll::Ready(Some(Err(error.into())));
            }
            let given = encoder.take();
            if !given.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(given.into()))));
            }
            if taken >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn finish(&mut self) -> Polled {
        let rest = self.encoder.take().map(Encoder::finish);
        Poll::Ready(rest.map(|rest| Ok(Frame::data(rest?.into()))))
    }

    /// Whether there is nothing more to come.
    pub(in crate::proxy) fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}
