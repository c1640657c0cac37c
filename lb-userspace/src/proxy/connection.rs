//! A client's connection, from its beginning to its end.

mod announced;
mod crowd;
mod resting;
mod seat;
mod watching;

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpStream},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use hyper::{
    Request, StatusCode,
    body::Incoming,
    server::conn::http2,
    service::{HttpService, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

pub(super) use self::seat::Seat;
use self::{
    seat::Socket,
    watching::{End, Served, watch_over},
};
use super::{
    access_log::{Asker, Noted, Session},
    answers::Streams,
    body::{ROOM, Reply, Upload},
    clients::Entry,
    clock,
    http1::Serving,
    io::{ClientIo, Watch},
    pages::Pages,
    snapshot::Listener,
    stream,
    strict::Refused,
    visit::{Guest, Visit},
    worker::{Open, Worker},
};
use crate::proxy_protocol::Ends;

/// Streams of one connection that may be open at one time.
const STREAMS: u32 = 128;
/// How long a client that was refused is listened to, and how much it may send meanwhile.
const LINGERING: Duration = Duration::from_secs(2);
const LINGERING_BYTES: u64 = 1 << 20;

/// What a connection has once it is admitted.
struct Admitted {
    ends: Ends,
    entry: Entry,
    open: Open,
}

/// A client that has come.
pub(super) struct Arrival {
    pub(super) worker: Rc<Worker>,
    /// The number of the listener.
    pub(super) number: u32,
    pub(super) client: SocketAddr,
    /// Says when the listener takes no more requests.
    pub(super) ending: watch::Receiver<bool>,
}

impl Arrival {
    /// Serves the client until it goes, or has been told to.
    pub(super) async fn serve(self, socket: TcpStream) {
        let Some(listener) = self.worker.snapshot().listener(self.number).cloned() else { return };
        let Some(entry) = listener.enter(self.client.ip()) else {
            return self.turn_away(&listener, socket, self.client);
        };
        let mut stream = Seat::of(socket);
        let open = self.worker.open_connection(&listener.shared);
        let begun = clock::now();
        let own = announced::own(&listener, &stream, self.client);
        let (ends, entry) = if listener.is_announced(self.client.ip()) {
            let ending = self.ending.clone();
            let announced = announced::read(&listener, &mut stream, own, ending);
            let Some(ends) = Box::pin(announced).await else { return };
            // The proxy may have any number of connections, which does not go for its client.
            let Some(entry) = listener.enter(ends.source.ip()) else {
                if let Ok((socket, ())) = stream.apart() {
                    self.turn_away(&listener, socket, ends.source);
                }
                return;
            };
            (ends, entry)
        } else {
            (own, entry)
        };
        if !listener.protocol.reads_requests() {
            return Box::pin(stream::serve(&self.worker, &listener, stream, ends)).await;
        }
        if listener.tls.is_some() {
            // Who speaks no TLS need not have room for it.
            let admitted = Admitted { ends, entry, open };
            return Box::pin(self.serve_securely(listener, stream, admitted)).await;
        }
        let watch = Arc::new(Watch::new(false, &listener.limits, begun));
        self.speak(listener, stream, Admitted { ends, entry, open }, watch, None).await;
    }

    /// Closes a connection of who has as many as it may.
    fn turn_away(&self, listener: &Arc<Listener>, socket: TcpStream, client: SocketAddr) {
        let worker = self.worker.nth;
        Noted::turn_away(Asker { listener, worker, client: client.ip(), session: None });
        crowd::turn_away(listener, socket, client);
    }

    async fn serve_securely(self, listener: Arc<Listener>, stream: Seat, admitted: Admitted) {
        let Some(tls) = listener.tls.clone() else { return };
        let handshake = TlsAcceptor::from(tls).accept(stream);
        match timeout(listener.limits.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => {
                let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let watch = Arc::new(Watch::new(h2, &listener.limits, clock::now()));
                let session = listener.log.as_ref().map(|_| Session::of(stream.get_ref().1));
                self.speak(listener, stream, admitted, watch, session.map(Rc::new)).await;
            }
            Ok(Err(error)) => {
                debug!("listener {}: {}: {error}", listener.name, admitted.ends.source);
            }
            Err(_) => debug!("listener {}: {}: no handshake", listener.name, admitted.ends.source),
        }
    }

    /// Serves requests. What a connection needs for them is allocated apart, and given back while it rests.
    async fn speak<S: Socket>(
        self,
        listener: Arc<Listener>,
        stream: S,
        Admitted { ends, entry, open }: Admitted,
        watch: Arc<Watch>,
        session: Option<Rc<Session>>,
    ) {
        let Self { worker, number, ending, .. } = self;
        let guest = Guest::new(worker, number, listener, ends, session);
        let spoken = Spoken::new(guest, watch, ending, open);
        // It is moved about, and each place where it has been stays as large as it is.
        let io = Box::new(ClientIo::new(stream, Arc::clone(&spoken.watch), S::IS_PLAIN, entry));
        if spoken.watch.is_multiplexed() {
            return Box::pin(spoken.h2(io)).await;
        }
        spoken.serve(io).await;
    }
}

/// A connection over which requests come.
struct Spoken {
    visit: Rc<Visit>,
    watch: Arc<Watch>,
    /// For who is refused before there is a request.
    pages: Arc<Pages>,
    ending: watch::Receiver<bool>,
    /// As long as there is this the connection counts as open.
    open: Open,
}

impl Spoken {
    fn new(guest: Guest, watch: Arc<Watch>, ending: watch::Receiver<bool>, open: Open) -> Self {
        let pages = Arc::clone(&guest.listener().pages);
        Self { visit: Rc::new(Visit::new(guest, &watch)), watch, pages, ending, open }
    }

    /// Serves requests until the connection ends, or comes to rest.
    async fn serve<S: Socket>(mut self, io: Box<ClientIo<S>>) {
        let Some(io) = Box::pin(self.h1(io)).await else { return };
        if io.begins_as_h2() {
            let watch = Arc::new(Watch::new(true, self.watch.limits(), clock::now()));
            let io = Box::new(io.into_h2(Arc::clone(&watch)));
            let Some(guest) = self.visit.end() else { return };
            return Box::pin(Self::new(guest, watch, self.ending, self.open).h2(io)).await;
        }
        self.rest(*io);
    }

    async fn h2<S: Socket>(mut self, io: Box<ClientIo<S>>) {
        let limits = Arc::clone(self.watch.limits());
        let service = answering(&self.visit);
        let is_ending = *self.ending.borrow_and_update();
        let mut builder = http2::Builder::new(Streams(Arc::clone(&self.watch)));
        builder.max_concurrent_streams(STREAMS).max_header_list_size(limits.max_head);
        builder.max_send_buf_size(ROOM);
        let connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        watch_over(connection, &self.watch, &mut self.ending, is_ending).await;
    }

    /// Serves requests of HTTP/1 until the connection ends. It is given back if it comes to rest, or begins with HTTP/2.
    async fn h1<S: Socket>(&mut self, io: Box<ClientIo<S>>) -> Option<Box<ClientIo<S>>> {
        let is_ending = *self.ending.borrow_and_update();
        let serving = Serving::new(io, !is_ending);
        let visit = &self.visit;
        let alarms = visit.worker().alarms();
        let requests = serving.run(alarms, async |request: Request<_>| {
            visit.answer(request.map(|body| body.map_or(Upload::Nowhere, Upload::Http1))).await
        });
        let mut connection = Served { requests: pin!(requests), serving: &serving };
        let connection = Pin::new(&mut connection);
        let end = watch_over(connection, &self.watch, &mut self.ending, is_ending).await;
        if end == End::Cut {
            return None;
        }
        let mut io = serving.take_io()?;
        if io.begins_as_h2() {
            return Some(io);
        }
        if end == End::Rest {
            // What was read and not understood as a message must not be seen again as another.
            return serving.is_empty().then_some(io);
        }
        if let Some((status, refused)) = self.watch.refusal() {
            let answer = match refused {
                // The request was made, and is answered as such.
                Some(Refused { of_body: true, .. }) => Vec::new(),
                refused => self.refusal(status, refused),
            };
            part(io.get_mut(), &answer).await;
        }
        None
    }

    /// The answer to who is refused before there is a request; a line of the log says so, too.
    fn refusal(&self, status: StatusCode, refused: Option<Refused>) -> Vec<u8> {
        match refused {
            None => self.visit.refused(status, &"the head of a request took too long"),
            Some(refused) => self.visit.refused(status, &refused.fault),
        }
        let reason = status.canonical_reason().unwrap_or_default();
        let code = status.as_u16();
        let (kind, body) = match self.pages.get(status) {
            Some(page) => (page.content_type.to_str().unwrap_or_default(), page.body.clone()),
            None => ("text/plain; charset=utf-8", format!("{code} {reason}\n").into()),
        };
        let head = format!(
            "HTTP/1.1 {code} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    }
}

/// What hyper calls for each request of HTTP/2.
fn answering(
    visit: &Rc<Visit>,
) -> impl HttpService<Incoming, ResBody = Reply, Future: 'static, Error = Infallible> + use<> {
    let visit = Rc::clone(visit);
    service_fn(move |request| {
        let visit = Rc::clone(&visit);
        async move { Ok::<_, Infallible>(visit.answer(request.map(Upload::Http2)).await) }
    })
}

/// The last words to a client that is refused. It may not hear them. What it is still sending is read for a while and
/// thrown away: a socket that is closed with unread bytes resets the connection, and the answer with it
/// (RFC 9112 section 9.6).
async fn part(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) {
    let told = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGERING_BYTES), &mut tokio::io::sink()).await
    };
    // Whether it was heard is the client's concern.
    _ = timeout(LINGERING, told).await;
}
