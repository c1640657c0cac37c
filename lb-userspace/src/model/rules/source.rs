//! Source addresses that the balancer gives to packets.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use super::Problem;
use crate::model::{Desired, Forward, Name, Service, SourcePrefix};

/// Finds source prefixes that are missing, of no use, or not the balancer's alone.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    for (name, service) in &desired.services {
        if let Some((key, message)) = by_mode(name, service) {
            found.push(Problem::of_service(name, key, message));
        }
    }
    let sources = || {
        let of_service = |(name, service): (_, &'_ Service)| {
            service.source.clone().into_iter().map(move |it| (name, it))
        };
        desired.services.iter().flat_map(of_service)
    };
    if sources().next().is_none() {
        return;
    }
    let taken = Taken::of(desired);
    let message = |(name, prefix)| Some((name, taken.by_others(name, prefix)?));
    let messages = sources().filter_map(message);
    found.extend(messages.map(|(name, message)| Problem::of_service(name, "source", message)));
}

/// What is wrong with the source prefixes of a service in its mode, and the key that is about.
fn by_mode(name: &Name, service: &Service) -> Option<(&'static str, String)> {
    match service.forward {
        Forward::FullNat => full_nat(name, service),
        Forward::Ipip | Forward::Gue => None,
        Forward::Nat | Forward::Dsr => service.source.first().map(|_| {
            let mode = service.forward.name();
            let message = format!(
                "`source` of service `{name}` has no meaning with `{mode}`, which keeps the client's address; remove it, or use `full-nat`"
            );
            ("source", message)
        }),
    }
}

fn full_nat(name: &Name, service: &Service) -> Option<(&'static str, String)> {
    let vip = service.listen.address;
    let (family, example) =
        if vip.is_ipv4() { ("IPv4", "198.51.100.64/28") } else { ("IPv6", "2001:db8:1::/112") };
    let (fitting, others): (Vec<SourcePrefix>, Vec<_>) =
        service.source.iter().copied().partition(|prefix| prefix.is_ipv4() == vip.is_ipv4());
    if fitting.is_empty() {
        let message = format!(
            "service `{name}` ({vip}) has no {family} `source`, and `full-nat` needs one: addresses that stand in for the clients' and lead back here; add one, such as `source = \"{example}\"`"
        );
        return Some(("forward", message));
    }
    let other = others.first()?;
    let message = format!(
        "the source prefix {other} of service `{name}` ({vip}) would never be used: `full-nat` cannot translate between families; remove it"
    );
    Some(("source", message))
}

/// Addresses that are somebody's: a packet from one of them would not lead back here, or not be
/// believed by the backend.
struct Taken<'d> {
    vips: BTreeMap<IpAddr, &'d Name>,
    backends: BTreeSet<IpAddr>,
}

impl<'d> Taken<'d> {
    fn of(desired: &'d Desired) -> Self {
        let services = desired.services.iter();
        let backends = desired.pools.values().flat_map(|pool| pool.backends.keys());
        Self {
            vips: services.map(|(name, it)| (it.listen.address.ip(), name)).collect(),
            backends: backends.map(SocketAddr::ip).collect(),
        }
    }

    /// Whose address a prefix of a service contains, if it does.
    fn by_others(&self, name: &Name, prefix: SourcePrefix) -> Option<String> {
        let all = prefix.address()..=prefix.last();
        let whose = match self.vips.range(all.clone()).next() {
            Some((vip, owner)) => format!("the VIP {vip} of service `{owner}`"),
            None => format!("backend {}", self.backends.range(all).next()?),
        };
        Some(format!(
            "the source prefix {prefix} of service `{name}` contains the address of {whose}; give addresses that are nobody else's"
        ))
    }
}
