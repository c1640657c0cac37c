//! What workers go by: listeners with their routes, pools with their backends, as one value that is
//! never changed, only replaced.

mod make;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use hyper::header::HeaderValue;
use rustls::ServerConfig;

pub(super) use self::make::Maker;
use super::{
    access_log::Logging,
    balance::{Field, Ring, eased},
    caller::Scheme,
    clients::{Clients, Entry},
    pages::Pages,
    shared::{BackendShared, ListenerShared, PoolShared},
    sticky::Sticky,
    table::{Asked, Miss, Table},
    tls::Originator,
};
use crate::model::{
    ListenerProtocol, Name, PrefixSet, Route, Upstream,
    listener::{ClientLimits, Coding, Following},
};

/// Everything, by the numbers of the listeners.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// In the order of their numbers.
    listeners: Vec<(u32, Arc<Listener>)>,
}

impl Snapshot {
    /// A listener, unless it is gone.
    pub(super) fn listener(&self, number: u32) -> Option<&Arc<Listener>> {
        let found = self.listeners.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.listeners.get(found).map(|(_, listener)| listener)
    }
}

/// A listener as it is now.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) name: Name,
    /// Its address, which may be all of its family.
    pub(super) listen: SocketAddr,
    pub(super) rules: Arc<Rules>,
    /// The pools that its routes name, by the numbers that [`Rules`] has for them.
    pub(super) pools: Vec<Arc<Pool>>,
    pub(super) shared: Arc<ListenerShared>,
    pub(super) seed: u64,
    pub(super) protocol: ListenerProtocol,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) limits: Arc<ClientLimits>,
    pub(super) clients: Clients,
    pub(super) pages: Arc<Pages>,
    pub(super) log: Option<Logging>,
    /// How answers are coded for those who can decode it.
    pub(super) compression: Vec<Coding>,
    /// Who is believed when it says whom it speaks for.
    pub(super) trusted: PrefixSet,
    pub(super) following: Following,
    /// The port, as a header has it.
    pub(super) port: HeaderValue,
    /// Whether they say it in the PROXY protocol.
    pub(super) proxy_protocol: bool,
}

impl Listener {
    /// A connection of a client begins, unless it has its most. A trusted proxy has those of many clients, and may have
    /// any number.
    pub(super) fn enter(&self, client: IpAddr) -> Option<Entry> {
        if self.trusted.contains(client) {
            return Some(Entry::default());
        }
        self.clients.enter(client)
    }

    /// What is spoken on it.
    pub(super) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// Whether a connection from there begins with a header of the PROXY protocol.
    pub(super) fn is_announced(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.trusted.contains(peer)
    }

    /// Whether backends may be told whom a connection is for.
    pub(super) fn announces(&self) -> bool {
        self.pools.iter().any(|pool| pool.settings.proxy_protocol.is_some())
    }

    /// The pool of a route; one of several is drawn by their weights. `draw` gives a number below its argument.
    pub(super) fn pool(&self, route: usize, draw: impl FnOnce(u64) -> u64) -> Option<&Arc<Pool>> {
        let targets = self.rules.targets.get(route)?;
        if let [(number, _)] = targets[..] {
            return self.pools.get(number);
        }
        let total: u32 = targets.iter().map(|(_, weight)| weight).sum();
        let mut left = draw(u64::from(total));
        let (number, _) = targets.iter().find(|(_, weight)| {
            let hit = left < u64::from(*weight);
            left = left.saturating_sub(u64::from(*weight));
            hit
        })?;
        self.pools.get(*number)
    }
}

/// The routes of a listener, which cost time to make and rarely change.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) routes: Vec<Route>,
    pub(super) table: Table,
    /// What comes without TLS, if that is not served.
    pub(super) to_https: Option<ToHttps>,
    /// Names of pools.
    pub(super) pools: Vec<Name>,
    /// Numbers and weights of the pools of each route.
    pub(super) targets: Vec<Vec<(usize, u32)>>,
    /// Requests that each route took.
    pub(super) hits: Vec<AtomicU64>,
}

/// Where what comes without TLS is sent.
#[derive(Debug)]
pub(super) struct ToHttps {
    pub(super) port: u16,
    /// The routes that take it all the same.
    spared: Table,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// It takes this route.
    Route(usize),
    /// It is sent to this port of https.
    ToHttps(u16),
    /// It takes no route.
    Nothing,
}

impl Rules {
    /// What becomes of a request. `passed` hears of routes that fit by host and path, but not otherwise.
    pub(super) fn find(
        &self,
        scheme: Scheme,
        asked: &Asked<'_>,
        passed: impl FnMut(usize, Miss),
    ) -> Found {
        let (table, rest) = match &self.to_https {
            Some(to) if scheme == Scheme::Http => (&to.spared, Found::ToHttps(to.port)),
            _ => (&self.table, Found::Nothing),
        };
        table.find(asked, passed).map_or(rest, Found::Route)
    }
}

/// A pool as it is now.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: Name,
    pub(super) settings: Upstream,
    pub(super) backends: Vec<Backend>,
    pub(super) ring: Option<Ring>,
    pub(super) sticky: Option<Sticky>,
    pub(super) shared: Arc<PoolShared>,
    pub(super) tls: Option<Arc<Originator>>,
}

/// A backend as it is now.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    pub(super) weight: u32,
    /// Whether it gets requests: it is not drained, and not down.
    pub(super) takes: bool,
    pub(super) shared: Arc<BackendShared>,
}

/// Which backends a request may go to.
pub(super) struct Choice<'a> {
    pub(super) pool: &'a Pool,
    pub(super) now: u64,
    /// Backends that had it already.
    pub(super) tried: &'a [u64],
    /// Whether those that failed again and again are left out.
    pub(super) spares_outliers: bool,
    /// Whether those that have their most are left out.
    pub(super) spares_full: bool,
}

impl Pool {
    /// Most requests of a backend.
    pub(super) fn most(&self) -> u32 {
        self.settings.max_connections.map_or(u32::MAX, std::num::NonZeroU32::get)
    }
}

impl Field for Choice<'_> {
    fn len(&self) -> usize {
        self.pool.backends.len()
    }

    fn usable(&self, nth: usize) -> bool {
        let Some(backend) = self.pool.backends.get(nth) else { return false };
        let shared = &backend.shared;
        let is_out = || self.spares_outliers && shared.outlier.is_out(self.now);
        let is_full = || self.spares_full && shared.active.load(Relaxed) >= self.pool.most();
        backend.takes && !self.tried.contains(&shared.id) && !is_out() && !is_full()
    }

    fn weight(&self, nth: usize) -> u32 {
        let Some(backend) = self.pool.backends.get(nth) else { return 1 };
        let age = self.now.saturating_sub(backend.shared.since.load(Relaxed));
        eased(backend.weight, self.pool.settings.slow_start, Duration::from_millis(age))
    }

    fn load(&self, nth: usize) -> u32 {
        self.pool.backends.get(nth).map_or(0, |backend| backend.shared.active.load(Relaxed))
    }
}
