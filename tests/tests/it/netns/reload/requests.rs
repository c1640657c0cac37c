//! Clients that make requests: in either version of HTTP, with TLS or without, over one connection or a new one
//! each time.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::future::{join_all, try_join_all};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    super::clients::{EDGE, HTTP, HTTPS},
    steps::{BYTES, MARK},
    traffic::{Shared, Tally},
};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(20);
/// Requests of a connection of HTTP/2 at one time.
const STREAMS: usize = 4;
/// Where requests go: one pool after the other.
const PATHS: [&str; 3] = ["/plain", "/h2", "/secure"];

/// A kind of client.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// How many there are.
    pub(super) clients: u8,
    pub(super) port: u16,
    /// Whether it speaks HTTP/2.
    h2: bool,
    /// Whether its connection is used again.
    kept: bool,
    /// Whether the balancer knows where a request begins, and can send it again.
    pub(super) repeatable: bool,
}

const fn kind(name: &'static str, port: u16, h2: bool, kept: bool, clients: u8) -> Kind {
    Kind { name, clients, port, h2, kept, repeatable: port != BYTES }
}

pub(super) const REQUESTS: &[Kind] = &[
    kind("HTTP/1.1, kept", HTTP, false, true, 4),
    kind("HTTP/1.1, new", HTTP, false, false, 2),
    kind("HTTP/2, kept", HTTP, true, true, 2),
    kind("HTTP/2, new", HTTP, true, false, 1),
    kind("HTTP/1.1 over TLS, kept", HTTPS, false, true, 2),
    kind("HTTP/1.1 over TLS, new", HTTPS, false, false, 2),
    kind("HTTP/2 over TLS, kept", HTTPS, true, true, 2),
    kind("HTTP/2 over TLS, new", HTTPS, true, false, 1),
    kind("TCP, kept", BYTES, false, true, 2),
    kind("TCP, new", BYTES, false, false, 1),
];

/// One client.
pub(super) struct Client {
    kind: &'static Kind,
    at: SocketAddr,
    tls: Option<TlsConnector>,
    /// Whether it only makes requests that may be sent twice.
    careful: bool,
    tally: Arc<Tally>,
    shared: Arc<Shared>,
}

/// Runs clients until they are told to end. Their sockets are made on this thread.
pub(super) fn run(clients: &[Client]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(join_all(clients.iter().map(Client::run)));
    Ok(())
}

/// The end of a connection that requests are given to.
enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(super) fn new(
        kind: &'static Kind,
        at: SocketAddr,
        roots: &RootCertStore,
        careful: bool,
        tally: Arc<Tally>,
        shared: &Arc<Shared>,
    ) -> Self {
        let tls = (kind.port == HTTPS).then(|| connector(roots, kind.h2));
        Self { kind, at, tls, careful, tally, shared: Arc::clone(shared) }
    }

    async fn run(&self) {
        let mut kept = None;
        for number in 0_usize.. {
            if !self.shared.goes_on() {
                break;
            }
            let outcome = timeout(ANSWER, self.turn(&mut kept, number)).await;
            let outcome = outcome.context("no answer").flatten();
            self.tally.count(outcome.with_context(|| format!("request {number}")));
            sleep(PAUSE).await;
        }
    }

    /// One request, or several at one time. A connection that fails is not used again.
    async fn turn(&self, kept: &mut Option<Sender>, number: usize) -> Result<()> {
        let mut sender = match kept.take() {
            Some(sender) => sender,
            None => self.open().await.context("no connection")?,
        };
        match &mut sender {
            Sender::H1(sender) => {
                sender.ready().await.context("the connection was closed")?;
                answered(sender.send_request(self.request(number)?).await?).await?;
            }
            Sender::H2(sender) => {
                let senders = std::iter::repeat_n(&*sender, STREAMS).cloned().enumerate();
                let asked = senders.map(|(nth, mut sender)| async move {
                    sender.ready().await.context("the connection was closed")?;
                    answered(sender.send_request(self.request(number + nth)?).await?).await
                });
                try_join_all(asked).await?;
            }
        }
        if self.kind.kept {
            *kept = Some(sender);
        }
        Ok(())
    }

    fn request(&self, number: usize) -> Result<Request<Full<Bytes>>> {
        let path = PATHS[number % PATHS.len()];
        let posts = !self.careful && number.is_multiple_of(5);
        let (method, body) = if posts { (Method::POST, "some words") } else { (Method::GET, "") };
        let authority = format!("{EDGE}:{}", self.kind.port);
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        // HTTP/1.1 names the host in a header, HTTP/2 in the target.
        let request = if self.kind.h2 {
            Request::builder().uri(format!("{scheme}://{authority}{path}"))
        } else {
            Request::builder().uri(path).header("host", authority)
        };
        Ok(request.method(method).body(Full::new(body.into()))?)
    }

    async fn open(&self) -> Result<Sender> {
        let stream = TcpStream::connect(self.at).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return self.speak(stream).await };
        let stream = tls.connect(ServerName::try_from(EDGE)?, stream).await.context("handshake")?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let number = number(shown.context("no certificate")?)?;
        self.shared.certificates.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        self.speak(stream).await
    }

    /// Begins with HTTP. What breaks the connection is told by its requests.
    async fn speak<S>(&self, stream: S) -> Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        if self.kind.h2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            return Ok(Sender::H2(sender));
        }
        let (sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection);
        Ok(Sender::H1(sender))
    }
}

/// Reads an answer to its end.
async fn answered(answer: Response<Incoming>) -> Result<()> {
    let status = answer.status();
    let body = answer.into_body().collect().await.context("in the body")?.to_bytes();
    let body = String::from_utf8_lossy(&body);
    ensure!(status == StatusCode::OK && body.starts_with("name: backend"), "{status}: {body}");
    Ok(())
}

/// The number of a certificate.
fn number(certificate: &[u8]) -> Result<u64> {
    let mark = MARK.as_bytes();
    let place = certificate.windows(mark.len()).position(|bytes| bytes == mark);
    let begin = place.context("a certificate without a number")? + mark.len();
    let digits = certificate.get(begin..begin + 4).context("no number")?;
    Ok(std::str::from_utf8(digits)?.parse()?)
}

#[expect(clippy::expect_used, reason = "the provider has the versions that it has by default")]
fn connector(roots: &RootCertStore, h2: bool) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS");
    let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = vec![if h2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Arc::new(config).into()
}
