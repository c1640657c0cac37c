//! One connection to a backend, of either version of HTTP.

use hyper::{
    Request, Response, Uri, Version,
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
    header::{CONNECTION, HOST, HeaderValue, UPGRADE},
    http::uri::{PathAndQuery, Scheme},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_local,
};

use crate::proxy::{
    body::{Outbound, ROOM},
    gather::Gathered,
    local::Local,
};

/// What requests are sent by.
pub(in crate::proxy) enum Sender {
    /// One at a time.
    One(http1::SendRequest<Outbound>),
    /// Many at one time.
    Many(http2::SendRequest<Outbound>),
}

impl Sender {
    /// Begins to speak.
    pub(super) async fn begin<S>(stream: S, h2: bool) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(Gathered(stream));
        // Either connection ends when its senders are dropped; its errors reach us through the answer.
        if h2 {
            let (sender, connection) =
                http2::Builder::new(Local).timer(TokioTimer::new()).handshake(io).await?;
            spawn_local(connection);
            return Ok(Self::Many(sender));
        }
        // The head of an answer must fit, too.
        let (sender, connection) = http1::Builder::new().max_buf_size(ROOM).handshake(io).await?;
        spawn_local(connection.with_upgrades());
        Ok(Self::One(sender))
    }

    /// Whether it can be used no more.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Many(sender) => sender.is_closed(),
        }
    }

    /// Whether a request can be sent at once.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_ready(),
            Self::Many(sender) => sender.is_ready(),
        }
    }

    /// Whether several requests use it at one time.
    pub(in crate::proxy) fn is_shared(&self) -> bool {
        matches!(self, Self::Many(_))
    }

    /// One more for the same connection, if it can be shared.
    pub(in crate::proxy) fn another(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Many(sender) => Some(Self::Many(sender.clone())),
        }
    }

    /// Sends a request. If it could not be sent, it comes back.
    pub(in crate::proxy) async fn send(
        &mut self,
        mut request: Request<Outbound>,
        scheme: &Scheme,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outbound>>> {
        match self {
            Self::One(sender) => {
                in_origin_form(&mut request);
                sender.try_send_request(request).await
            }
            Self::Many(sender) => {
                with_authority(&mut request, scheme);
                sender.try_send_request(request).await
            }
        }
    }
}

/// As HTTP/1.1 has it: the host is a header. A request that was meant for HTTP/2 before may come back.
fn in_origin_form<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_11;
    let Some(authority) = request.uri().authority().cloned() else { return };
    if let Ok(host) = HeaderValue::try_from(authority.as_str()) {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
}

/// As HTTP/2 has it: the host is part of the target (RFC 9113 section 8.3.1), and nothing is said of the
/// connection (section 8.2.2).
fn with_authority<B>(request: &mut Request<B>, scheme: &Scheme) {
    *request.version_mut() = Version::HTTP_2;
    for name in [CONNECTION, UPGRADE] {
        request.headers_mut().remove(name);
    }
    let Some(host) = request.headers_mut().remove(HOST) else { return };
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let uri = Uri::builder().scheme(scheme.clone()).authority(host.as_bytes()).path_and_query(path);
    match uri.build() {
        Ok(uri) => *request.uri_mut() = uri,
        // A backend can do without.
        Err(_) => _ = request.headers_mut().insert(HOST, host),
    }
}
