//! VLAN interfaces: which interface their frames leave by, and with which tags.
//!
//! A packet cannot be redirected to a VLAN interface, which has no queues of its own. The program puts the
//! tags on itself and sends the frame out of the interface below. It writes one tag of type 802.1Q, or
//! such a tag in one of type 802.1ad: see `Tags::of_word` in lb-common.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{abi::Vlan, limits::MAX_VLANS};

use super::links::{Kind, Link, Links, Tagging, by_index};

#[cfg(test)]
mod tests;

/// How frames leave by an interface: out of itself without a tag, unless it is a VLAN. Otherwise why
/// they cannot, and what to do.
pub fn exit(name: &str, link: &Link, links: &Links) -> Result<Vlan, String> {
    let Kind::Vlan(inner) = link.kind else {
        return Ok(Vlan { ifindex: link.index, tags: 0 });
    };
    let (below_name, below) = below(name, inner, links)?;
    let Kind::Vlan(outer) = below.kind else {
        if inner.provider {
            return Err(wrong_type(name, inner, "802.1ad", "802.1Q"));
        }
        return Ok(Vlan { ifindex: below.index, tags: inner.id.into() });
    };
    let (_, lowest) = self::below(below_name, outer, links)?;
    if matches!(lowest.kind, Kind::Vlan(_)) {
        return Err(format!(
            "{name} is a VLAN in a VLAN in a VLAN, and the program puts on two tags at most; use an interface with fewer"
        ));
    }
    if inner.provider {
        return Err(wrong_type(name, inner, "802.1ad", "802.1Q"));
    }
    if !outer.provider {
        let outer = wrong_type(below_name, outer, "802.1Q", "802.1ad");
        return Err(format!("{name} has a tag in another one, and {outer}"));
    }
    Ok(Vlan { ifindex: lowest.index, tags: u32::from(outer.id) << 16 | u32::from(inner.id) })
}

fn below<'a>(name: &str, vlan: Tagging, links: &'a Links) -> Result<(&'a str, &'a Link), String> {
    let below = vlan.below.and_then(|index| by_index(links, index));
    below.ok_or_else(|| {
        format!(
            "{name} is a VLAN of an interface in another network namespace, which packets cannot be sent out of from here; run shunt there, or move that interface here, too"
        )
    })
}

fn wrong_type(name: &str, vlan: Tagging, has: &str, wanted: &str) -> String {
    let id = vlan.id;
    format!(
        "the tag of {name} is of type {has}, where the program writes one of {wanted} (in two tags, 802.1ad is the outer type and 802.1Q the inner one; a single tag is 802.1Q); if the switch agrees, make {name} anew with `type vlan protocol {wanted} id {id}`"
    )
}

/// Every VLAN interface that packets can leave by, as far as the tables have room.
pub fn vlans(links: &Links) -> BTreeMap<u32, Vlan> {
    let vlans = links.iter().filter(|(_, link)| matches!(link.kind, Kind::Vlan(_)));
    let exits = vlans.filter_map(|(name, link)| Some((link.index, exit(name, link, links).ok()?)));
    exits.take(MAX_VLANS as usize).collect()
}

/// Every interface that packets can be redirected to: VLANs have others do it.
pub fn redirectable(links: &Links) -> BTreeSet<u32> {
    let can = |link: &&Link| !link.loopback && !matches!(link.kind, Kind::Vlan(_));
    links.values().filter(can).map(|link| link.index).collect()
}
