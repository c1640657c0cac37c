//! The networks: a client, the balancer, a switch and the backends.
//!
//! ```text
//! two arms    client ──── client0 balancer backend0 ──── switch ──┬─ backend 1..n
//!               └────────── return way, if direct ────────┘
//!
//! one arm     client ─── switch ─┬─ edge0 balancer
//!                                └─ backend 1..n
//! ```
//!
//! Clients live in the front network and backends in the back network, in both families. By default
//! everything between them is routed by the balancer, as `nat` needs it. With direct return, the
//! backends own the VIP and reach clients past the balancer, as `dsr` and tunnels need it. Without
//! any way back, backends know their own network alone, which is enough for `full-nat`.

mod numbers;

use std::{net::IpAddr, sync::Arc};

use anyhow::Result;

pub use self::numbers::{Family, Host, Net, Numbers};
use crate::{
    interrupt,
    link::{self, End},
    netns::Netns,
    sweep,
    turn::Turn,
};

/// Interface of the balancer towards the client.
pub const CLIENT_SIDE: &str = "client0";
/// Interface of the balancer towards the backends.
pub const BACKEND_SIDE: &str = "backend0";
/// The only interface of a balancer with one arm.
pub const EDGE: &str = "edge0";
/// Interface of the switch towards the balancer.
pub const BALANCER_PORT: &str = "balancer";
/// Interface of clients and backends.
const ETH: &str = "eth0";
/// Interface of the client at which replies of `dsr` arrive.
const RETURN: &str = "eth1";
/// The bridge inside the switch.
const BRIDGE: &str = "br0";

/// Interfaces of the balancer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arms {
    /// One: packets leave by the interface they came in by.
    One,
    /// Two: client side and backend side.
    Two,
}

impl Arms {
    /// Names of the interfaces.
    pub fn interfaces(self) -> &'static [&'static str] {
        match self {
            Self::One => &[EDGE],
            Self::Two => &[CLIENT_SIDE, BACKEND_SIDE],
        }
    }

    /// The one that clients reach.
    pub fn front(self) -> &'static str {
        self.interfaces()[0]
    }
}

/// How backends reach clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WayBack {
    /// The balancer is their gateway.
    Balancer,
    /// They own the VIP, and answer past the balancer.
    Direct,
    /// Not at all: they reach nothing but their own network.
    None,
}

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Interfaces of the balancer.
    pub arms: Arms,
    /// How backends reach clients.
    pub way_back: WayBack,
    /// Number of backends.
    pub backends: u8,
    /// Numbers of the networks.
    pub numbers: Numbers,
}

/// A network. Dropping it removes it.
#[derive(Debug)]
pub struct Topology {
    /// The client.
    pub client: Netns,
    /// The balancer.
    pub balancer: Arc<Netns>,
    /// The switch.
    pub switch: Netns,
    /// The backends, in the order of their addresses.
    pub backends: Vec<Netns>,
    /// What it was built from.
    pub shape: Shape,
    _turn: Turn,
}

impl Topology {
    /// Builds a network for a test, under a unique name, when it is its turn.
    pub fn for_test(shape: Shape) -> Result<Self> {
        let turn = Turn::take();
        interrupt::listen();
        sweep::once();
        Self::build(&sweep::unique(), shape, turn)
    }

    /// Builds the only network of this process, its namespaces named `NAME-ROLE`.
    pub fn named(name: &str, shape: Shape) -> Result<Self> {
        Self::build(name, shape, Turn::take())
    }

    fn build(name: &str, shape: Shape, turn: Turn) -> Result<Self> {
        let netns = |role: &str| {
            interrupt::check()?;
            Netns::new(&format!("{name}-{role}"))
        };
        let backends = (1..=shape.backends).map(|n| netns(&format!("backend{n}")));
        let topology = Self {
            client: netns("client")?,
            balancer: Arc::new(netns("balancer")?),
            switch: netns("switch")?,
            backends: backends.collect::<Result<_>>()?,
            shape,
            _turn: turn,
        };
        topology.wire()?;
        topology.number_balancer()?;
        topology.number_client()?;
        for n in 1..=shape.backends {
            topology.number_backend(n)?;
        }
        Ok(topology)
    }

    /// The namespace of a backend, counted from 1.
    pub fn backend(&self, n: u8) -> &Netns {
        &self.backends[usize::from(n) - 1]
    }

    /// Address of a host.
    pub fn address(&self, host: Host, family: Family) -> IpAddr {
        self.shape.numbers.address(host, family)
    }

