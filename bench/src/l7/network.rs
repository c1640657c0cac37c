//! The networks: client, balancer and backends as namespaces in a row.
//!
//! ```text
//!    client eth0 ─── client0 balancer backend0 ─── eth0 backends
//! ```
//!
//! There are two alike: one with the service of layer 4, where XDP programs stand at the balancer's
//! interfaces, and one without, where the proxies are. XDP over veth has costs of its own (frames are
//! copied), which the proxies must not be charged with.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Result;
use tests::{
    link::{End, veth},
    netns::Netns,
    sweep,
};

use super::case::BACKEND_PORT;

/// Interface of the balancer towards clients.
pub(crate) const CLIENT_SIDE: &str = "client0";
/// Interface of the balancer towards backends.
pub(crate) const BACKEND_SIDE: &str = "backend0";

/// The balancer's address for clients, at which proxies listen.
pub(crate) const BALANCER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// The address of the service of layer 4.
pub(crate) const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
/// Addresses of the backends.
pub(crate) const BACKENDS: [SocketAddr; 2] = [backend(4), backend(5)];

const fn backend(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, number)), BACKEND_PORT)
}

/// Three namespaces in a row.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) client: Netns,
    pub(crate) balancer: Arc<Netns>,
    pub(crate) backends: Netns,
}

impl Network {
    /// Makes them.
    pub(crate) fn build() -> Result<Self> {
        let name = sweep::unique();
        let namespace = |role: &str| Netns::new(&format!("{name}-{role}"));
        let network = Self {
            client: namespace("client")?,
            balancer: Arc::new(namespace("balancer")?),
            backends: namespace("backends")?,
        };
        let Self { client, balancer, backends } = &network;
        veth(End(client, "eth0"), End(balancer, CLIENT_SIDE))?;
        veth(End(balancer, BACKEND_SIDE), End(backends, "eth0"))?;
        client.ip("addr add 198.51.100.2/24 dev eth0")?;
        client.ip(&format!("route add default via {BALANCER}"))?;
        balancer.ip(&format!("addr add {BALANCER}/24 dev {CLIENT_SIDE}"))?;
        balancer.ip(&format!("addr add 203.0.113.1/24 dev {BACKEND_SIDE}"))?;
        for key in ["ipv4/ip_forward", "ipv4/conf/all/accept_local"] {
            balancer.sysctl(key, "1")?;
        }
        for server in BACKENDS {
            backends.ip(&format!("addr add {}/24 dev eth0", server.ip()))?;
        }
        backends.ip("route add default via 203.0.113.1")?;
        for netns in [client, &**balancer, backends] {
            // A connection for each request, thousands a second.
            netns.sysctl("ipv4/ip_local_port_range", "1024 65535")?;
            netns.sysctl("core/somaxconn", "8192")?;
        }
        Ok(network)
    }
}
