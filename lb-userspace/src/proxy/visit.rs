//! What a client asks for, from the head of its request to the head of its answer.

mod guest;
mod target;

use std::{
    fmt,
    net::IpAddr,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use hyper::{
    Method, Request, Response, StatusCode, Uri, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, LOCATION, RETRY_AFTER},
    http::uri::{self, PathAndQuery},
};

pub(super) use self::guest::Guest;
use self::target::Target;
use super::{
    access_log::{Asker, Noted},
    body::{Answered, ClientBody, Inbound, Reply, Upload},
    caller::{Caller, Origin, put_origin},
    clock,
    compress::Compressing,
    failure::Failure,
    forward::Forwarding,
    headers::{
        client_value, edit, foreign, join_cookies, pass_on, strip_hop_by_hop, takes_trailers,
    },
    io::Watch,
    snapshot::{Found, Listener, Pool},
    table::{Asked, host_name},
    worker::Worker,
};
use crate::{
    model::{
        Action, Route,
        route::{PathPattern, PathRewrite, Redirect, Respond},
    },
    proxy_protocol::Ends,
};

/// A connection of a client while it is served.
pub(super) struct Visit {
    guest: Guest,
    /// The address of who has connected, as a header has it.
    peer_value: HeaderValue,
    /// For who keeps connections that are only for this client.
    ends: Rc<Ends>,
    watch: Arc<Watch>,
}

