//! Source addresses of `full-nat`: whether replies to them can lead here.

use std::{fs, net::IpAddr, ops::RangeInclusive};

use crate::model::{Desired, Forward, Name, PortRange, SourcePrefix};

#[cfg(test)]
mod tests;

/// Ports that Linux gives to the host's own connections, of both families.
const OWN_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Finds source addresses that nobody may answer for, and ports that are used twice.
pub(super) fn check(desired: &Desired, local: &[(u32, IpAddr)], found: &mut Vec<String>) {
    let own_ports = fs::read_to_string(OWN_PORTS).ok().and_then(|text| ports(&text));
    for (name, service) in &desired.services {
        if service.forward != Forward::FullNat {
            continue;
        }
        for prefix in &service.source {
            let mine = local.iter().map(|(_, ip)| *ip).find(|ip| prefix.contains(*ip));
            found.extend(match (mine, &own_ports) {
                (None, _) => Some(elsewhere(name, *prefix)),
                (Some(mine), Some(own)) => shared_ports(name, mine, service.source_ports, own),
                (Some(_), None) => None,
            });
        }
    }
}

fn elsewhere(name: &Name, prefix: SourcePrefix) -> String {
    format!(
        "service {name}: no address of its `source` {prefix} is on this host; make sure that they are routed here, or replies of its backends go elsewhere"
    )
}

/// That connections of the host itself and translated flows may meet, if they may.
fn shared_ports(
    name: &Name,
    mine: IpAddr,
    ports: PortRange,
    own: &RangeInclusive<u16>,
) -> Option<String> {
    let (first, last) = (own.start(), own.end());
    (ports.first() <= *last && *first <= ports.last()).then(|| {
        format!(
            "service {name}: its `source-ports` {ports} overlap the ports {first}-{last} of this host's own connections, and {mine} is its own address: one of its connections to a backend may be taken for a client's; choose others, or set net.ipv4.ip_local_port_range"
        )
    })
}

/// Two ports, with white space in between.
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Some(first..=last),
        _ => None,
    }
}
