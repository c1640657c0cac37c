//! Makes snapshots, and keeps from one to the next what shall outlive them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tracing::{info, warn};

use super::{Backend, Listener, Pool, Rules, Snapshot, ToHttps};
use crate::{
    model::{self, Action, BackendState, Desired, Name, Route, upstream::Balance},
    proxy::{
        ProxyError,
        access_log::{AllLogs, Logging, Logs},
        balance::Ring,
        clients::Clients,
        clock,
        pages::{AllPages, Pages},
        shared::{BackendShared, ListenerShared, PoolShared},
        sticky::Sticky,
        table::Table,
        tls::{Originator, Terminator},
    },
};

type Key = (Name, SocketAddr);

/// The routes of all listeners, ready to be used.
pub(in crate::proxy) type AllRules = BTreeMap<Name, Arc<Rules>>;

/// TLS of all listeners that end it.
pub(in crate::proxy) type AllTls = BTreeMap<Name, Arc<Terminator>>;

/// TLS of all pools that have it.
pub(in crate::proxy) type AllOrigins = BTreeMap<Name, Arc<Originator>>;

/// What is made once and kept.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Made {
    rules: AllRules,
    tls: AllTls,
    origins: AllOrigins,
    pages: AllPages,
    logs: AllLogs,
}

/// See the module.
pub(in crate::proxy) struct Maker {
    backends: BTreeMap<Key, Arc<BackendShared>>,
    pools: BTreeMap<Name, Arc<PoolShared>>,
    listeners: BTreeMap<Name, Arc<ListenerShared>>,
    made: Made,
    logs: Logs,
    /// Whether there was a snapshot: before, nobody has just come.
    begun: bool,
}

impl Maker {
    /// For so many workers.
    pub(in crate::proxy) fn new(workers: usize) -> Self {
        Self {
            backends: BTreeMap::new(),
            pools: BTreeMap::new(),
            listeners: BTreeMap::new(),
            made: Made::default(),
            logs: Logs::new(workers),
            begun: false,
        }
    }

    /// All that may fail about a configuration.
    pub(in crate::proxy) fn made_for(&mut self, desired: &Desired) -> Result<Made, ProxyError> {
        Ok(Made {
            rules: self.rules(desired)?,
            tls: self.tls(desired)?,
            origins: self.origins(desired)?,
            pages: self.pages(desired)?,
            logs: self.logs.of(desired, &self.made.logs)?,
        })
    }

    /// TLS of all pools. What is as it was is not read again.
    fn origins(&self, desired: &Desired) -> Result<AllOrigins, ProxyError> {
        let mut all = AllOrigins::new();
        for (name, pool) in &desired.pools {
            let Some(settings) = &pool.http.tls else { continue };
            let speaks = pool.http.speaks;
            let present = self.made.origins.get(name);
            let origin = kept(
                present,
                |it| it.is_of(settings, speaks),
                || {
                    Originator::new(settings, speaks)
                        .map_err(|source| ProxyError::Upstream { pool: name.clone(), source })
                },
            );
            all.insert(name.clone(), origin?);
        }
        Ok(all)
    }

    /// The routes of all listeners. Those that are as they were are not made again.
    fn rules(&self, desired: &Desired) -> Result<AllRules, ProxyError> {
        let mut all = AllRules::new();
        for (name, listener) in &desired.listeners {
            let is_same = |it: &Rules| {
                let port = it.to_https.as_ref().map(|to| to.port);
                it.routes == listener.routes && port == listener.redirect_to_https
            };
            let rules = kept(self.made.rules.get(name), is_same, || Rules::new(name, listener));
            all.insert(name.clone(), rules?);
        }
        Ok(all)
    }

    /// The error pages of all listeners. Those that are as they were are not read again.
    fn pages(&self, desired: &Desired) -> Result<AllPages, ProxyError> {
        let mut all = AllPages::new();
        for (name, listener) in &desired.listeners {
            let settings = &listener.error_pages;
            let pages = kept(
                self.made.pages.get(name),
                |it| it.is_of(settings),
                || {
                    Pages::new(settings)
                        .map_err(|source| ProxyError::Page { listener: name.clone(), source })
                },
            );
            all.insert(name.clone(), pages?);
        }
        Ok(all)
    }

