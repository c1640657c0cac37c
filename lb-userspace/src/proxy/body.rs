//! Bodies on their way: those of clients to backends, and all that clients get back.

mod backend;
mod client;

use std::{
    cell::Cell,
    mem,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use self::backend::FromBackend;
pub(super) use self::{
    backend::Begun,
    client::{ClientBody, Cut, Upload},
};
use super::{
    access_log::Noted, answers::Answer, caller::strip, clock::now, compress::Compressed, io::Watch,
    tunnel::Tunnel, upstream::Lease, worker::Worker,
};

/// Bytes that a connection reads or holds at one time, in each direction: what a client that takes nothing costs.
/// hyper would go up to six times that, and to pass on more at once saves nothing.
pub(super) const ROOM: usize = 64 << 10;

/// An error of a body.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// How far the body of a request has come.
#[derive(Default)]
pub(super) struct Progress {
    /// When it last moved, in milliseconds.
    moved: Cell<u64>,
    /// Whether the client is waited for.
    awaits_client: Cell<bool>,
    /// Whether all of it is sent.
    done: Cell<bool>,
    /// What broke off on the client's side.
    broken: Cell<Option<Cut>>,
}

impl Progress {
    /// When it last moved.
    pub(super) fn moved(&self) -> u64 {
        self.moved.get()
    }

    /// Whether the client is waited for.
    pub(super) fn awaits_client(&self) -> bool {
        self.awaits_client.get()
    }

    /// Whether the backend has all of it.
    pub(super) fn is_done(&self) -> bool {
        self.done.get()
    }

    /// What broke off on the client's side, once.
    pub(super) fn take_broken(&self) -> Option<Cut> {
        self.broken.take()
    }

    /// Something has moved.
    pub(super) fn move_on(&self) {
        self.moved.set(now());
    }
}

/// The body of a request to a backend.
pub(super) enum Outbound {
    /// There is none.
    Empty,
    /// The client sends it.
    Client(ClientBody, Rc<Progress>),
}

impl Outbound {
    /// The body that a client sends, and how it comes on.
    pub(super) fn new(body: ClientBody) -> (Self, Rc<Progress>) {
        let progress = Rc::new(Progress::default());
        progress.move_on();
        if body.is_end_stream() {
            progress.done.set(true);
            return (Self::Empty, progress);
        }
        (Self::Client(body, Rc::clone(&progress)), progress)
    }

    /// Whether there is nothing to send, so that it can be sent again.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self::Client(body, progress) = self.get_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        progress.awaits_client.set(polled.is_pending());
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => {
                progress.move_on();
                progress.done.set(frame.is_none());
                Poll::Ready(match frame {
                    Some(Err(error)) => {
                        let text = error.to_string();
                        progress.broken.set(Some(error));
                        Some(Err(text.into()))
                    }
                    Some(Ok(mut frame)) => {
                        // A backend may take trailers for headers.
                        if let Some(trailers) = frame.trailers_mut() {
                            strip(trailers);
                        }
                        Some(Ok(frame))
                    }
                    None => None,
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body, _) => body.size_hint(),
        }
    }
}

/// An answer's body, and the note that the client is answered when it is sent.
pub(super) struct Reply {
    body: Inbound,
    /// Of a connection that has several answers at one time.
    one_of_several: Option<Arc<Answer>>,
    noted: Noted,
    answered: Answered,
}

/// Notes, when it is dropped, that the client's next request is waited for.
pub(super) struct Answered(Arc<Watch>);

impl Answered {
    /// The client has asked.
    pub(super) fn later(watch: &Arc<Watch>) -> Self {
        watch.asked();
        Self(Arc::clone(watch))
    }

    /// A body after which the client is answered.
    pub(super) fn with(self, body: Inbound, mut noted: Noted) -> Reply {
        let one_of_several = Answer::present();
        // A client that gives no window at all is never asked whether it takes anything.
        if let Some(answer) = one_of_several.as_ref().filter(|_| !body.is_end_stream()) {
            answer.gave(true);
        }
        if noted.is_on() && body.is_end_stream() {
            noted.has_ended();
        }
        Reply { body, one_of_several, noted, answered: self }
    }
}

impl Reply {
    /// What is to be done when the client knows that the protocol changes.
    pub(super) fn take_tunnel(&mut self) -> Option<Tunnel> {
        if !matches!(self.body, Inbound::Switched(_)) {
            return None;
        }
        let Inbound::Switched(tunnel) = mem::replace(&mut self.body, Inbound::Whole(None)) else {
            return None;
        };
        Some(*tunnel)
    }

    /// Sends more of the request to the backend, while the client takes nothing of this.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        self.body.poll_upload(cx);
    }

    /// Notes what the client gets.
    fn note(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        match polled {
            Poll::Pending => return,
            Poll::Ready(None) => {}
            Poll::Ready(Some(Ok(frame))) => {
                self.noted.sends(frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(Some(Err(error))) => return self.noted.is_cut(error),
        }
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.noted.has_ended();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let given_up = || self.one_of_several.as_ref().is_some_and(|answer| answer.is_given_up());
        if self.noted.is_on() && (self.answered.0.is_cut_off() || given_up()) {
            self.noted.is_cut_unless_ended(&"the client took nothing of it for the `send-timeout`");
        }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(answer) = &self.one_of_several {
            answer.gave(matches!(polled, Poll::Ready(Some(Ok(_)))));
        }
        if self.noted.is_on() {
            self.note(&polled);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer to a client.
pub(super) enum Inbound {
    /// All of it is here: of our own, or of a backend that has sent it.
    Whole(Option<Bytes>),
    /// Of a backend.
    Backend(Box<FromBackend>),
    /// Either, in fewer bytes.
    Compressed(Box<Compressed>),
    /// There is none: bytes of another protocol follow, in both directions.
    Switched(Box<Tunnel>),
}

impl Inbound {
    /// A body of our own.
    pub(super) fn own(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    /// The body that a backend sends. When it ends, the lease is given back in order.
    pub(super) fn backend(
        worker: &Worker,
        begun: Begun,
        lease: Lease,
        idle: Duration,
        end: Option<u64>,
    ) -> Self {
        if begun.rest.is_end_stream() {
            lease.finish(begun.rest);
            return Self::Whole(begun.first);
        }
        Self::Backend(Box::new(FromBackend::new(worker, begun, lease, idle, end)))
    }

    /// See [`Reply::poll_upload`].
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Backend(body) => body.poll_upload(cx),
            Self::Compressed(body) => body.poll_upload(cx),
            Self::Whole(_) | Self::Switched(_) => {}
        }
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Backend(body) => body.poll(cx),
            Self::Compressed(body) => body.poll(cx),
            Self::Switched(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Backend(body) => body.is_over(),
            Self::Compressed(body) => body.is_end_stream(),
            Self::Switched(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Backend(body) => body.size_hint(),
            Self::Compressed(_) => SizeHint::default(),
            Self::Switched(_) => SizeHint::with_exact(0),
        }
    }
}
