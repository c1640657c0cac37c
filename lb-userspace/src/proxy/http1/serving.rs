//! A connection of HTTP/1 with a client: request after request, each answered before the next is looked at.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use futures_util::FutureExt;
use hyper::{Request, Response};
use tokio::{
    io::AsyncWriteExt,
    task::{coop::consume_budget, spawn_local},
    time::timeout,
};

use super::{
    Stream,
    request::Asked,
    sending::Sending,
    wire::{RequestBody, Shared},
};
use crate::proxy::{
    alarms::{Alarm, Alarms},
    body::Reply,
    clock::now,
    io::ClientIo,
};

/// How long the rest of a body is read that nobody wants, so that the client hears the answer: a socket that is closed with
/// unread bytes is reset (RFC 9112 section 9.6), and one that goes on must be behind the body.
const LINGERING: Duration = Duration::from_secs(5);

/// Milliseconds for which nobody looks whether a client still waits for its answer: most are there before.
const SOON: u64 = 10;

/// What comes behind an answer.
enum Next {
    /// Another request.
    Request,
    /// The end.
    End,
    /// Nothing of HTTP: the client is gone, has been given half an answer, or speaks something else now.
    Nothing,
}

/// See the module.
pub(in crate::proxy) struct Serving<S> {
    shared: Shared<S>,
    /// Whether there may be another request after the present one.
    goes_on: Cell<bool>,
    /// Whether a request is not waited for any more.
    stops: Cell<bool>,
}

impl<S: Stream + 'static> Serving<S> {
    /// One that ends after its first request, unless it `goes_on`.
    pub(in crate::proxy) fn new(io: Box<ClientIo<S>>, goes_on: bool) -> Self {
        Self { shared: Shared::new(io), goes_on: Cell::new(goes_on), stops: Cell::new(false) }
    }

    /// Lets the request that is under way finish, and takes no more.
    pub(in crate::proxy) fn wind_down(&self) {
        self.goes_on.set(false);
        self.stops.set(true);
    }

    /// Whether nothing was read that is not taken.
    pub(in crate::proxy) fn is_empty(&self) -> bool {
        self.shared.is_empty()
    }

    /// The socket, when nothing is read of it any more. Nothing if another protocol is spoken by it.
    pub(in crate::proxy) fn take_io(&self) -> Option<Box<ClientIo<S>>> {
        self.shared.take_io()
    }

    /// Answers requests until the client has no more, or may have no more.
    pub(in crate::proxy) async fn run(
        &self,
        alarms: &Rc<Alarms>,
        answer: impl AsyncFn(Request<Option<RequestBody>>) -> Response<Reply>,
    ) {
        let mut sending = Sending::default();
        let next = || poll_fn(|cx| self.shared.poll_request(cx, self.stops.get()));
        while let Some((request, asked)) = next().await {
            let response = {
                // It is large, and stays where it begins.
                let mut answering = pin!(answer(request));
                let (mut alarm, due) = (Alarm::new(alarms), now() + SOON);
                poll_fn(|cx| match answering.as_mut().poll(cx) {
                    Poll::Ready(response) => Poll::Ready(Some(response)),
                    Poll::Pending => {
                        ready!(alarm.poll(cx, due));
                        self.shared.poll_gone(cx).map(|()| None)
                    }
                })
                .await
            };
            let Some(response) = response else { return };
            match self.send(&mut sending, response, &asked).await {
                Next::Request => {}
                Next::End => break,
                Next::Nothing => return,
            }
            // Who has sent many requests at once shall not keep others waiting.
            consume_budget().await;
        }
        // Its end may have to be told. Whether that is heard is the client's concern.
        _ = self.shared.clone().shutdown().await;
    }

    /// Sends an answer. What comes then?
    async fn send(
        &self,
        sending: &mut Sending<Reply>,
        response: Response<Reply>,
        asked: &Asked,
    ) -> Next {
        let (parts, mut body) = response.into_parts();
        let tunnel = body.take_tunnel();
        let may = asked.persists && self.goes_on.get() && !self.shared.waits();
        let persists = sending.answer(&parts, body, asked, may);
        sending.ends = !persists && tunnel.is_none() && self.shared.is_over();
        // What was read of a backend can be overwritten when nothing points there.
        drop(parts);
        let mut out = self.shared.clone();
        let sent = poll_fn(|cx| {
            // A client may hear us only when it has said all.
            _ = self.shared.poll_rest(cx);
            match sending.poll(&mut out, cx) {
                Poll::Ready(sent) => Poll::Ready(sent.is_ok()),
                Poll::Pending => {
                    sending.poll_upload(cx);
                    self.shared.poll_gone(cx).map(|()| false)
                }
            }
        });
        if !sent.await {
            return Next::Nothing;
        }
        if let Some(tunnel) = tunnel {
            if let Some(client) = self.shared.take_raw() {
                spawn_local(tunnel.run(client));
            }
            return Next::Nothing;
        }
        let has_all = self.has_all().await;
        if persists && has_all { Next::Request } else { Next::End }
    }

    /// Reads the rest of a request. Whether that was possible.
    async fn has_all(&self) -> bool {
        let mut rest = pin!(poll_fn(|cx| self.shared.poll_rest(cx)));
        match rest.as_mut().now_or_never() {
            Some(all) => all,
            None => timeout(LINGERING, rest).await == Ok(true),
        }
    }
}
