//! Whose replies come from which backend address.
//!
//! An address that belongs to one `nat` service needs no memory: all its replies are that service's.
//! An address that several services share does; replies that are not remembered are older than the
//! sharing, and belong to the service that had the address first, which the present tables tell.
//!
//! Packets to a range of ports keep theirs, so replies come from any port of the backend's address. All of
//! those flows are remembered, and an address whose port lies in such a range is shared.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::abi::{
    AddrBe, BACKEND_SHARED, Endpoint, ForwardMode, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin,
    SERVICE_RANGE, Service as Entry,
};

use super::{
    Image,
    compile::{endpoint, identity, vip_endpoint},
    layout::Layout,
};
use crate::model::{Forward, Pool, Service};

/// One service's claim to the replies from an address.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Claim {
    vip: Endpoint,
    service: u32,
    backend: u32,
    full_nat: bool,
}

/// A claim to the replies from some ports of an address.
#[derive(Clone, Copy, Debug)]
struct WideClaim {
    first_port: u16,
    last_port: u16,
    claim: Claim,
}

/// All claims, by address.
#[derive(Debug, Default)]
pub(super) struct Origins {
    claims: BTreeMap<Endpoint, BTreeSet<Claim>>,
    /// Those of ranges, by the address without a port.
    wide: BTreeMap<Endpoint, Vec<WideClaim>>,
}

impl Origins {
    /// The claims of a service. Drained backends are among them: they answer their old flows.
    pub(super) fn add(&mut self, service: &Service, pool: &Pool, id: u32, layout: &Layout) {
        let full_nat = match service.forward {
            Forward::Nat => false,
            Forward::FullNat => true,
            Forward::Dsr | Forward::Ipip | Forward::Gue => return,
        };
        let vip = vip_endpoint(service.listen);
        for address in pool.backends.keys() {
            let Some(backend) = layout.known_backend(identity(&service.pool, *address)) else {
                continue;
            };
            let key = endpoint(*address, service.listen.protocol);
            let claim = Claim { vip, service: id, backend, full_nat };
            if service.listen.is_range() {
                let first_port = service.listen.address.port();
                let wide = WideClaim { first_port, last_port: service.listen.last_port, claim };
                self.wide.entry(key.any_port()).or_default().push(wide);
            } else {
                self.claims.entry(key).or_default().insert(claim);
            }
        }
    }

    /// The claims for backends that have left the configuration, but not the tables.
    pub(super) fn keep_leftovers(&mut self, image: &Image, present: &Image) {
        for (key, origin) in present.origins.iter().filter(|(key, _)| key.wide == 0) {
            let vip = Endpoint {
                addr_be: origin.vip_be,
                port_be: origin.port_be,
                protocol: key.protocol,
                wide: 0,
            };
            let backend = image.backends.get(&origin.backend);
            let backend = backend.filter(|b| (b.addr_be, b.port_be) == (key.addr_be, key.port_be));
            // Where several services were told apart, those that remain still are.
            let remains = image.services.contains_key(&vip);
            if backend.is_some() && (remains || origin.flags & ORIGIN_TRACKED != 0) {
                let full_nat = !remains || origin.flags & ORIGIN_STATELESS == 0;
                let (service, backend) = (origin.service, origin.backend);
                let claims = self.claims.entry(*key).or_default();
                if !claims.iter().any(|claim| claim.vip == vip) {
                    claims.insert(Claim { vip, service, backend, full_nat });
                }
            }
        }
    }

    /// Writes what the claims come to; the addresses whose `nat` flows must be remembered.
    pub(super) fn write(self, image: &mut Image, present: &Image) -> BTreeSet<(AddrBe, u16)> {
        let was_shared: BTreeSet<_> = present
            .backends
            .values()
            .filter(|backend| backend.flags & BACKEND_SHARED != 0)
            .map(|backend| (backend.addr_be, backend.port_be))
            .collect();
        let mut shared = BTreeSet::new();
        for (key, origin) in self.wide_origins(image, present) {
            image.origins.insert(key, origin);
        }
        for (key, claims) in self.claims {
            let port = u16::from_be(key.port_be);
            let wide = self.wide.get(&key.any_port()).into_iter().flatten();
            let wide: Vec<&WideClaim> =
                wide.filter(|wide| (wide.first_port..=wide.last_port).contains(&port)).collect();
            let stateless: Vec<&Claim> = claims.iter().filter(|claim| !claim.full_nat).collect();
            let first = present.origins.get(&key).and_then(|origin| {
                let is_first = |claim: &&&Claim| {
                    (claim.vip.addr_be, claim.vip.port_be) == (origin.vip_be, origin.port_be)
                };
                stateless.iter().find(is_first).copied()
            });
            let owner = first.or(stateless.first().copied());
            let mut flags = 0;
            if owner.is_some() {
                flags |= ORIGIN_STATELESS;
            }
            // What was shared once may have remembered flows for as long as the backend is there.
            let was_tracked =
                present.origins.get(&key).is_some_and(|old| old.flags & ORIGIN_TRACKED != 0);
            if claims.len() > 1 || owner.is_none() || was_tracked || !wide.is_empty() {
                flags |= ORIGIN_TRACKED;
            }
            let address = (key.addr_be, key.port_be);
            let by_range = owner.is_some() && wide.iter().any(|wide| !wide.claim.full_nat);
            if stateless.len() > 1 || by_range || was_shared.contains(&address) {
                shared.insert(address);
            }
            let Some(named) = owner.or(claims.first()) else { continue };
            let origin = Origin {
                vip_be: named.vip.addr_be,
                port_be: named.vip.port_be,
                flags,
                service: named.service,
                backend: named.backend,
            };
            image.origins.insert(key, origin);
        }
        shared
    }

    /// The entries of addresses from which any port may reply. They outlast the claims for as long as
    /// there are such services and such a backend: its flows may still be remembered.
    fn wide_origins(&self, image: &Image, present: &Image) -> BTreeMap<Endpoint, Origin> {
        let claims = self.wide.iter().filter_map(|(key, claims)| {
            let named = claims.iter().map(|wide| wide.claim).min()?;
            Some((*key, tracked(named.vip, named.service, named.backend)))
        });
        let mut origins: BTreeMap<Endpoint, Origin> = claims.collect();
        let translates = |entry: &Entry| {
            let modes = [ForwardMode::Nat as u8, ForwardMode::FullNat as u8];
            entry.flags & SERVICE_RANGE != 0 && modes.contains(&entry.mode)
        };
        for (key, origin) in present.origins.iter().filter(|(key, _)| key.wide != 0) {
            let named = image.backends.get(&origin.backend);
            let named = named.filter(|backend| backend.addr_be == key.addr_be);
            let named = named.map(|_| origin.backend).or_else(|| {
                let same = image.backends.iter().find(|(_, b)| b.addr_be == key.addr_be);
                same.map(|(id, _)| *id)
            });
            let service = image
                .services
                .iter()
                .find(|(vip, entry)| vip.protocol == key.protocol && translates(entry));
            if let (Some(backend), Some((vip, entry))) = (named, service) {
                origins.entry(*key).or_insert(tracked(*vip, entry.id, backend));
            }
        }
        origins
    }
}

/// An address whose replies are all remembered: whose they are, the return table says.
const fn tracked(vip: Endpoint, service: u32, backend: u32) -> Origin {
    Origin { vip_be: vip.addr_be, port_be: vip.port_be, flags: ORIGIN_TRACKED, service, backend }
}
