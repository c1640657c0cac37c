//! What a backend sends, and what it holds meanwhile.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body as _, Bytes, Frame, SizeHint};

use super::BodyError;
use crate::proxy::{
    alarms::Alarm,
    clock::{milliseconds, now},
    upstream::{Lease, Received},
    worker::Worker,
};

/// The body of an answer of which some may have been waited for.
pub(in crate::proxy) struct Begun {
    pub(in crate::proxy) first: Option<Bytes>,
    pub(in crate::proxy) rest: Received,
}

/// See the module.
pub(in crate::proxy) struct FromBackend {
    first: Option<Bytes>,
    /// Until all of it is here.
    rest: Option<(Received, Lease)>,
    /// Milliseconds for which it may stand still.
    idle: u64,
    /// When the request has taken too long.
    end: Option<u64>,
    /// When it is too late for more, while nothing comes.
    due: Option<u64>,
    /// Why there is no more, once that is known.
    broken: Option<BodyError>,
    alarm: Alarm,
}

impl FromBackend {
    /// A body that may stand still for as long as `idle`, and must be over when it is `end`.
    pub(super) fn new(
        worker: &Worker,
        Begun { first, rest }: Begun,
        lease: Lease,
        idle: Duration,
        end: Option<u64>,
    ) -> Self {
        Self {
            first,
            rest: Some((rest, lease)),
            idle: milliseconds(idle),
            end,
            due: None,
            broken: None,
            alarm: Alarm::new(worker.alarms()),
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // The backend may have more at any time, and the client take its time.
        if self.end.is_some_and(|end| end <= now()) {
            return Poll::Ready(Some(Err("the request took too long altogether".into())));
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some((rest, _)) = &mut self.rest else { return Poll::Ready(None) };
        match Pin::new(&mut *rest).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.due = None;
                self.alarm.unset();
                if let Some(Err(error)) = frame {
                    // hyper lets go of the client at once: what it has taken before gets its turn to be sent.
                    self.broken = Some(error.into());
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if frame.is_none() || rest.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let (idle, end) = (self.idle, self.end.unwrap_or(u64::MAX));
                let due = *self.due.get_or_insert_with(|| end.min(now() + idle));
                let error = "the backend stopped in the middle of its answer";
                self.alarm.poll(cx, due).map(|()| Some(Err(error.into())))
            }
        }
    }

    /// Sends more of the request, while the client takes nothing.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Some((rest, _)) = &mut self.rest {
            rest.poll_upload(cx);
        }
    }

    /// What has been waited for is part of it, and counts towards the length.
    pub(super) fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), |(rest, _)| rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }

    pub(super) fn is_over(&self) -> bool {
        let is_over = |(rest, _): &(Received, Lease)| rest.is_end_stream();
        self.first.is_none() && self.rest.as_ref().is_none_or(is_over)
    }

    fn finish(&mut self) {
        if let Some((rest, lease)) = self.rest.take() {
            lease.finish(rest);
        }
    }
}
