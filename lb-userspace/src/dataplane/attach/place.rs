//! What the kind of an interface means for the program: whether it runs there natively, and whether
//! another interface would be the better place.
//!
//! Native mode takes a driver that calls programs. VLANs, bridges, teams and the like have none, as
//! they get their packets from the stack of another interface. A bond has had one since Linux 5.15:
//! it has its ports run the program.

use super::super::netlink::{
    Links,
    links::{Kind, by_index},
};

#[cfg(test)]
mod tests;

/// An interface that the program is to be attached to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Of a VLAN: the interface that is no VLAN below it, if it is in this network namespace.
    pub below: Option<&'a str>,
    /// The interface that it is a port of, and what that is.
    pub above: Option<(&'a str, Kind)>,
}

impl<'a> Place<'a> {
    /// The place by its name, if there is such an interface.
    pub fn of(name: &'a str, links: &'a Links) -> Option<Self> {
        let link = links.get(name)?;
        let above = link.controller.and_then(|index| by_index(links, index));
        let below = lowest(link.kind, links);
        Some(Self { name, kind: link.kind, below, above: above.map(|(name, l)| (name, l.kind)) })
    }

    /// Why the program makes no sense there in any mode, and what to do.
    pub fn unsuited(&self) -> Option<String> {
        let name = self.name;
        match self.kind {
            Kind::Bare => Some(format!(
                "packets of {name} have no Ethernet header, which the program would look for; attach to an Ethernet interface"
            )),
            Kind::Vrf => Some(format!(
                "{name} is a VRF, whose packets arrive on its ports and are seen there only; attach to those"
            )),
            _ => None,
        }
    }

    /// Why it does not run there natively, and what to do, as far as the kind tells.
    pub fn native(&self) -> Option<String> {
        let name = self.name;
        match (self.kind, self.below) {
            (Kind::Vlan(_), Some(below)) => Some(format!(
                "{name} is a VLAN, which has no driver to run it; attach to {below} instead, where the program takes the tags off and puts them on"
            )),
            (Kind::Vlan(_), None) => Some(format!(
                "{name} is a VLAN of an interface in another network namespace, and has no driver to run it; use mode `generic` or `auto`, or run shunt there"
            )),
            (Kind::Bond, _) => Some(format!(
                "the bond {name} runs it natively if Linux is 5.15 or later, the bond's mode is balance-rr, active-backup, balance-xor or 802.3ad (the latter two without `xmit_hash_policy` vlan+srcmac), the drivers of all its ports can, and no port has a program of its own"
            )),
            (Kind::Team, _) => Some(format!(
                "{name} is a team, which has no driver to run it; make it a bond, which has one since Linux 5.15, or use mode `generic` or `auto`"
            )),
            (Kind::Bridge, _) => Some(format!(
                "{name} is a bridge, which has no driver to run it; move its addresses to an interface that is no port of a bridge, or use mode `generic` or `auto`"
            )),
            (Kind::MacVlan | Kind::IpVlan, _) => Some(format!(
                "{name} is {}, which has no driver to run it; attach to the interface below, or use mode `generic` or `auto`",
                noun(self.kind)
            )),
            (Kind::EthernetTunnel, _) => Some(format!(
                "{name} is a tunnel, which has no driver to run it; use mode `generic` or `auto`"
            )),
            (Kind::Ordinary | Kind::Veth | Kind::Tap | Kind::Vrf | Kind::Bare, _) => None,
        }
    }

    /// That it is a part of an interface that would be the better place.
    pub fn port(&self) -> Option<String> {
        let (name, (above, kind)) = (self.name, self.above?);
        match kind {
            Kind::Bond => Some(format!(
                "{name} is a port of the bond {above}: it gets a part of the packets only, and as long as it has a program of its own the bond runs none natively; attach to {above} instead"
            )),
            Kind::Team => Some(format!(
                "{name} is a port of the team {above}: routes lead to {above}, which packets can be redirected to in generic mode only; attach to {above} in that mode instead, or make it a bond"
            )),
            Kind::Bridge => Some(format!(
                "{name} is a port of the bridge {above}: routes lead to {above}, which packets can be redirected to in generic mode only; attach to {above} in that mode instead, or take {name} out of the bridge"
            )),
            _ => None,
        }
    }
}

/// The interface that is no VLAN below a VLAN.
fn lowest(mut kind: Kind, links: &Links) -> Option<&str> {
    let mut found = None;
    // Each step leads to another link, unless links of two moments were mixed.
    for _ in 0..links.len() {
        let Kind::Vlan(vlan) = kind else { break };
        let (name, link) = by_index(links, vlan.below?)?;
        (found, kind) = (Some(name), link.kind);
    }
    found
}

/// Of an interface of a kind that packets cannot be redirected to from native mode: what it is.
pub fn refuses_redirects(kind: Kind) -> Option<&'static str> {
    let refuses = matches!(
        kind,
        Kind::Bridge | Kind::Team | Kind::MacVlan | Kind::IpVlan | Kind::EthernetTunnel | Kind::Vrf
    );
    refuses.then(|| noun(kind))
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Ordinary | Kind::Veth | Kind::Tap => "an Ethernet interface",
        Kind::Vlan(_) => "a VLAN",
        Kind::Bond => "a bond",
        Kind::Team => "a team",
        Kind::Bridge => "a bridge",
        Kind::MacVlan => "a macvlan interface",
        Kind::IpVlan => "an ipvlan interface",
        Kind::EthernetTunnel => "a tunnel",
        Kind::Vrf => "a VRF",
        Kind::Bare => "an interface without Ethernet headers",
    }
}
