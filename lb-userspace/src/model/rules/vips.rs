//! Which VIP belongs to whom: single ports, and ranges that share an address.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::{IpAddr, SocketAddr},
};

use lb_common::limits::RANGES_PER_ADDRESS;

use super::Problem;
use crate::model::{Desired, Name, Protocol, Service, Vip};

/// The VIPs of an address and protocol, with their services.
#[derive(Default)]
struct Host<'d> {
    exact: BTreeMap<u16, &'d Name>,
    /// By their first port.
    ranges: Vec<(Vip, &'d Name)>,
}

/// Every VIP with its service.
pub(super) struct Vips<'d>(BTreeMap<(IpAddr, Protocol), Host<'d>>);

impl<'d> Vips<'d> {
    /// Those of a configuration. Finds VIPs that several services have.
    pub(super) fn of(desired: &'d Desired, found: &mut Vec<Problem>) -> Self {
        let mut hosts: BTreeMap<(IpAddr, Protocol), Host<'_>> = BTreeMap::new();
        for (name, service) in &desired.services {
            let host = hosts.entry(service.listen.host()).or_default();
            let message = if service.listen.is_range() {
                host.add_range(name, service.listen)
            } else {
                host.add_port(name, service.listen)
            };
            found.extend(message.map(|message| Problem::of_service(name, "listen", message)));
        }
        Self(hosts)
    }

    /// That a backend is the VIP of another service, if it is: a packet is balanced once.
    pub(super) fn chained(
        &self,
        name: &Name,
        service: &Service,
        backend: SocketAddr,
    ) -> Option<String> {
        let listen = service.listen;
        let (first, last) = if listen.is_range() {
            (listen.address.port(), listen.last_port)
        } else {
            (backend.port(), backend.port())
        };
        let host = self.0.get(&(backend.ip(), listen.protocol))?;
        let exact = host.exact.range(first..=last).next().map(|(_, name)| *name);
        let range = || host.ranges.iter().find(|(vip, _)| vip.meets(first, last));
        let other = exact.or_else(|| range().map(|(_, name)| *name))?;
        Some(format!(
            "backend {backend} of service `{name}` is the VIP of service `{other}`, and a packet is balanced once only; let `{name}` use the pool of `{other}`"
        ))
    }
}

impl<'d> Host<'d> {
    /// Adds a single port. Says so if another service has it.
    fn add_port(&mut self, name: &'d Name, vip: Vip) -> Option<String> {
        match self.exact.entry(vip.address.port()) {
            Entry::Vacant(vacant) => {
                vacant.insert(name);
                None
            }
            Entry::Occupied(owner) => Some(format!(
                "service `{name}` listens on {vip}, as service `{}` does; give each its own address, port or protocol",
                owner.get()
            )),
        }
    }

    /// Adds a range. Says so if it overlaps another one, or is one too many.
    fn add_range(&mut self, name: &'d Name, vip: Vip) -> Option<String> {
        let overlaps = |other: Vip| {
            vip.is_all() == other.is_all() && vip.meets(other.address.port(), other.last_port)
        };
        let other = self.ranges.iter().find(|(other, _)| overlaps(*other)).copied();
        self.ranges.push((vip, name));
        if let Some((other_vip, other)) = other {
            return Some(format!(
                "service `{name}` listens on {vip}, which overlaps {other_vip} of service `{other}`; give ranges that have no port in common, or an exact port or `*` besides one"
            ));
        }
        (self.ranges.len() == RANGES_PER_ADDRESS + 1).then(|| {
            format!(
                "service `{name}` has one range of ports ({vip}) more than the {RANGES_PER_ADDRESS} that an address can have with one protocol; use one range for several, or another address"
            )
        })
    }
}
