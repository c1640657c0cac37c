//! A client behind a router that has less room towards it than any other link: what is larger, the
//! router refuses, and tells its sender.
//!
//! ```text
//! far client ──── far0 client (the router) eth0 ──── balancer
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use tests::{
    link::{self, End},
    netns::Netns,
    sweep,
    topology::{Family, Host},
};

use super::scene::Scene;

/// What the router sends to the client at most.
pub(crate) const MTU: u16 = 1_300;

/// Number of the client in its network.
const CLIENT: u8 = 2;
/// Number of the router there.
const ROUTER: u8 = 1;

/// The namespace of the client.
pub(crate) fn client(scene: &Scene) -> Result<Netns> {
    let router = &scene.network.topology.client;
    let far = Netns::new(&sweep::unique())?;
    link::veth(End(&far, "eth0"), End(router, "far0"))?;
    router.sysctl("ipv4/ip_forward", "1")?;
    router.sysctl("ipv6/conf/all/forwarding", "1")?;
    for family in Family::ALL {
        let (flag, client, gateway) =
            (family.flag(), address(family, CLIENT), address(family, ROUTER));
        let (length, bits) = (length(family), family.bits());
        let nodad = if family == Family::V6 { " nodad" } else { "" };
        far.ip(&format!("addr add {client}/{length} dev eth0{nodad}"))?;
        router.ip(&format!("addr add {gateway}/{length} dev far0{nodad}"))?;
        far.ip(&format!("{flag} route add default via {gateway}"))?;
        router.ip(&format!("{flag} route add {client}/{bits} dev far0 mtu {MTU}"))?;
    }
    lead_back(scene)?;
    Ok(far)
}

/// Tells whoever sends to clients that these are behind the router.
fn lead_back(scene: &Scene) -> Result<()> {
    let topology = &scene.network.topology;
    for family in Family::ALL {
        let (flag, client) = (family.flag(), address(family, CLIENT));
        let route = |netns: &Netns, router| {
            let router = topology.address(router, family);
            netns.ip(&format!("{flag} route add {client} via {router}")).map(drop)
        };
        route(&topology.balancer, Host::Client)?;
        if scene.network.wants.forward != "nat" && scene.network.wants.forward != "full-nat" {
            topology.backends.iter().try_for_each(|netns| route(netns, Host::ClientBack))?;
        }
    }
    Ok(())
}

fn address(family: Family, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, number).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, number.into()).into(),
    }
}

fn length(family: Family) -> u8 {
    match family {
        Family::V4 => 24,
        Family::V6 => 64,
    }
}
