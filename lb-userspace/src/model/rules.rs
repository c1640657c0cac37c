//! What must hold for a configuration as a whole.
//!
//! The rules are stated once and used by the configuration file, the API and the CLI alike. Each
//! problem names its subject, so that the configuration can point at the line.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::SocketAddr,
};

use lb_common::{limits, maglev};

use super::{Desired, Forward, Name, Protocol, Service, Vip};

/// What a problem is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A service.
    Service(Name),
    /// A backend of a pool.
    Backend(Name, SocketAddr),
    /// The configuration as a whole.
    Whole,
}

/// A broken rule: what is wrong, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// What it is about.
    pub subject: Subject,
    /// The key of its section in the configuration file that it is about, if it is about one.
    pub key: Option<&'static str>,
    /// What is wrong and what to do.
    pub message: String,
}

/// Every broken rule of a configuration; none if it can be brought about.
pub fn problems(desired: &Desired) -> Vec<Problem> {
    let mut found = Vec::new();
    duplicate_vips(desired, &mut found);
    for (name, service) in &desired.services {
        pool_fits(desired, name, service, &mut found);
    }
    shared_nat_backends(desired, &mut found);
    capacity(desired, &mut found);
    found
}

fn duplicate_vips(desired: &Desired, found: &mut Vec<Problem>) {
    let mut owners: BTreeMap<Vip, &Name> = BTreeMap::new();
    for (name, service) in &desired.services {
        match owners.entry(service.listen) {
            Entry::Vacant(vacant) => _ = vacant.insert(name),
            Entry::Occupied(owner) => found.push(Problem {
                subject: Subject::Service(name.clone()),
                key: Some("listen"),
                message: format!(
                    "service `{name}` listens on {}, as service `{}` does; give each its own address, port or protocol",
                    service.listen,
                    owner.get()
                ),
            }),
        }
    }
}

fn pool_fits(desired: &Desired, name: &Name, service: &Service, found: &mut Vec<Problem>) {
    let of_service =
        |message| Problem { subject: Subject::Service(name.clone()), key: Some("pool"), message };
    let Some(pool) = desired.pools.get(&service.pool) else {
        let message = missing_pool(desired, &format!("service `{name}`"), &service.pool);
        found.extend(message.map(of_service));
        return;
    };
    if pool.backends.len() > 1
        && pool.backends.keys().all(|backend| !same_family(service, *backend))
    {
        found.push(of_service(format!(
            "no backend of pool `{}` is of the address family of service `{name}` ({}), and `{}` cannot translate between families; use a pool of the family of the VIP",
            service.pool,
            service.listen.address,
            service.forward.name()
        )));
        return;
    }
    for address in pool.backends.keys() {
        if let Some(message) = backend_misfit(name, service, *address) {
            let subject = Subject::Backend(service.pool.clone(), *address);
            found.push(Problem { subject, key: Some("backends"), message });
        }
    }
}

/// That `who` sends to a pool that does not exist, if it does not.
pub fn missing_pool(desired: &Desired, who: &str, pool: &Name) -> Option<String> {
    if desired.pools.contains_key(pool) {
        return None;
    }
    let names: Vec<_> = desired.pools.keys().map(Name::as_str).collect();
    let what_to_do = if names.is_empty() {
        format!("add a [[pool]] with `name = \"{pool}\"`")
    } else {
        format!("add it, or use one of: {}", names.join(", "))
    };
    Some(format!("{who} sends to pool `{pool}`, which does not exist; {what_to_do}"))
}

fn same_family(service: &Service, backend: SocketAddr) -> bool {
    service.listen.address.is_ipv4() == backend.is_ipv4()
}

/// Why a backend cannot serve a service, if it cannot.
fn backend_misfit(name: &Name, service: &Service, backend: SocketAddr) -> Option<String> {
    let vip = service.listen.address;
    let mode = service.forward.name();
    if !same_family(service, backend) {
        return Some(format!(
            "backend {backend} is not of the address family of service `{name}` ({vip}), and `{mode}` cannot translate between families; use backends of the family of the VIP"
        ));
    }
    match service.forward {
        Forward::Dsr if vip.ip() == backend.ip() => Some(format!(
            "backend {backend} has the address of the VIP of service `{name}`, so packets for it would come back here; give the host's own address, and let the backend hold the VIP on its loopback"
        )),
        Forward::Dsr if vip.port() != backend.port() => Some(format!(
            "backend {backend} listens on another port than service `{name}` ({vip}), and `dsr` rewrites no ports; let the backend listen on port {}, or use `nat`",
            vip.port()
        )),
        Forward::Nat if vip.ip() == backend.ip() => Some(format!(
            "backend {backend} has the address of the VIP of service `{name}`, so its replies could not be told from requests; give the VIP an address of its own"
        )),
        _ => None,
    }
}

/// A reply is given the address of its service by nothing but its source, which must therefore
/// belong to one `nat` service only.
fn shared_nat_backends(desired: &Desired, found: &mut Vec<Problem>) {
    let mut pools: BTreeMap<(&Name, Protocol), &Name> = BTreeMap::new();
    let mut owners: BTreeMap<(SocketAddr, Protocol), &Name> = BTreeMap::new();
    for (name, service) in &desired.services {
        if service.forward != Forward::Nat {
            continue;
        }
        let Some(pool) = desired.pools.get(&service.pool) else { continue };
        let protocol = service.listen.protocol;
        if let Some(owner) = pools.insert((&service.pool, protocol), name) {
            found.push(shared_pool(owner, name, service));
            continue;
        }
        for address in pool.backends.keys() {
            if let Some(owner) = owners.insert((*address, protocol), name) {
                found.push(shared_backend(owner, name, service, *address));
            }
        }
    }
}

fn shared_pool(owner: &Name, name: &Name, service: &Service) -> Problem {
    Problem {
        subject: Subject::Service(name.clone()),
        key: Some("pool"),
        message: format!(
            "the `nat` services `{owner}` and `{name}` both send {} to pool `{}`, so replies could not be told apart; give one of them a pool whose backends listen on other ports",
            service.listen.protocol, service.pool
        ),
    }
}

fn shared_backend(owner: &Name, name: &Name, service: &Service, address: SocketAddr) -> Problem {
    Problem {
        subject: Subject::Backend(service.pool.clone(), address),
        key: Some("backends"),
        message: format!(
            "backend {address} belongs to the `nat` services `{owner}` and `{name}`, so its replies could not be told apart; let it listen on a second port for one of them"
        ),
    }
}

fn capacity(desired: &Desired, found: &mut Vec<Problem>) {
    let mut check = |what: &str, wanted: usize, most: u32| {
        if wanted > most as usize {
            found.push(Problem {
                subject: Subject::Whole,
                key: None,
                message: format!(
                    "{wanted} {what} are more than the {most} that fit into the tables; spread them over several balancers"
                ),
            });
        }
    };
    let backends = desired.pools.values().map(|pool| pool.backends.len()).sum();
    let slots = desired.services.values().map(|service| {
        let pool = desired.pools.get(&service.pool);
        maglev::ring_slots(pool.map_or(0, |pool| pool.backends.len())) as usize
    });
    check("services", desired.services.len(), limits::MAX_SERVICES);
    check("backends", backends, limits::MAX_BACKENDS - 1);
    check("ring slots", slots.sum(), limits::RING_SLOTS);
    check("interfaces", desired.interfaces.len(), limits::MAX_INTERFACES);
}
