//! What must hold for a configuration as a whole.
//!
//! The rules are stated once and used by the configuration file, the API and the CLI alike. Each
//! problem names its subject, so that the configuration can point at the line. What concerns
//! addresses that the balancer gives to packets, server ids and the size of the tables is in the
//! modules of those names; here is what concerns services, pools and backends.

mod access;
pub mod capacity;
mod flows;
mod listeners;
mod quic;
mod source;
mod vips;

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
};

use self::vips::Vips;
use super::{Desired, Forward, Name, Service, names};

/// What a problem is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A service.
    Service(Name),
    /// A listener.
    Listener(Name),
    /// A route of a listener, by its place.
    Route(Name, usize),
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

impl Problem {
    fn of_service(name: &Name, key: &'static str, message: String) -> Self {
        Self { subject: Subject::Service(name.clone()), key: Some(key), message }
    }

    fn of_listener(name: &Name, key: &'static str, message: String) -> Self {
        Self { subject: Subject::Listener(name.clone()), key: Some(key), message }
    }

    fn of_backend(pool: &Name, address: SocketAddr, message: String) -> Self {
        Self { subject: Subject::Backend(pool.clone(), address), key: Some("backends"), message }
    }
}

/// Every broken rule of a configuration; none if it can be brought about.
pub fn problems(desired: &Desired) -> Vec<Problem> {
    let mut found = Vec::new();
    let vips = Vips::of(desired, &mut found);
    for (name, service) in &desired.services {
        pool_fits(desired, &vips, name, service, &mut found);
    }
    flows::check(desired, &mut found);
    access::check(desired, &mut found);
    source::check(desired, &mut found);
    quic::check(desired, &mut found);
    capacity::check(desired, &mut found);
    listeners::check(desired, &mut found);
    found
}

fn pool_fits(
    desired: &Desired,
    vips: &Vips<'_>,
    name: &Name,
    service: &Service,
    found: &mut Vec<Problem>,
) {
    let Some(pool) = desired.pools.get(&service.pool) else {
        let message = missing_pool(desired, &format!("service `{name}`"), &service.pool);
        found.extend(message.map(|message| Problem::of_service(name, "pool", message)));
        return;
    };
    if pool.backends.len() > 1
        && pool.backends.keys().all(|backend| !family_fits(service, *backend))
    {
        let message = format!(
            "no backend of pool `{}` is of the address family of service `{name}` ({}), and `{}` cannot translate between families; use a pool of the family of the VIP, or `ipip` or `gue`",
            service.pool,
            service.listen.address,
            service.forward.name()
        );
        found.push(Problem::of_service(name, "pool", message));
        return;
    }
    let mut hosts = HashMap::new();
    for address in pool.backends.keys() {
        let chained = || vips.chained(name, service, *address);
        if service.listen.is_range() {
            match hosts.entry(address.ip()) {
                Entry::Vacant(vacant) => _ = vacant.insert(*address),
                Entry::Occupied(first) => {
                    let message = same_host(name, service, *first.get(), *address);
                    found.push(Problem::of_backend(&service.pool, *address, message));
                }
            }
        }
        if let Some(message) = misfit(name, service, *address).or_else(chained) {
            found.push(Problem::of_backend(&service.pool, *address, message));
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

/// Whether packets of a service can be addressed to a backend: as they are, by its family; inside
/// another packet, by any.
fn family_fits(service: &Service, backend: SocketAddr) -> bool {
    service.forward.encapsulates() || service.listen.address.is_ipv4() == backend.is_ipv4()
}

/// Why a backend cannot serve a service, if it cannot.
fn misfit(name: &Name, service: &Service, backend: SocketAddr) -> Option<String> {
    let vip = service.listen.address;
    let mode = service.forward.name();
    if backend.ip().is_loopback() {
        return Some(format!(
            "backend {backend} of service `{name}` cannot be used: {}",
            names::LOOPBACK
        ));
    }
    if !family_fits(service, backend) {
        return Some(format!(
            "backend {backend} is not of the address family of service `{name}` ({vip}), and `{mode}` cannot translate between families; use backends of the family of the VIP, or `ipip` or `gue`"
        ));
    }
    if vip.ip() == backend.ip() {
        return Some(backend_is_vip(name, service.forward, backend));
    }
    match service.forward {
        Forward::Nat | Forward::FullNat => None,
        // Packets keep their ports.
        Forward::Dsr | Forward::Ipip | Forward::Gue if service.listen.is_range() => None,
        Forward::Dsr | Forward::Ipip | Forward::Gue => (vip.port() != backend.port()).then(|| {
            format!(
                "backend {backend} listens on another port than service `{name}` ({vip}), and `{mode}` rewrites no ports; let the backend listen on port {}, or use `nat` or `full-nat`",
                vip.port()
            )
        }),
    }
}

fn backend_is_vip(name: &Name, forward: Forward, backend: SocketAddr) -> String {
    let (why, what_to_do) = match forward {
        Forward::Nat => {
            ("so its replies could not be told from requests", "give the VIP an address of its own")
        }
        Forward::FullNat => {
            ("so packets for it would come back here", "give the VIP an address of its own")
        }
        Forward::Dsr => (
            "so packets for it would come back here",
            "give the host's own address, and let the backend hold the VIP on its loopback",
        ),
        Forward::Ipip | Forward::Gue => (
            "so packets for it would come back here",
            "give the host's own address, and let the backend hold the VIP besides",
        ),
    };
    format!("backend {backend} has the address of the VIP of service `{name}`, {why}; {what_to_do}")
}

/// That two backends would be one, as both get packets at the port that those were sent to.
fn same_host(name: &Name, service: &Service, first: SocketAddr, second: SocketAddr) -> String {
    format!(
        "backends {first} and {second} of service `{name}` ({}) are one, because packets of a range of ports keep theirs, and those of the backends are only where their health is checked; remove one of them, or give it an address of its own",
        service.listen
    )
}
