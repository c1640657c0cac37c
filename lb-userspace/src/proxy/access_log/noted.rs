//! What is noted of a request until it is answered: nothing at all where there is no log.

use std::{
    borrow::Cow,
    cell::Cell,
    fmt::Display,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{
    Method, Request, StatusCode, Uri, Version,
    header::{HOST, HeaderValue, REFERER, USER_AGENT},
};
use jiff::Timestamp;
use rustls::{ProtocolVersion, ServerConnection};
use tokio::runtime::Handle;

use super::{Line, line::protocol};
use crate::proxy::{
    failure::Failure,
    following::{Followed, Trace, TraceId},
    snapshot::{Listener, Pool},
};

/// What nginx notes when a client went before there was an answer.
const CLIENT_GONE: u16 = 499;

/// What is known of a session of TLS.
#[derive(Debug)]
pub(in crate::proxy) struct Session {
    version: Option<&'static str>,
    name: Option<String>,
}

impl Session {
    /// Of a session that has begun.
    pub(in crate::proxy) fn of(session: &ServerConnection) -> Self {
        let version = session.protocol_version().and_then(|version| match version {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        });
        Self { version, name: session.server_name().map(str::to_owned) }
    }
}

/// Who asks.
#[derive(Clone, Copy)]
pub(in crate::proxy) struct Asker<'a> {
    pub(in crate::proxy) listener: &'a Arc<Listener>,
    /// The number of the worker.
    pub(in crate::proxy) worker: usize,
    pub(in crate::proxy) client: IpAddr,
    pub(in crate::proxy) session: Option<&'a Rc<Session>>,
}

/// See the module. When it is dropped, the line is written.
#[derive(Default)]
pub(in crate::proxy) struct Noted(Option<Box<Record>>);

impl Noted {
    /// A request is there.
    pub(in crate::proxy) fn begin<B>(asker: Asker<'_>, request: &Request<B>) -> Self {
        let mut noted = Self::anything(asker);
        if let Self(Some(record)) = &mut noted {
            let header = |name| request.headers().get(name).cloned();
            record.asked = Some(Asked {
                method: request.method().clone(),
                uri: request.uri().clone(),
                version: request.version(),
                host: header(HOST),
                referer: header(REFERER),
                user_agent: header(USER_AGENT),
            });
        }
        noted
    }

    /// A client was refused before it had asked for anything.
    pub(in crate::proxy) fn refuse(asker: Asker<'_>, status: StatusCode, why: &dyn Display) {
        if let Self(Some(record)) = &mut Self::anything(asker) {
            record.status = Some(status.as_u16());
            record.cause = Some(why.to_string().into());
            record.ended = true;
        }
    }

    /// A client was turned away, because it has as many connections as it may.
    pub(in crate::proxy) fn turn_away(asker: Asker<'_>) {
        const WHY: &str = "the client has its `max-connections`";
        if asker.listener.protocol.reads_requests() {
            Self::refuse(asker, StatusCode::TOO_MANY_REQUESTS, &WHY);
        } else {
            Self::connection(asker).is_refused(WHY);
        }
    }

    /// A connection is there, of which no requests are read.
    pub(in crate::proxy) fn connection(asker: Asker<'_>) -> Self {
        let mut noted = Self::anything(asker);
        if let Self(Some(record)) = &mut noted {
            record.passed_as = Some(record.listener.protocol.name());
        }
        noted
    }

    fn anything(Asker { listener, worker, client, session }: Asker<'_>) -> Self {
        if listener.log.is_none() {
            return Self::default();
        }
        Self(Some(Box::new(Record {
            listener: Arc::clone(listener),
            worker,
            client: client.to_canonical(),
            session: session.map(Rc::clone),
            time: Timestamp::now(),
            begun: Instant::now(),
            asked: None,
            request_id: None,
            trace: None,
            passed_as: None,
            named: None,
            received: Rc::default(),
            status: None,
            sent: 0,
            first_byte: None,
            route: None,
            pool: None,
            backend: None,
            attempts: 0,
            cause: None,
            ended: false,
        })))
    }

    /// By what it can be found again.
    pub(in crate::proxy) fn is_followed(&mut self, followed: &Followed) {
        if let Self(Some(record)) = self {
            record.request_id.clone_from(&followed.id);
            record.trace = followed.trace.as_ref().map(Trace::id);
        }
    }

    /// The route that it takes.
    pub(in crate::proxy) fn takes(&mut self, route: usize) {
        if let Self(Some(record)) = self {
            record.route = Some(route + 1);
        }
    }

    /// The pool that it goes to.
    pub(in crate::proxy) fn goes_to(&mut self, pool: &Arc<Pool>) {
        if let Self(Some(record)) = self {
            record.pool = Some(Arc::clone(pool));
        }
    }

    /// It is sent to a backend.
    pub(in crate::proxy) fn is_sent_to(&mut self, backend: SocketAddr) {
        if let Self(Some(record)) = self {
            record.backend = Some(backend);
            record.attempts += 1;
        }
    }

    /// The backend answers.
    pub(in crate::proxy) fn is_answered(&mut self) {
        if let Self(Some(record)) = self {
            record.first_byte = Some(record.begun.elapsed());
        }
    }

    /// It came to nothing.
    pub(in crate::proxy) fn failed(&mut self, failure: &Failure) {
        if let Self(Some(record)) = self {
            // What to do about it is for the daemon's log.
            let text = failure.to_string();
            let cause = text.split("; ").next().unwrap_or(&text);
            record.cause = Some(cause.to_owned().into());
        }
    }

