//! One connection to a backend, of either version of HTTP.

use std::mem;

use hyper::{
    Request, Response, Uri, Version,
    client::conn::http2,
    header::{CONNECTION, HOST, HeaderValue, TE, UPGRADE},
    http::uri::{PathAndQuery, Scheme},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use super::received::{Received, Trouble};
use crate::proxy::{body::Outbound, gather::Gathered, http1, local::Local};

/// What requests are sent by.
pub(in crate::proxy) enum Sender {
    /// One at a time.
    One(Box<http1::Connection>),
    /// Many at one time.
    Many(http2::SendRequest<Outbound>),
}

/// A request that got no answer.
pub(in crate::proxy) struct Unanswered {
    pub(in crate::proxy) source: Trouble,
    /// Whether the backend has not seen anything of it, and it is whole.
    pub(in crate::proxy) is_unsent: bool,
}

impl Sender {
    /// Begins to speak.
    pub(super) async fn begin<S>(stream: S, h2: bool) -> hyper::Result<Self>
    where
        S: http1::Stream + Send + 'static,
    {
        if !h2 {
            return Ok(Self::One(http1::Connection::new(stream)));
        }
        let (sender, connection) = http2::Builder::new(Local)
            .timer(TokioTimer::new())
            .handshake(TokioIo::new(Gathered(stream)))
            .await?;
        // It ends when its senders are dropped; its errors reach us through the answers.
        spawn_local(connection);
        Ok(Self::Many(sender))
    }

    /// Whether a request can be sent at once.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Many(sender) => sender.is_ready(),
        }
    }

    /// Whether it can be used no more.
    pub(super) fn is_closed(&mut self) -> bool {
        match self {
            Self::One(connection) => !connection.is_open(),
            Self::Many(sender) => sender.is_closed(),
        }
    }

    /// One more for the same connection, if it can be shared.
    pub(in crate::proxy) fn another(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Many(sender) => Some(Self::Many(sender.clone())),
        }
    }

    /// Sends a request, which is of HTTP/1.1 in origin form. Its body is taken, unless nothing could be sent.
    pub(in crate::proxy) async fn send(
        self,
        request: &mut Request<Outbound>,
        scheme: &Scheme,
        trailers: bool,
    ) -> Result<Response<Received>, Unanswered> {
        match self {
            Self::One(connection) => {
                let answer = connection.ask(request).await;
                answer.map(|response| response.map(Received::Http1)).map_err(|lost| Unanswered {
                    source: lost.error.into(),
                    is_unsent: lost.is_unsent,
                })
            }
            Self::Many(mut sender) => {
                let own = of_http2(request, scheme, trailers);
                let answer = sender.try_send_request(own).await;
                answer.map(|response| response.map(Received::Http2)).map_err(|mut error| {
                    let back = error.take_message();
                    let is_unsent = back.is_some();
                    if let Some(back) = back {
                        *request.body_mut() = back.into_body();
                    }
                    Unanswered { source: error.into_error().into(), is_unsent }
                })
            }
        }
    }
}

/// A request for HTTP/2, with the body of the given one: the host is part of the target (RFC 9113 section 8.3.1), and nothing
/// is said of the connection (section 8.2.2).
fn of_http2(request: &mut Request<Outbound>, scheme: &Scheme, trailers: bool) -> Request<Outbound> {
    let mut own = Request::new(mem::replace(request.body_mut(), Outbound::Empty));
    *own.version_mut() = Version::HTTP_2;
    own.method_mut().clone_from(request.method());
    own.uri_mut().clone_from(request.uri());
    own.headers_mut().clone_from(request.headers());
    for name in [CONNECTION, UPGRADE] {
        own.headers_mut().remove(name);
    }
    if trailers {
        own.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    }
    let Some(host) = own.headers_mut().remove(HOST) else { return own };
    let path = own.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let uri = Uri::builder().scheme(scheme.clone()).authority(host.as_bytes()).path_and_query(path);
    match uri.build() {
        Ok(uri) => *own.uri_mut() = uri,
        // A backend can do without.
        Err(_) => _ = own.headers_mut().insert(HOST, host),
    }
    own
}
