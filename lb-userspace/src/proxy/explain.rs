//! What the proxy tells of itself: counts, and which route a request would take.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::Ordering::Relaxed,
};

use hyper::{HeaderMap, Method};

use super::{
    LogCounts, Proxy,
    access_log::Logging,
    caller::Caller,
    clock::now,
    snapshot::Found,
    table::{Asked, host_name, normal_path},
};
use crate::model::Name;

/// Which route a request would take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// Who asks, by what trusted proxies say.
    pub client: IpAddr,
    /// Its place, if there is one.
    pub route: Option<usize>,
    /// The port of https that the client is sent to instead.
    pub to_https: Option<u16>,
    /// Routes that fit by host and path but not otherwise, in the order in which they were looked at.
    pub passed: Vec<Passed>,
}

/// A route that did not take a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passed {
    /// Its place.
    pub route: usize,
    /// Why not.
    pub why: String,
}

/// What was counted of a listener.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListenerCounts {
    /// Connections that are open.
    pub open: usize,
    /// Connections that there were.
    pub connections: u64,
    /// Answers by the first digit of their status, from 1 on.
    pub answers: [u64; 5],
    /// Requests that no route took.
    pub unrouted: u64,
    /// Connections of trusted proxies that were closed because they had no header of the PROXY protocol.
    pub unannounced: u64,
    /// Connections that were closed because their client had its most.
    pub over_max_connections: u64,
    /// Requests that were refused because their client had made too many.
    pub over_rate_limit: u64,
    /// Requests of each route.
    pub routes: Vec<u64>,
    /// Lines of its access log, if it has one. Several listeners may have the same.
    pub log: Option<LogCounts>,
}

/// What was counted of a backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BackendCounts {
    /// Requests that it has.
    pub active: u32,
    /// Requests that it was sent.
    pub requests: u64,
    /// Requests that came to nothing because of it.
    pub failures: u64,
    /// Whether it is out, because it failed again and again.
    pub ejected: bool,
}

impl Proxy {
    /// Which route of a listener a request by `peer` would take; nothing if there is no such listener.
    pub fn explain(
        &self,
        listener: &Name,
        method: &Method,
        (host, path, query): (&str, &str, Option<&str>),
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Option<Explanation> {
        let snapshot = self.snapshot.load();
        let listener = snapshot.listener(self.bound.get(listener)?.number)?;
        let (host, path) = (host_name(host), normal_path(path));
        let caller = Caller::of(listener, peer, headers);
        let mut headers = headers.clone();
        caller.clean(&mut headers);
        let (headers, Caller { client, scheme, .. }) = (&headers, caller);
        let asked = Asked { method, host: &host, path: &path, query, headers, client };
        let mut passed = Vec::new();
        let found = listener.rules.find(scheme, &asked, |route, miss| {
            passed.push(Passed { route, why: miss.to_string() });
        });
        let (route, to_https) = match found {
            Found::Route(route) => (Some(route), None),
            Found::ToHttps(port) => (None, Some(port)),
            Found::Nothing => (None, None),
        };
        Some(Explanation { client, route, to_https, passed })
    }

    /// What was counted of a listener.
    pub fn listener(&self, name: &Name) -> Option<ListenerCounts> {
        let snapshot = self.snapshot.load();
        let listener = snapshot.listener(self.bound.get(name)?.number)?;
        let shared = &listener.shared;
        let mut answers = [0; 5];
        for (count, answered) in answers.iter_mut().zip(&shared.answers) {
            *count = answered.load(Relaxed);
        }
        Some(ListenerCounts {
            open: shared.open.load(Relaxed),
            connections: shared.connections.load(Relaxed),
            answers,
            unrouted: shared.unrouted.load(Relaxed),
            unannounced: shared.unannounced.load(Relaxed),
            over_max_connections: shared.over_max_connections.load(Relaxed),
            over_rate_limit: shared.over_rate_limit.load(Relaxed),
            log: listener.log.as_ref().map(Logging::counts),
            routes: listener.rules.hits.iter().map(|hits| hits.load(Relaxed)).collect(),
        })
    }

    /// What was counted of a backend; nothing if no route leads to its pool.
    pub fn backend(&self, pool: &Name, address: SocketAddr) -> Option<BackendCounts> {
        let shared = self.maker.backend(pool, address)?;
        Some(BackendCounts {
            active: shared.active.load(Relaxed),
            requests: shared.requests.load(Relaxed),
            failures: shared.failures.load(Relaxed),
            ejected: shared.outlier.is_out(now()),
        })
    }
}
