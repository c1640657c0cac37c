//! A network with several balancers behind a router that spreads flows over them.
//!
//! ```text
//!                     ┌── client0 balancer 1 backend0 ──┐
//! client ──── router ─┼── client0 balancer 2 backend0 ──┼─ switch ──── backend 1..n
//!               │     └── ...                           │
//!               └──────────── return way ───────────────┘
//! ```
//!
//! The router has one route to the VIP by all balancers, and hashes ports, too
//! (`fib_multipath_hash_policy`). Backends own the VIP and answer past the balancers, as in `dsr`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use anyhow::Result;

use crate::{
    interrupt,
    link::{self, End},
    netns::Netns,
    sweep,
    topology::{BACKEND_SIDE, CLIENT_SIDE, Family, Host, Net, Numbers, own_vip},
    turn::Turn,
};

/// Interface of clients and backends, and of the router towards the client.
const ETH: &str = "eth0";
/// Interface of the router by which answers come.
const RETURN: &str = "eth1";
const BRIDGE: &str = "br0";

/// A network. Dropping it removes it.
#[derive(Debug)]
pub struct Fleet {
    /// The client.
    pub client: Netns,
    /// What spreads flows over the balancers.
    pub router: Netns,
    /// The balancers.
    pub balancers: Vec<Arc<Netns>>,
    /// The backends, in the order of their addresses.
    pub backends: Vec<Netns>,
    /// What joins balancers, backends and the return way.
    pub switch: Netns,
    _turn: Turn,
}

impl Fleet {
    /// Builds a network for a test, when it is its turn.
    pub fn for_test(balancers: u8, backends: u8) -> Result<Self> {
        let turn = Turn::take();
        interrupt::listen();
        sweep::once();
        let name = sweep::unique();
        let netns = |role: &str| {
            interrupt::check()?;
            Netns::new(&format!("{name}-{role}"))
        };
        let numbered = |role: &str, n: u8| netns(&format!("{role}{n}"));
        let balancer = |n| numbered("balancer", n).map(Arc::new);
        let fleet = Self {
            client: netns("client")?,
            router: netns("router")?,
            balancers: (1..=balancers).map(balancer).collect::<Result<_>>()?,
            backends: (1..=backends).map(|n| numbered("backend", n)).collect::<Result<_>>()?,
            switch: netns("switch")?,
            _turn: turn,
        };
        fleet.wire()?;
        fleet.number()?;
        Ok(fleet)
    }

    /// Address of a host.
    pub fn address(&self, host: Host, family: Family) -> IpAddr {
        Numbers::default().address(host, family)
    }

    /// Takes a balancer, counted from 1, out of the router's route, and its link down.
    pub fn fail(&self, balancer: u8) -> Result<()> {
        self.spread_over(&self.others(balancer))?;
        self.balancer(balancer).ip(&format!("link set {CLIENT_SIDE} down"))?;
        Ok(())
    }

    /// Brings a balancer back into the router's route.
    pub fn heal(&self, balancer: u8) -> Result<()> {
        let netns = self.balancer(balancer);
        netns.ip(&format!("link set {CLIENT_SIDE} up"))?;
        // IPv6 addresses go with the link.
        for family in Family::ALL {
            let address = transit(balancer, 2, family);
            let length = transit_prefix(family);
            netns.ip(&format!("addr replace {address}/{length} dev {CLIENT_SIDE}"))?;
        }
        self.spread_over(&self.all())
    }

    fn all(&self) -> Vec<u8> {
        (1..).zip(&self.balancers).map(|(n, _)| n).collect()
    }

    fn others(&self, balancer: u8) -> Vec<u8> {
        self.all().into_iter().filter(|n| *n != balancer).collect()
    }

    fn balancer(&self, n: u8) -> &Netns {
        &self.balancers[usize::from(n) - 1]
    }

    /// Makes the router spread what is for the VIP over some balancers.
    fn spread_over(&self, balancers: &[u8]) -> Result<()> {
        for family in Family::ALL {
            let vip = self.address(Host::Vip, family);
            let hop = |n: &u8| format!(" nexthop via {}", transit(*n, 2, family));
            let hops: String = balancers.iter().map(hop).collect();
            self.router.ip(&format!("{} route replace {vip}{hops}", family.flag()))?;
        }
        Ok(())
    }

    fn wire(&self) -> Result<()> {
        link::bridge(&self.switch, BRIDGE)?;
        link::veth(End(&self.client, ETH), End(&self.router, ETH))?;
        self.plug(&self.router, RETURN, "return")?;
        for (n, balancer) in (1..).zip(&self.balancers) {
            link::veth(End(&self.router, &port(n)), End(balancer, CLIENT_SIDE))?;
            self.plug(balancer, BACKEND_SIDE, &port(n))?;
        }
        for (n, backend) in (1_u8..).zip(&self.backends) {
            interrupt::check()?;
            self.plug(backend, ETH, &format!("backend{n}"))?;
        }
        Ok(())
    }

    fn plug(&self, netns: &Netns, interface: &str, port: &str) -> Result<()> {
        link::veth(End(netns, interface), End(&self.switch, port))?;
        self.switch.ip(&format!("link set {port} master {BRIDGE}"))?;
        Ok(())
    }

    fn number(&self) -> Result<()> {
        for netns in self.balancers.iter().map(Arc::as_ref).chain([&self.router]) {
            netns.sysctl("ipv4/ip_forward", "1")?;
            netns.sysctl("ipv6/conf/all/forwarding", "1")?;
        }
        self.router.sysctl("ipv4/fib_multipath_hash_policy", "1")?;
        self.router.sysctl("ipv6/fib_multipath_hash_policy", "1")?;
        let numbers = Numbers::default();
        for family in Family::ALL {
            let assign = |netns: &Netns, interface: &str, address: IpAddr, length: u8| {
                let nodad = family.nodad();
                netns.ip(&format!("addr add {address}/{length} dev {interface}{nodad}"))
            };
            let length = family.prefix();
            let of = |host| numbers.address(host, family);
            let vip = of(Host::Vip);
            let (flag, router) = (family.flag(), of(Host::BalancerFront));
            assign(&self.client, ETH, of(Host::Client), length)?;
            assign(&self.router, ETH, router, length)?;
            assign(&self.router, RETURN, of(Host::ClientBack), length)?;
            self.client.ip(&format!("{flag} route add {vip} via {router}"))?;
            for (n, balancer) in (1..).zip(&self.balancers) {
                let short = transit_prefix(family);
                assign(&self.router, &port(n), transit(n, 1, family), short)?;
                assign(balancer, CLIENT_SIDE, transit(n, 2, family), short)?;
                assign(balancer, BACKEND_SIDE, of(Host::Balancer(n)), length)?;
            }
            for (n, backend) in (1..).zip(&self.backends) {
                assign(backend, ETH, of(Host::Backend(n)), length)?;
                let clients = numbers.network(Net::Front, family);
                let way = format!("via {}", of(Host::ClientBack));
                own_vip(backend, vip, &clients, &way)?;
            }
        }
        self.spread_over(&self.all())
    }
}

/// Interface of the router and port of the switch towards a balancer.
fn port(balancer: u8) -> String {
    format!("balancer{balancer}")
}

/// Address in the network between the router (1) and a balancer (2).
fn transit(balancer: u8, host: u8, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, 16 * balancer + host).into(),
        Family::V6 => {
            let net = 0x100 + u16::from(balancer);
            Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host.into()).into()
        }
    }
}

fn transit_prefix(family: Family) -> u8 {
    match family {
        Family::V4 => 28,
        Family::V6 => 64,
    }
}