    /// TLS of all listeners. What is as it was is not read again.
    fn tls(&self, desired: &Desired) -> Result<AllTls, ProxyError> {
        let mut all = AllTls::new();
        for (name, listener) in &desired.listeners {
            let Some(settings) = &listener.tls else { continue };
            let terminator = kept(
                self.made.tls.get(name),
                |it| it.is_of(settings),
                || {
                    Terminator::new(settings)
                        .map_err(|source| ProxyError::Tls { listener: name.clone(), source })
                },
            );
            all.insert(name.clone(), terminator?);
        }
        Ok(all)
    }

    /// Reads certificates and pages again whose files have changed. Says whether any has, and logs what cannot be used.
    pub(in crate::proxy) fn reload(&mut self) -> bool {
        let certificates = renew(&mut self.made.tls, "certificates", Terminator::reload);
        let pages = renew(&mut self.made.pages, "error pages", Pages::reload);
        certificates || pages
    }

    /// The logs that are open, and who has opened them.
    pub(in crate::proxy) fn logs(&mut self) -> (&mut Logs, &AllLogs) {
        (&mut self.logs, &self.made.logs)
    }

    /// What was made of routes and files.
    pub(in crate::proxy) fn made(&self) -> Made {
        self.made.clone()
    }

    /// A snapshot of a configuration. `down` are backends that their checks have found down,
    /// `numbers` those of the listeners.
    pub(in crate::proxy) fn snapshot(
        &mut self,
        desired: &Desired,
        down: &BTreeSet<Key>,
        made: Made,
        numbers: &BTreeMap<Name, u32>,
    ) -> Snapshot {
        self.made = made;
        self.forget(desired);
        let wanted: BTreeSet<Name> =
            self.made.rules.values().flat_map(|rules| rules.pools.iter().cloned()).collect();
        let mut pools = BTreeMap::new();
        for name in wanted {
            if let Some(pool) = desired.pools.get(&name) {
                let made = self.pool(desired.daemon.seed, &name, pool, down);
                pools.insert(name, Arc::new(made));
            }
        }
        self.begun = true;
        let mut listeners = Vec::new();
        for (name, rules) in &self.made.rules {
            let (Some(number), Some(settings)) = (numbers.get(name), desired.listeners.get(name))
            else {
                continue;
            };
            let pools = rules.pools.iter().filter_map(|name| pools.get(name).cloned()).collect();
            let shared = Arc::clone(self.listeners.entry(name.clone()).or_default());
            let (name, rules) = (name.clone(), Arc::clone(rules));
            let seed = desired.daemon.seed;
            let clients = Clients::new(&shared.clients, &settings.client);
            let pages = self.made.pages.get(&name).cloned().unwrap_or_default();
            let tls = self.made.tls.get(&name).map(|terminator| Arc::clone(&terminator.config));
            let log = settings.access_log.as_ref().and_then(|it| {
                let log = Arc::clone(self.made.logs.get(&it.to)?);
                Some(Logging { log, format: it.format })
            });
            let trusted = settings.trusted_proxies.iter().collect();
            let following = settings.following.clone();
            let port = settings.listen.port().into();
            let listener = Listener {
                name,
                listen: settings.listen,
                rules,
                pools,
                shared,
                seed,
                protocol: settings.protocol,
                tls,
                limits: Arc::new(settings.client),
                clients,
                pages,
                log,
                compression: settings.compression.clone(),
                trusted,
                proxy_protocol: settings.proxy_protocol,
                following,
                port,
            };
            listeners.push((*number, Arc::new(listener)));
        }
        listeners.sort_by_key(|(number, _)| *number);
        Snapshot { listeners }
    }

    /// What is counted of a backend.
    pub(in crate::proxy) fn backend(
        &self,
        pool: &Name,
        address: SocketAddr,
    ) -> Option<&BackendShared> {
        self.backends.get(&(pool.clone(), address)).map(|shared| &**shared)
    }

    /// Forgets what is not in the configuration any more. Requests that are under way keep their own
    /// reference.
    fn forget(&mut self, desired: &Desired) {
        self.pools.retain(|name, _| desired.pools.contains_key(name));
        self.listeners.retain(|name, _| desired.listeners.contains_key(name));
        self.backends.retain(|(name, address), shared| {
            let pool = desired.pools.get(name);
            let kept = pool.is_some_and(|pool| pool.backends.contains_key(address));
            shared.retired.fetch_or(!kept, Relaxed);
            kept
        });
    }