    fn wire(&self) -> Result<()> {
        link::bridge(&self.switch, BRIDGE)?;
        match self.shape.arms {
            Arms::One => {
                self.plug(&self.client, ETH, "client")?;
                self.plug(&self.balancer, EDGE, BALANCER_PORT)?;
            }
            Arms::Two => {
                link::veth(End(&self.client, ETH), End(&self.balancer, CLIENT_SIDE))?;
                self.plug(&self.balancer, BACKEND_SIDE, BALANCER_PORT)?;
                if self.shape.way_back == WayBack::Direct {
                    self.plug(&self.client, RETURN, "return")?;
                }
            }
        }
        let backends = self.backends.iter().zip(1..);
        backends.into_iter().try_for_each(|(netns, n): (_, u8)| {
            interrupt::check()?;
            self.plug(netns, ETH, &format!("backend{n}"))
        })
    }

    /// Joins a namespace to the switch.
    fn plug(&self, netns: &Netns, interface: &str, port: &str) -> Result<()> {
        link::veth(End(netns, interface), End(&self.switch, port))?;
        self.switch.ip(&format!("link set {port} master {BRIDGE}"))?;
        Ok(())
    }

    fn number_balancer(&self) -> Result<()> {
        let netns = &self.balancer;
        for (key, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv4/conf/all/accept_local", "1"),
            // With one arm, clients and backends are meant to stay apart.
            ("ipv4/conf/all/send_redirects", "0"),
            ("ipv4/conf/default/send_redirects", "0"),
        ] {
            netns.sysctl(key, value)?;
        }
        for interface in self.shape.arms.interfaces() {
            netns.sysctl(&format!("ipv4/conf/{interface}/send_redirects"), "0")?;
        }
        let interfaces = self.shape.arms.interfaces();
        self.assign(netns, interfaces[0], Host::BalancerFront)?;
        self.assign(netns, interfaces[interfaces.len() - 1], Host::BalancerBack)
    }

    fn number_client(&self) -> Result<()> {
        self.assign(&self.client, ETH, Host::Client)?;
        if self.shape.way_back == WayBack::Direct && self.shape.arms == Arms::Two {
            self.assign(&self.client, RETURN, Host::ClientBack)?;
        }
        self.route(&self.client, "default", Host::BalancerFront)
    }

    fn number_backend(&self, n: u8) -> Result<()> {
        let netns = self.backend(n);
        self.assign(netns, ETH, Host::Backend(n))?;
        match self.shape.way_back {
            WayBack::Balancer => self.route(netns, "default", Host::BalancerBack),
            WayBack::Direct => self.own_vip(netns),
            WayBack::None => Ok(()),
        }
    }

    fn own_vip(&self, netns: &Netns) -> Result<()> {
        let numbers = self.shape.numbers;
        for family in Family::ALL {
            let way = match self.shape.arms {
                Arms::One => format!("dev {ETH}"),
                Arms::Two => format!("via {}", numbers.address(Host::ClientBack, family)),
            };
            let clients = numbers.network(Net::Front, family);
            own_vip(netns, numbers.address(Host::Vip, family), &clients, &way)?;
        }
        Ok(())
    }

    fn assign(&self, netns: &Netns, interface: &str, host: Host) -> Result<()> {
        for family in Family::ALL {
            let address = self.address(host, family);
            let (length, nodad) = (family.prefix(), family.nodad());
            netns.ip(&format!("addr add {address}/{length} dev {interface}{nodad}"))?;
        }
        Ok(())
    }

    fn route(&self, netns: &Netns, target: &str, via: Host) -> Result<()> {
        for family in Family::ALL {
            let via = self.address(via, family);
            let flag = family.flag();
            netns.ip(&format!("{flag} route add {target} via {via}"))?;
        }
        Ok(())
    }
}

/// Gives a backend the VIP on its loopback, and a way to the clients past the balancer.
pub(crate) fn own_vip(netns: &Netns, vip: IpAddr, clients: &str, way: &str) -> Result<()> {
    // Neither asked for nor announced: the VIP is the balancer's in the eyes of the others.
    netns.sysctl("ipv4/conf/all/arp_ignore", "1")?;
    netns.sysctl("ipv4/conf/all/arp_announce", "2")?;
    let family = if vip.is_ipv4() { Family::V4 } else { Family::V6 };
    let (length, nodad) = (family.bits(), family.nodad());
    netns.ip(&format!("addr add {vip}/{length} dev lo{nodad}"))?;
    netns.ip(&format!("route add {clients} {way}"))?;
    Ok(())
}