/// Why a request is answered with a refusal, in a word or two for its body.
type Refused = (StatusCode, &'static str);

impl Visit {
    pub(super) fn new(guest: Guest, watch: &Arc<Watch>) -> Self {
        Self {
            peer_value: client_value(guest.ends.source.ip()),
            ends: Rc::new(guest.ends),
            guest,
            watch: Arc::clone(watch),
        }
    }

    /// Who serves the client.
    pub(super) fn worker(&self) -> &Rc<Worker> {
        self.guest.worker()
    }

    /// The client, who is not served any more. Nothing if a request of it is.
    pub(super) fn end(self: Rc<Self>) -> Option<Guest> {
        Rc::into_inner(self).map(|visit| visit.guest)
    }

    /// Answers one request.
    pub(super) async fn answer(&self, mut request: Request<Upload>) -> Response<Reply> {
        let answered = Answered::later(&self.watch);
        let listener = self.guest.listener();
        let head = request.method() == Method::HEAD;
        let caller = Caller::of(&listener, self.peer(), request.headers());
        caller.clean(request.headers_mut());
        let caller = caller.followed(&listener, request.headers(), self.guest.worker.ids());
        let mut noted = Noted::begin(self.asker(&listener, caller.client), &request);
        noted.is_followed(&caller.followed);
        let compressing = Compressing::of(&listener.compression, &request);
        let request = ClientBody::of(request, self.watch.limits().max_body, noted.received());
        let routed = match listener.clients.ask(caller.client, clock::precise) {
            Ok(()) => self.routed(&listener, &caller, request, &mut noted).await,
            Err(wait) => Ok(too_many(&listener, wait, &mut noted)),
        };
        let mut response = match routed {
            Ok(response) => response,
            Err((status, text)) => {
                noted.is_refused(text);
                error_page(&listener, status, text)
            }
        };
        caller.followed.put_id(&listener.following, response.headers_mut());
        if let Some(compressing) = compressing {
            response = compressing.apply(response);
        }
        if head {
            take_body(&mut response);
        }
        listener.shared.answered(response.status());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.watch.tunnel();
        }
        noted.has_status(response.status());
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, answered.with(body, noted))
    }

    /// Notes that the client was refused before it had asked for anything.
    pub(super) fn refused(&self, status: StatusCode, why: &dyn fmt::Display) {
        let listener = self.guest.listener();
        Noted::refuse(self.asker(&listener, self.peer()), status, why);
    }

    /// Who has connected.
    fn peer(&self) -> IpAddr {
        self.guest.ends.source.ip()
    }

    fn asker<'a>(&'a self, listener: &'a Arc<Listener>, client: IpAddr) -> Asker<'a> {
        let session = self.guest.session.as_ref();
        Asker { listener, worker: self.guest.worker.nth, client, session }
    }

    async fn routed(
        &self,
        listener: &Listener,
        caller: &Caller,
        request: Request<ClientBody>,
        noted: &mut Noted,
    ) -> Result<Response<Inbound>, Refused> {
        let target = Target::of(&request, self.watch.limits())?;
        let asked = Asked {
            method: request.method(),
            host: &host_name(&target.host),
            path: &target.path,
            query: target.query.as_deref(),
            headers: request.headers(),
            client: caller.client,
        };
        let found = match listener.rules.find(caller.scheme, &asked, |_, _| ()) {
            Found::Route(nth) => listener.rules.routes.get(nth).map(|route| (nth, route)),
            Found::ToHttps(port) => return to_https(port, caller, &target),
            Found::Nothing => None,
        };
        let Some((nth, route)) = found else {
            listener.shared.unrouted.fetch_add(1, Relaxed);
            return Err((StatusCode::NOT_FOUND, "no route"));
        };
        if let Some(hits) = listener.rules.hits.get(nth) {
            hits.fetch_add(1, Relaxed);
        }
        noted.takes(nth);
        let mut response = match &route.action {
            Action::Respond(respond) => respond_with(respond),
            Action::Redirect(redirect) => redirect_to(redirect, &target)?,
            Action::Pools(_) => {
                let pool =
                    listener.pool(nth, |below| self.guest.worker.draw(below)).ok_or(NO_POOL)?;
                noted.goes_to(pool);
                self.forward(listener, caller, route, (pool, noted), &target, request).await?
            }
        };
        edit(response.headers_mut(), &route.edits.response);
        Ok(response)
    }

    async fn forward(
        &self,
        listener: &Listener,
        caller: &Caller,
        route: &Route,
        (pool, noted): (&Arc<Pool>, &mut Noted),
        target: &Target,
        mut request: Request<ClientBody>,
    ) -> Result<Response<Inbound>, Refused> {
        let trailers = takes_trailers(request.headers());
        let protocols = strip_hop_by_hop(request.headers_mut());
        let upgrade = protocols.as_ref().and_then(foreign);
        if request.version() == Version::HTTP_2 {
            join_cookies(request.headers_mut());
        }
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = rewritten(route, target, request.uri())?;
        let headers = request.headers_mut();
        let is_given =
            headers.get(HOST).is_some_and(|host| host.as_bytes() == target.host.as_bytes());
        if !is_given
            && !target.host.is_empty()
            && let Ok(host) = HeaderValue::try_from(target.host.as_str())
        {
            headers.insert(HOST, host);
        }
        pass_on(headers);
        let origin = Origin {
            caller,
            peer: self.peer(),
            peer_value: &self.peer_value,
            port: &listener.port,
            headers: listener.following.forwarding_headers,
        };
        put_origin(headers, &origin);
        caller.followed.put(&listener.following, headers);
        if let Some(host) = &route.edits.host {
            headers.insert(HOST, host.clone());
        }
        edit(headers, &route.edits.request);
        let method = request.method().clone();
        let (worker, seed, client) = (&self.guest.worker, listener.seed, caller.client);
        let ends = &self.ends;
        let forwarding = Forwarding { worker, pool, seed, client, ends, trailers, upgrade };
        forwarding.run(request, noted).await.map_err(|failure| {
            noted.failed(&failure);
            let what = format_args!("{method} {}{}{}", target.host, target.path, caller.followed);
            self.guest.worker.report(&listener.name, what, &failure);
            refusal(&failure)
        })
    }
}

const NO_POOL: Refused = (StatusCode::SERVICE_UNAVAILABLE, "no backend");

/// What the client is told of a failure; the cause is for the log.
fn refusal(failure: &Failure) -> Refused {
    let status = failure.status();
    (status, status.canonical_reason().unwrap_or("failed"))
}

