//! Where packets to an address go: outgoing interface, next hop, and its MAC address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    pin::pin,
};

use futures_util::TryStreamExt;
use lb_common::abi::Vlan;
use rtnetlink::{
    RouteMessageBuilder,
    packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia},
};

use super::{
    Link, Links, Netlink, NetlinkError, host_prefix,
    links::{Kind, by_index},
    neighbours::Neighbours,
    vlan,
};
use crate::reconcile::compile::Target;

#[cfg(test)]
mod tests;

/// Where packets to a backend go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NextHop {
    /// Name of the outgoing interface.
    pub interface: String,
    /// What the tables say of it.
    pub target: Target,
}

/// The next hop of each address, or why there is none.
pub type NextHops = BTreeMap<IpAddr, Result<NextHop, String>>;

/// What the routing table says about an address.
struct Hop {
    ifindex: u32,
    gateway: IpAddr,
    /// The host's own address that packets there come from.
    source: IpAddr,
}

impl Netlink {
    /// Looks up the next hops of some addresses. Where a MAC address is unknown or may be out of
    /// date, the kernel is asked to find out; the answer comes as a change.
    pub async fn next_hops(
        &self,
        addresses: BTreeSet<IpAddr>,
        links: &Links,
    ) -> Result<NextHops, NetlinkError> {
        let neighbours = self.neighbours().await?;
        let mut found = NextHops::new();
        for address in addresses {
            let next_hop = match self.route(address).await {
                Ok(hop) => self.resolve(&hop, links, &neighbours).await?,
                Err(reason) => Err(reason),
            };
            found.insert(address, next_hop);
        }
        Ok(found)
    }

    async fn route(&self, address: IpAddr) -> Result<Hop, String> {
        let query: RouteMessage = match address {
            IpAddr::V4(v4) => RouteMessageBuilder::<Ipv4Addr>::new()
                .destination_prefix(v4, host_prefix(address))
                .build(),
            IpAddr::V6(v6) => RouteMessageBuilder::<Ipv6Addr>::new()
                .destination_prefix(v6, host_prefix(address))
                .build(),
        };
        let mut replies = pin!(self.handle.route().get(query).execute());
        match replies.try_next().await {
            Ok(Some(route)) => hop(address, &route),
            _ => Err(format!(
                "no route to {address}; add one, or correct the address of the backend"
            )),
        }
    }

    async fn resolve(
        &self,
        hop: &Hop,
        links: &Links,
        neighbours: &Neighbours,
    ) -> Result<Result<NextHop, String>, NetlinkError> {
        let way = match way(hop, links) {
            Ok(way) => way,
            Err(reason) => return Ok(Err(reason)),
        };
        let neighbour = neighbours.get(&(hop.ifindex, hop.gateway));
        if neighbour.is_none_or(|neighbour| neighbour.wants_probe) {
            self.probe(hop.ifindex, hop.gateway).await?;
        }
        let mac = neighbour.and_then(|neighbour| neighbour.mac);
        Ok(mac.map(|mac| next_hop(hop, &way, mac)).ok_or_else(|| {
            format!(
                "no answer from {} on {} yet; check that it is up and on that segment",
                hop.gateway, way.interface
            )
        }))
    }
}

/// The interface that a route leads out of, and how frames leave by it.
struct Way<'a> {
    interface: &'a str,
    link: &'a Link,
    exit: Vlan,
}

fn way<'a>(hop: &Hop, links: &'a Links) -> Result<Way<'a>, String> {
    let (interface, link) = by_index(links, hop.ifindex)
        .ok_or_else(|| format!("interface {} has gone", hop.ifindex))?;
    if link.kind == Kind::Bare {
        return Err(format!(
            "the route leads out of {interface}, whose packets have no Ethernet header, and the program sends none without; route to {} by an Ethernet interface (`ipip` and `gue` make tunnels of their own)",
            hop.gateway
        ));
    }
    Ok(Way { interface, link, exit: vlan::exit(interface, link, links)? })
}

/// The user is told of the interface that the route names; the tables, of the one that frames leave by.
fn next_hop(hop: &Hop, way: &Way<'_>, mac: [u8; 6]) -> NextHop {
    let target = Target {
        ifindex: way.exit.ifindex,
        tags: way.exit.tags,
        mac,
        source_mac: way.link.mac,
        mtu: way.link.mtu,
        source: hop.source,
    };
    NextHop { interface: way.interface.to_owned(), target }
}

fn hop(address: IpAddr, route: &RouteMessage) -> Result<Hop, String> {
    if route.header.kind == RouteType::Local {
        return Err(format!(
            "{address} is an address of this host; the program cannot send packets to its own host"
        ));
    }
    if route.header.kind != RouteType::Unicast {
        return Err(format!("the route to {address} leads nowhere; correct the routing table"));
    }
    let unspecified = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let mut found = Hop { ifindex: 0, gateway: address, source: unspecified };
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(ifindex) => found.ifindex = *ifindex,
            RouteAttribute::PrefSource(RouteAddress::Inet(source)) => {
                found.source = (*source).into();
            }
            RouteAttribute::PrefSource(RouteAddress::Inet6(source)) => {
                found.source = (*source).into();
            }
            RouteAttribute::Gateway(RouteAddress::Inet(gateway))
            | RouteAttribute::Via(RouteVia::Inet(gateway)) => found.gateway = (*gateway).into(),
            RouteAttribute::Gateway(RouteAddress::Inet6(gateway))
            | RouteAttribute::Via(RouteVia::Inet6(gateway)) => found.gateway = (*gateway).into(),
            _ => {}
        }
    }
    Ok(found)
}
