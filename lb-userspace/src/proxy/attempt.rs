//! One attempt to get an answer from one backend.

use std::{
    pin::{Pin, pin},
    rc::Rc,
    time::Duration,
};

use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Body, http::uri::Scheme};

use super::{
    body::{Begun, Outbound, Progress},
    clock::{milliseconds, now},
    failure::Failure,
    snapshot::{Backend, Pool},
    upstream::{Lease, Place, Received, Sender, Unanswered, connect},
    worker::Worker,
};
use crate::proxy_protocol::Ends;

/// What is sent, and until when.
pub(super) struct Attempt<'a> {
    pub(super) pool: &'a Pool,
    pub(super) backend: &'a Backend,
    /// The client's connection.
    pub(super) client: &'a Rc<Ends>,
    pub(super) progress: &'a Rc<Progress>,
    /// When the request has taken too long.
    pub(super) end: Option<u64>,
    /// Whether the request can be sent again.
    pub(super) repeatable: bool,
    /// Which connection will do.
    pub(super) wanted: Wanted,
    /// Whether the client takes trailers.
    pub(super) trailers: bool,
}

/// Which connection will do for an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// One that was kept, or a new one.
    Any,
    /// A new one.
    New,
    /// A new one of HTTP/1.1, because the protocol shall be changed.
    NewH1,
}

/// An attempt that came to nothing.
pub(super) struct Lost {
    pub(super) failure: Failure,
    /// Whether nothing of the request was sent.
    pub(super) is_unsent: bool,
    /// Whether a connection that was kept turned out to be closed: it says nothing about the backend.
    pub(super) stale: bool,
}

impl Lost {
    fn unsent(failure: Failure) -> Self {
        Self { failure, is_unsent: true, stale: false }
    }

    fn sent(failure: Failure) -> Self {
        Self { failure, is_unsent: false, stale: false }
    }
}

impl Attempt<'_> {
    /// Sends a request and waits for the answer to begin. If it has a body that is taken, unless nothing was sent.
    pub(super) async fn make(
        &self,
        worker: &Worker,
        place: Place,
        request: &mut Request<Outbound>,
    ) -> Result<(Response<Begun>, Lease), Lost> {
        let shared = &self.backend.shared;
        // Where connections name their client they are for that one alone.
        let named = self.pool.settings.proxy_protocol.is_some().then_some(self.client);
        let named_ends = named.map(|client| &**client);
        let kept = match self.wanted {
            Wanted::Any => worker.kept().borrow_mut().take(shared, named_ends),
            Wanted::New | Wanted::NewH1 => None,
        };
        let reused = kept.is_some();
        let sender = match kept {
            Some(sender) => sender,
            // Rarely needed, and large: apart it takes no room in each connection of a client.
            None => match Box::pin(self.connect()).await {
                Ok(sender) => {
                    if let Some(another) = sender.another() {
                        worker.kept().borrow_mut().put(shared, named_ends, another);
                    }
                    sender
                }
                Err(failure) => return Err(Lost::unsent(failure)),
            },
        };
        self.progress.move_on();
        let scheme = if self.pool.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let sent = pin!(sender.send(request, &scheme, self.trailers));
        let sent = self.wait(worker, sent).await;
        match sent {
            Err(failure) => Err(Lost::sent(failure)),
            Ok(Ok(response)) => match self.begun(worker, response).await {
                Ok(response) => {
                    let lease = Lease::new(place, named.cloned(), worker.kept());
                    Ok((response, lease))
                }
                Err(failure) => Err(Lost::sent(failure)),
            },
            Ok(Err(Unanswered { source, is_unsent })) => {
                let stale = reused && (is_unsent || source.may_be_stale());
                let failure = match self.progress.take_broken() {
                    Some(cut) => cut.into(),
                    None => Failure::Exchange { backend: self.backend.address, source },
                };
                Err(Lost { failure, is_unsent, stale })
            }
        }
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let time = self.pool.settings.connect_timeout;
        let left = |end: u64| time.min(Duration::from_millis(end.saturating_sub(now())));
        let time = self.end.map_or(time, left);
        let only_h1 = self.wanted == Wanted::NewH1;
        connect(self.pool, self.backend, time, self.client, only_h1).await
    }

    /// An answer that the client can be given the head of, after which there is no other backend to try. Many servers send
    /// the head apart from the body, and may end in between. So where a body of some length has been promised, its
    /// first bytes are waited for.
    async fn begun(
        &self,
        worker: &Worker,
        response: Response<Received>,
    ) -> Result<Response<Begun>, Failure> {
        let (head, mut body) = response.into_parts();
        let promised = body.size_hint().exact().is_some_and(|length| length > 0);
        let mut first = None;
        if self.repeatable && promised {
            // As a rule they are there already.
            let mut frame = body.frame().now_or_never();
            if frame.is_none() {
                self.progress.move_on();
                frame = Some(self.wait(worker, pin!(body.frame())).await?);
            }
            let broken = |source| Failure::Exchange { backend: self.backend.address, source };
            first = frame
                .flatten()
                .transpose()
                .map_err(broken)?
                .and_then(|frame| frame.into_data().ok());
        }
        Ok(Response::from_parts(head, Begun { first, rest: body }))
    }

    /// Waits for an answer: for the first byte of it from when the request is sent, until then for something of
    /// the request to move.
    async fn wait<T>(
        &self,
        worker: &Worker,
        mut answer: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Failure> {
        let settings = &self.pool.settings;
        loop {
            let limit = if self.progress.is_done() {
                settings.first_byte_timeout
            } else {
                settings.idle_timeout
            };
            let due = self.progress.moved() + milliseconds(limit);
            let until = self.end.map_or(due, |end| end.min(due));
            if let Some(answer) = worker.alarms().until(until, answer.as_mut()).await {
                return Ok(answer);
            }
            if self.end.is_some_and(|end| end <= now()) {
                let time = settings.total_timeout.unwrap_or_default();
                return Err(Failure::Total { pool: self.pool.name.clone(), time });
            }
            if self.progress.moved() + milliseconds(limit) <= now() {
                return Err(self.too_long());
            }
        }
    }

    fn too_long(&self) -> Failure {
        let (settings, backend) = (&self.pool.settings, self.backend.address);
        if self.progress.is_done() {
            Failure::FirstByte { backend, time: settings.first_byte_timeout }
        } else if self.progress.awaits_client() {
            Failure::Silent { time: settings.idle_timeout }
        } else {
            Failure::Stuck { backend, time: settings.idle_timeout }
        }
    }
}