/// The target for the backend: in origin form (RFC 9112 section 3.2.1), with the path that the route
/// gives it.
fn rewritten(route: &Route, target: &Target, uri: &Uri) -> Result<Uri, Refused> {
    let path = match &route.edits.path {
        None if uri.scheme().is_none() => return Ok(uri.clone()),
        None => target.path.clone(),
        Some(PathRewrite::Prefix(to)) => {
            // Only a route with a prefix has such a rewriting.
            let from = match &route.matches.path {
                Some(PathPattern::Prefix(from)) => from.len(),
                _ => 0,
            };
            format!("{to}{}", target.path.get(from..).unwrap_or_default())
        }
        Some(PathRewrite::Regex(pattern, to)) => {
            pattern.regex().replace(&target.path, to.as_str()).into_owned()
        }
    };
    let path = if path.starts_with('/') || path == "*" { path } else { format!("/{path}") };
    let whole = match &target.query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let wrong = (StatusCode::BAD_REQUEST, "the path cannot be rewritten");
    let mut parts = uri::Parts::default();
    parts.path_and_query = Some(PathAndQuery::try_from(whole).map_err(|_| wrong)?);
    Uri::from_parts(parts).map_err(|_| wrong)
}

fn respond_with(respond: &Respond) -> Response<Inbound> {
    let mut response = Response::new(Inbound::own(respond.body.clone()));
    *response.status_mut() = respond.status;
    if !respond.body.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, respond.content_type.clone());
    }
    response
}

fn redirect_to(redirect: &Redirect, target: &Target) -> Result<Response<Inbound>, Refused> {
    let url = redirect.to.of(&target.host, &target.path, target.query.as_deref());
    moved(redirect.status, url)
}

/// Sends a client to the same at https. The method and the body are to stay as they are (RFC 9110 section 15.4.9).
fn to_https(port: u16, caller: &Caller, target: &Target) -> Result<Response<Inbound>, Refused> {
    let host = host_name(caller.host().unwrap_or(&target.host));
    if host.is_empty() {
        return Err(NO_PLACE);
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    // `OPTIONS *` has no path.
    let path = if target.path.starts_with('/') { &*target.path } else { "/" };
    let query = target.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    moved(StatusCode::PERMANENT_REDIRECT, format!("https://{host}{port}{path}{query}"))
}

const NO_PLACE: Refused = (StatusCode::BAD_REQUEST, "no place to redirect to");

fn moved(status: StatusCode, url: String) -> Result<Response<Inbound>, Refused> {
    let place = HeaderValue::try_from(url).map_err(|_| NO_PLACE)?;
    let mut response = plain(status, "");
    response.headers_mut().insert(LOCATION, place);
    Ok(response)
}

/// The answer to who is refused: the page of the listener for it, or one line.
fn error_page(listener: &Listener, status: StatusCode, text: &str) -> Response<Inbound> {
    let Some(page) = listener.pages.get(status) else { return plain(status, text) };
    let mut response = Response::new(Inbound::own(page.body.clone()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, page.content_type.clone());
    response
}

/// The answer to who has asked too often (RFC 6585 section 4), and may again after this time.
fn too_many(listener: &Listener, wait: Duration, noted: &mut Noted) -> Response<Inbound> {
    listener.shared.over_rate_limit.fetch_add(1, Relaxed);
    let text = "too many requests";
    noted.is_refused(text);
    let mut response = error_page(listener, StatusCode::TOO_MANY_REQUESTS, text);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// An answer of one line.
fn plain(status: StatusCode, text: &str) -> Response<Inbound> {
    let body =
        if text.is_empty() { String::new() } else { format!("{} {text}\n", status.as_u16()) };
    let mut response = Response::new(Inbound::own(body));
    *response.status_mut() = status;
    if !text.is_empty() {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

/// Leaves of an answer of ours what `HEAD` asks for. hyper sees to it in HTTP/1 alone, and a body in HTTP/2
/// breaks the stream (RFC 9113 section 8.1.1). Backends have been asked by `HEAD` themselves.
fn take_body(response: &mut Response<Inbound>) {
    if let Inbound::Whole(Some(body)) = response.body() {
        let length = HeaderValue::from(body.len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
        *response.body_mut() = Inbound::Whole(None);
    }
}