    /// It is refused; the cause is known already if it failed.
    pub(in crate::proxy) fn is_refused(&mut self, why: &'static str) {
        if let Self(Some(record)) = self {
            record.cause.get_or_insert(why.into());
        }
    }

    /// The client gets an answer.
    pub(in crate::proxy) fn has_status(&mut self, status: StatusCode) {
        if let Self(Some(record)) = self {
            record.status = Some(status.as_u16());
        }
    }

    /// The name that a client asks for in TLS that is passed on.
    pub(in crate::proxy) fn names(&mut self, name: &str) {
        if let Self(Some(record)) = self
            && !name.is_empty()
        {
            record.named = Some(name.to_owned());
        }
    }

    /// Bytes of the body that the client sends are to be counted here.
    pub(in crate::proxy) fn received(&self) -> Option<Rc<Cell<u64>>> {
        self.0.as_ref().map(|record| Rc::clone(&record.received))
    }

    /// Bytes go to the client.
    pub(in crate::proxy) fn sends(&mut self, bytes: usize) {
        if let Self(Some(record)) = self {
            record.sent += u64::try_from(bytes).unwrap_or_default();
        }
    }

    /// Bytes were passed on: so many of the client, so many of the backend.
    pub(in crate::proxy) fn has_passed(&mut self, received: u64, sent: u64) {
        if let Self(Some(record)) = self {
            record.received.set(received);
            record.sent = sent;
        }
    }

    /// More bytes of the client were passed on.
    pub(in crate::proxy) fn receives(&mut self, bytes: usize) {
        if let Self(Some(record)) = self {
            record.received.set(record.received.get() + u64::try_from(bytes).unwrap_or_default());
        }
    }

    /// All is said.
    pub(in crate::proxy) fn has_ended(&mut self) {
        if let Self(Some(record)) = self {
            record.ended = true;
        }
    }

    /// Whether anything is noted.
    pub(in crate::proxy) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The answer is cut off, if it is not complete.
    pub(in crate::proxy) fn is_cut_unless_ended(&mut self, why: &dyn Display) {
        if self.0.as_ref().is_some_and(|record| !record.ended) {
            self.is_cut(why);
        }
    }

    /// The answer is cut off.
    pub(in crate::proxy) fn is_cut(&mut self, why: &dyn Display) {
        if let Self(Some(record)) = self {
            record.cause.get_or_insert_with(|| format!("cut off: {why}").into());
        }
    }
}

struct Record {
    listener: Arc<Listener>,
    worker: usize,
    client: IpAddr,
    session: Option<Rc<Session>>,
    time: Timestamp,
    begun: Instant,
    /// What was asked, if it was read.
    asked: Option<Asked>,
    request_id: Option<HeaderValue>,
    trace: Option<TraceId>,
    /// Of a connection that is passed on: as what.
    passed_as: Option<&'static str>,
    named: Option<String>,
    received: Rc<Cell<u64>>,
    status: Option<u16>,
    sent: u64,
    first_byte: Option<Duration>,
    route: Option<usize>,
    pool: Option<Arc<Pool>>,
    backend: Option<SocketAddr>,
    attempts: u32,
    cause: Option<Cow<'static, str>>,
    /// Whether the answer is complete.
    ended: bool,
}

/// The head of a request, as it came.
struct Asked {
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(logging) = &self.listener.log else { return };
        if !self.ended && self.cause.is_none() {
            // A worker that ends drops what it has outside of its run-time.
            let is_ours = Handle::try_current().is_err();
            let cause = if is_ours { "cut off: the daemon ended" } else { "client went away" };
            self.cause = Some(cause.into());
        }
        let is_request = self.passed_as.is_none();
        let status = self.status.or(is_request.then_some(CLIENT_GONE));
        let asked = self.asked.as_ref();
        let uri = asked.map(Asked::target);
        let session = self.session.as_deref();
        let trace = self.trace.map(|trace| trace.to_string());
        let value = |of: fn(&Asked) -> &Option<HeaderValue>| {
            asked.and_then(|asked| Some(of(asked).as_ref()?.as_bytes()))
        };
        let host = value(|asked| &asked.host);
        let line = Line {
            time: self.time,
            listener: self.listener.name.as_str(),
            client: self.client,
            method: asked.map(|asked| asked.method.as_str()),
            host: host.or_else(|| asked?.uri.authority().map(|host| host.as_str().as_bytes())),
            uri: uri.as_deref().map(str::as_bytes),
            protocol: self.passed_as.or_else(|| asked.map(|asked| protocol(asked.version))),
            status,
            sent: self.sent,
            received: self.received.get(),
            duration: self.begun.elapsed(),
            first_byte: self.first_byte,
            route: self.route,
            pool: self.pool.as_ref().map(|pool| pool.name.as_str()),
            backend: self.backend,
            attempts: self.attempts,
            cause: self.cause.as_deref(),
            referer: value(|asked| &asked.referer),
            user_agent: value(|asked| &asked.user_agent),
            request_id: self.request_id.as_ref().map(HeaderValue::as_bytes),
            trace_id: trace.as_deref().map(str::as_bytes),
            tls_version: session.and_then(|session| session.version),
            tls_name: self.named.as_deref().or_else(|| session?.name.as_deref()),
        };
        logging.push(self.worker, &line);
    }
}

impl Asked {
    /// The target as the client wrote it; of HTTP/2, which takes it apart, its path and query.
    fn target(&self) -> Cow<'_, str> {
        match self.uri.path_and_query() {
            Some(target) if self.version == Version::HTTP_2 => target.as_str().into(),
            Some(target) if self.uri.scheme().is_none() => target.as_str().into(),
            _ => self.uri.to_string().into(),
        }
    }
}