    fn pool(&mut self, seed: u64, name: &Name, pool: &model::Pool, down: &BTreeSet<Key>) -> Pool {
        let backends: Vec<Backend> = pool
            .backends
            .iter()
            .map(|(address, backend)| {
                let key = (name.clone(), *address);
                let takes = backend.state == BackendState::Enabled && !down.contains(&key);
                Backend {
                    address: *address,
                    weight: backend.weight.get(),
                    takes,
                    shared: self.backend_shared(key, takes),
                }
            })
            .collect();
        let settings = pool.http.clone();
        let ring = matches!(settings.balance, Balance::Hash(_)).then(|| {
            let members = backends.iter().enumerate().filter(|(_, backend)| backend.takes);
            Ring::new(seed, members.map(|(nth, it)| (nth, it.address, it.weight)))
        });
        let sticky = settings.sticky_cookie.as_ref();
        let sticky = sticky.map(|cookie| {
            Sticky::new(seed, name, cookie, backends.iter().map(|backend| backend.address))
        });
        let shared = Arc::clone(self.pools.entry(name.clone()).or_default());
        let tls = self.made.origins.get(name).cloned();
        Pool { name: name.clone(), settings, backends, ring, sticky, shared, tls }
    }

    /// A backend that takes requests, and did not before, has just come.
    fn backend_shared(&mut self, key: Key, takes: bool) -> Arc<BackendShared> {
        let begun = self.begun;
        let born = || Arc::new(BackendShared::new(0));
        let known = self.backends.contains_key(&key);
        let shared = self.backends.entry(key).or_insert_with(born);
        let took = known && !shared.retired.load(Relaxed);
        if takes && !took && begun {
            shared.since.store(clock::now(), Relaxed);
        }
        shared.retired.store(!takes, Relaxed);
        Arc::clone(shared)
    }
}

impl Rules {
    fn new(name: &Name, listener: &model::Listener) -> Result<Self, ProxyError> {
        let wrong = |source| ProxyError::Routes { listener: name.clone(), source };
        let routes = &listener.routes[..];
        let table = Table::new(routes).map_err(wrong)?;
        let to_https = match listener.redirect_to_https {
            Some(port) => {
                let spared = Table::of_some(routes, Route::is_for_challenges).map_err(wrong)?;
                Some(ToHttps { port, spared })
            }
            None => None,
        };
        let names: BTreeSet<&Name> = routes.iter().flat_map(Route::pools).collect();
        let pools: Vec<Name> = names.into_iter().cloned().collect();
        let targets = |route: &Route| match &route.action {
            Action::Pools(shares) => shares
                .iter()
                .filter_map(|it| Some((pools.binary_search(&it.pool).ok()?, it.weight.get())))
                .collect(),
            Action::Redirect(_) | Action::Respond(_) => Vec::new(),
        };
        let targets = routes.iter().map(targets).collect();
        let hits = routes.iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Self { routes: routes.to_vec(), table, to_https, pools, targets, hits })
    }
}

/// What there is, if it is still the same, or else what is made in its place.
fn kept<T, E>(
    present: Option<&Arc<T>>,
    is_same: impl FnOnce(&T) -> bool,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<Arc<T>, E> {
    match present.filter(|it| is_same(it)) {
        Some(present) => Ok(Arc::clone(present)),
        None => make().map(Arc::new),
    }
}

/// Puts successors in the place of what was read from files that have changed. Says whether there are any, and
/// logs what cannot be used.
fn renew<T, E: Display>(
    all: &mut BTreeMap<Name, Arc<T>>,
    what: &str,
    reload: impl Fn(&T) -> Option<Result<T, (E, T)>>,
) -> bool {
    let mut any = false;
    for (name, present) in all {
        match reload(present) {
            None => {}
            Some(Ok(next)) => {
                info!("listener {name}: {what} read again");
                *present = Arc::new(next);
                any = true;
            }
            Some(Err((error, same))) => {
                warn!("listener {name} goes on with the {what} it had: {error}");
                *present = Arc::new(same);
            }
        }
    }
    any
}
