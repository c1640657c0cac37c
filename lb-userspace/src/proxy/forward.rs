//! A request on its way to a backend and back: attempts, until one succeeds or no more make sense.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    header::{HOST, HeaderValue, SET_COOKIE},
};
use tracing::warn;

use super::{
    access_log::Noted,
    attempt::{Attempt, Lost, Wanted},
    body::{Begun, ClientBody, Inbound, Outbound},
    clock::{milliseconds, now},
    failure::{Failure, Fault},
    headers::{put_upgrade, strip_hop_by_hop, was_asked_for},
    pick::{Wish, place},
    snapshot::{Backend, Pool},
    tunnel::Tunnel,
    upstream::Lease,
    worker::Worker,
};
use crate::{model::upstream::Speaks, proxy_protocol::Ends};

/// A request that is to be forwarded.
pub(super) struct Forwarding<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) pool: &'a Arc<Pool>,
    pub(super) seed: u64,
    pub(super) client: IpAddr,
    /// The connection that it came by.
    pub(super) ends: &'a Rc<Ends>,
    /// Whether the client takes trailers.
    pub(super) trailers: bool,
    /// The protocols that the client wants to change to, if it does.
    pub(super) upgrade: Option<HeaderValue>,
}

impl Forwarding<'_> {
    /// Gets an answer.
    pub(super) async fn run(
        self,
        request: Request<ClientBody>,
        noted: &mut Noted,
    ) -> Result<Response<Inbound>, Failure> {
        let settings = &self.pool.settings;
        let end = settings.total_timeout.map(|time| now() + milliseconds(time));
        let wish = Wish::new(self.pool, self.seed, request.headers(), self.client);
        let (parts, body) = request.into_parts();
        let (body, progress) = Outbound::new(body);
        let mut request = Request::from_parts(parts, body);
        if self.upgrade.is_some() && settings.speaks == Speaks::H2 {
            return Err(Failure::NoUpgrade { pool: self.pool.name.clone() });
        }
        if let Some(protocols) = &self.upgrade {
            put_upgrade(request.headers_mut(), protocols.clone());
        }
        let repeatable =
            request.body().is_empty() && self.upgrade.is_none() && request.method().is_idempotent();
        let names_no_host = !request.headers().contains_key(HOST);
        self.pool.shared.budget.earn();
        let wanted = if self.upgrade.is_some() { Wanted::NewH1 } else { Wanted::Any };
        let mut course = Course { tried: Vec::new(), wanted };
        loop {
            let (nth, place) = place(self.worker, self.pool, wish, &course.tried).await?;
            let Some(backend) = self.pool.backends.get(nth) else {
                return Err(Failure::NoBackend { pool: self.pool.name.clone() });
            };
            backend.shared.requests.fetch_add(1, Relaxed);
            noted.is_sent_to(backend.address);
            if names_no_host {
                put_host(request.headers_mut(), backend.address);
            }
            let pool = self.pool;
            let (progress, trailers, wanted) = (&progress, self.trailers, course.wanted);
            let client = self.ends;
            let attempt =
                Attempt { pool, backend, client, progress, end, repeatable, wanted, trailers };
            let was_out = backend.shared.outlier.is_out(now());
            let lost = match attempt.make(self.worker, place, &mut request).await {
                Ok((response, lease)) => {
                    backend.shared.outlier.succeeded(was_out);
                    noted.is_answered();
                    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                        return self.switch(response, lease, nth, noted);
                    }
                    return Ok(self.answer(response, lease, wish, nth, end));
                }
                Err(lost) => lost,
            };
            self.note(backend, &lost);
            course.again(lost, repeatable, pool, backend)?;
        }
    }

    /// Counts a failure that is the backend's, and puts it out if there were too many.
    fn note(&self, backend: &Backend, lost: &Lost) {
        if lost.stale || lost.failure.fault() != Fault::Upstream {
            return;
        }
        backend.shared.failures.fetch_add(1, Relaxed);
        let settings = &self.pool.settings;
        let (limit, time) = (settings.eject_after, milliseconds(settings.eject_time));
        if backend.shared.outlier.failed(limit, time, now()) {
            warn!(
                "backend {} of {} failed {limit} times in a row and is out for {} ms: {}",
                backend.address, self.pool.name, time, lost.failure
            );
        }
    }

    fn answer(
        &self,
        response: Response<Begun>,
        lease: Lease,
        wish: Wish,
        nth: usize,
        end: Option<u64>,
    ) -> Response<Inbound> {
        let (mut parts, body) = response.into_parts();
        // How the backend speaks is no business of the client.
        parts.version = Version::HTTP_11;
        strip_hop_by_hop(&mut parts.headers);
        if wish.sticky != Some(nth)
            && let Some(cookie) = self.pool.sticky.as_ref().and_then(|it| it.header(nth))
        {
            parts.headers.append(SET_COOKIE, cookie.clone());
        }
        let body = Inbound::backend(self.worker, body, lease, self.pool.settings.idle_timeout, end);
        Response::from_parts(parts, body)
    }

    /// Both ends change the protocol: from now on bytes are passed on.
    fn switch(
        &self,
        response: Response<Begun>,
        lease: Lease,
        nth: usize,
        noted: &mut Noted,
    ) -> Result<Response<Inbound>, Failure> {
        let backend = self.pool.backends.get(nth).map(|backend| backend.address);
        let (mut parts, body) = response.into_parts();
        let agreed = strip_hop_by_hop(&mut parts.headers);
        let agreed = agreed.filter(|agreed| {
            self.upgrade.as_ref().is_some_and(|asked| was_asked_for(agreed, asked))
        });
        let (Some(agreed), Some(server)) = (agreed, body.rest.into_raw()) else {
            let pool = self.pool.name.clone();
            return Err(backend
                .map_or(Failure::NoBackend { pool }, |backend| Failure::Switched { backend }));
        };
        noted.has_status(StatusCode::SWITCHING_PROTOCOLS);
        // The line is that of the whole tunnel.
        let held = (lease, std::mem::take(noted));
        let limit = self.pool.settings.tunnel_timeout;
        let tunnel = Tunnel::new(self.worker, server, held, limit);
        put_upgrade(&mut parts.headers, agreed);
        Ok(Response::from_parts(parts, Inbound::Switched(Box::new(tunnel))))
    }
}

/// A request of HTTP/1.0 need not say which host it is for, and one of HTTP/1.1 must (RFC 9112 section 3.2): then it is for
/// the server that it is sent to.
fn put_host(headers: &mut HeaderMap, backend: SocketAddr) {
    if let Ok(host) = HeaderValue::try_from(backend.to_string()) {
        headers.insert(HOST, host);
    }
}

/// The attempts that were made for a request.
struct Course {
    /// Backends that had it, other than by a connection that was closed already.
    tried: Vec<u64>,
    /// Which connection will do for the next.
    wanted: Wanted,
}

impl Course {
    /// Whether it makes sense to send the request again, which may be sent twice if it is `repeatable`.
    fn again(
        &mut self,
        lost: Lost,
        repeatable: bool,
        pool: &Pool,
        backend: &Backend,
    ) -> Result<(), Failure> {
        if !lost.is_unsent && !repeatable {
            return Err(lost.failure);
        }
        if lost.stale {
            self.wanted = Wanted::New;
            return Ok(());
        }
        let left = self.tried.len() < usize::from(pool.settings.retries);
        if left && lost.failure.may_differ_elsewhere() && pool.shared.budget.spend() {
            self.tried.push(backend.shared.id);
            return Ok(());
        }
        Err(lost.failure)
    }
}
