//! Interfaces: where the program runs, and where packets leave.

use lb_common::limits::MAX_VLANS;

use crate::{
    dataplane::{
        attach::{Place, refuses_redirects},
        netlink::{
            Links, NextHops,
            links::{Kind, by_index},
            vlan,
        },
    },
    model::{AttachMode, Desired, Forward, Interface},
};

#[cfg(test)]
mod tests;

/// Finds interfaces that the program is not attached to, or would better not be.
pub(super) fn check(desired: &Desired, links: &Links, found: &mut Vec<String>) {
    for interface in &desired.interfaces {
        let name = &interface.name;
        let (Some(place), Some(link)) = (Place::of(name, links), links.get(name)) else {
            found.push(format!(
                "interface {name} has gone; packets are taken up again when it comes back"
            ));
            continue;
        };
        found.extend(place.port());
        if let Some(unsuited) = place.unsuited() {
            found.push(unsuited);
            continue;
        }
        found.extend(attached(interface, link.attached, &place));
    }
}

/// What there is to say of how the program is attached.
fn attached(
    interface: &Interface,
    attached: Option<AttachMode>,
    place: &Place<'_>,
) -> Option<String> {
    let name = &interface.name;
    match attached {
        None => Some(format!("the program is not attached to {name}; the log says why")),
        Some(AttachMode::Generic) if interface.mode == AttachMode::Auto => {
            let driver = || {
                "its driver, MTU or settings rule out native mode (the log says which)".to_owned()
            };
            let why = place.native().unwrap_or_else(driver);
            Some(format!("{name} runs the program in generic mode, which is slower: {why}"))
        }
        Some(_) => None,
    }
}

/// Finds backends behind interfaces that packets to them may not get out of.
pub(super) fn check_next_hops(
    desired: &Desired,
    links: &Links,
    next_hops: &NextHops,
    found: &mut Vec<String>,
) {
    let configured = |name: &str| desired.interfaces.iter().any(|i| i.name == name);
    for (address, next_hop) in next_hops {
        let Ok(next_hop) = next_hop else { continue };
        let interface = &next_hop.interface;
        // Of a VLAN interface, the one that frames leave by, and arrive on.
        let below = by_index(links, next_hop.target.ifindex);
        let device = below.map_or(interface.as_str(), |(name, _)| name);
        if !configured(interface) && !configured(device) {
            found.push(format!(
                "backend {address} is reached through {interface}, which is no [[interface]]: its replies are not seen there, and many drivers send redirected packets only with a program attached; add an [[interface]] for {device}"
            ));
        }
        let what = below.and_then(|(_, link)| refuses_redirects(link.kind));
        let native = natively(desired, links);
        if let Some(what) = what
            && !native.is_empty()
        {
            found.push(format!(
                "backend {address} is reached through {device}, {what}, which drops packets redirected to it in native mode: set mode = \"generic\" for {}, or route to it by an interface of another kind",
                native.join(" and ")
            ));
        }
    }
}

/// Interfaces that run the program natively.
fn natively<'a>(desired: &'a Desired, links: &Links) -> Vec<&'a str> {
    let names = desired.interfaces.iter().map(|interface| interface.name.as_str());
    let native = |name: &&str| {
        links.get(*name).is_some_and(|link| link.attached == Some(AttachMode::Native))
    };
    names.filter(native).collect()
}

/// Finds VLAN interfaces that replies cannot leave by, if there are services that have them do so.
pub(super) fn check_replies(desired: &Desired, links: &Links, found: &mut Vec<String>) {
    let returns = |forward| matches!(forward, Forward::Nat | Forward::FullNat);
    if !desired.services.values().any(|service| returns(service.forward)) {
        return;
    }
    for (name, link) in links {
        if let Err(reason) = vlan::exit(name, link, links) {
            found.push(format!("replies to clients behind {name} are dropped: {reason}"));
        }
    }
    let vlans = links.values().filter(|link| matches!(link.kind, Kind::Vlan(_))).count();
    if vlans > MAX_VLANS as usize {
        found.push(format!(
            "this host has {vlans} VLAN interfaces, of which replies to clients can leave by the first {MAX_VLANS} in the order of their names; remove some"
        ));
    }
}

/// Interfaces that packets of one arrive on: those of a bond, on its ports.
pub(super) fn runs_on<'a>(name: &'a str, links: &'a Links) -> Vec<&'a str> {
    let bond = links.get(name).filter(|link| link.kind == Kind::Bond);
    let ports = links
        .iter()
        .filter(|(_, link)| bond.is_some_and(|bond| link.controller == Some(bond.index)));
    [name].into_iter().chain(ports.map(|(port, _)| port.as_str())).collect()
}
