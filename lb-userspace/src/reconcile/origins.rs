//! Whose replies come from which backend address.
//!
//! An address that belongs to one `nat` service needs no memory: all its replies are that service's.
//! An address that several services share does; replies that are not remembered are older than the
//! sharing, and belong to the service that had the address first, which the present tables tell.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::abi::{AddrBe, BACKEND_SHARED, Endpoint, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin};

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

/// All claims, by address.
#[derive(Debug, Default)]
pub(super) struct Origins {
    claims: BTreeMap<Endpoint, BTreeSet<Claim>>,
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
            self.claims.entry(key).or_default().insert(claim);
        }
    }

    /// The claims for backends that have left the configuration, but not the tables.
    pub(super) fn keep_leftovers(&mut self, image: &Image, present: &Image) {
        for (key, origin) in &present.origins {
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
        for (key, claims) in self.claims {
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
            if claims.len() > 1 || owner.is_none() || was_tracked {
                flags |= ORIGIN_TRACKED;
            }
            let address = (key.addr_be, key.port_be);
            if stateless.len() > 1 || was_shared.contains(&address) {
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
}
