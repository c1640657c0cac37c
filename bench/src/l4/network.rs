//! The network: four namespaces in a row of veth pairs.
//!
//! ```text
//!            ┌── shunt ─── front   balancer   (comes back the same way)
//!            ├── route ─── front   kernel     back ──┐
//!    far ────┤     └─────────────────────────────────┘
//!            └── rule ──── front   nftables   back ──┐
//!                  └─────────────────────────────────┘
//! ```
//!
//! Packets are made and counted in `far`. Both ends of every pair have a native XDP program. Neighbours
//! are entered by hand, for nobody answers for them.

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketType, netdevice::name_to_index, socket};
use tests::{
    link::{End, veth},
    netns::Netns,
    sweep,
};

use super::{case::Family, packet::PORT};

/// Where packets come in, in every namespace but `far`.
pub(crate) const FRONT: &str = "front";
/// Where they go on, if not back.
pub(crate) const BACK: &str = "back";
/// Ends in `far`, towards the three others.
pub(crate) const TO_SHUNT: &str = "shunt";
pub(crate) const TO_KERNEL: &str = "route";
pub(crate) const TO_NFTABLES: &str = "rule";
/// Ends in `far` that packets come back by: all of them.
pub(crate) const ARRIVALS: [&str; 3] = [TO_SHUNT, "routed", "ruled"];

/// MAC address of every `front`, so that one recipe fits all.
pub(crate) const FRONT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0x01, 0x01];

/// The namespaces.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) far: Netns,
    pub(crate) balancer: Netns,
    pub(crate) kernel: Netns,
    pub(crate) nftables: Netns,
    name: String,
}

impl Network {
    /// Makes them.
    pub(crate) fn build() -> Result<Self> {
        let name = sweep::unique();
        let namespace = |role: &str| Netns::new(&format!("{name}-{role}"));
        let network = Self {
            far: namespace("far")?,
            balancer: namespace("balancer")?,
            kernel: namespace("kernel")?,
            nftables: namespace("nftables")?,
            name,
        };
        for quiet in [&network.far, &network.balancer] {
            // Its own packets would be counted.
            quiet.sysctl("ipv6/conf/all/disable_ipv6", "1")?;
            quiet.sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        }
        network.join(&network.balancer, TO_SHUNT)?;
        for (router, there, back) in [
            (&network.kernel, TO_KERNEL, ARRIVALS[1]),
            (&network.nftables, TO_NFTABLES, ARRIVALS[2]),
        ] {
            network.join(router, there)?;
            veth(End(router, BACK), End(&network.far, back))?;
            routes(router)?;
        }
        Ok(network)
    }

    /// A name that nobody else uses.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn join(&self, netns: &Netns, end: &str) -> Result<()> {
        veth(End(netns, FRONT), End(&self.far, end))?;
        let mac = FRONT_MAC.map(|byte| format!("{byte:02x}")).join(":");
        netns.ip(&format!("link set {FRONT} address {mac}"))?;
        Ok(())
    }
}

/// Number of an interface in the namespace that the thread is in.
pub(crate) fn ifindex(interface: &str) -> Result<u32> {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    name_to_index(&socket, interface).with_context(|| format!("no interface {interface}"))
}

/// The backend that the kernel translates to.
const BACKEND_V4: &str = "203.0.113.1";
const BACKEND_V6: &str = "2001:db8:2::1";

/// Routes to services and to one backend, by a neighbour that does not answer.
fn routes(netns: &Netns) -> Result<()> {
    for command in [
        "addr add 203.0.113.254/24 dev back",
        "addr add 2001:db8:2::ff/64 dev back nodad",
        "neigh add 203.0.113.1 lladdr 02:00:00:00:02:01 nud permanent dev back",
        "neigh add 2001:db8:2::1 lladdr 02:00:00:00:02:01 nud permanent dev back",
        "route add 192.0.2.0/24 via 203.0.113.1",
        "route add 2001:db8:10::/64 via 2001:db8:2::1",
        // Whoever asks where the clients are learns it.
        "route add 198.18.0.0/15 dev front",
        "route add 2001:db8:100::/64 dev front",
    ] {
        netns.ip(command)?;
    }
    for (key, value) in [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")] {
        netns.sysctl(key, value)?;
    }
    Ok(())
}

impl Network {
    /// Has the kernel translate packets for all services to one backend, as a load balancer with one
    /// backend would be written with nftables. Before it there are no remembered connections.
    pub(crate) fn translate(&self) -> Result<()> {
        let rule = |family: Family| {
            let (table, vips, backend) = match family {
                Family::V4 => ("ip", "192.0.2.0/24", format!("{BACKEND_V4}:8080")),
                Family::V6 => ("ip6", "2001:db8:10::/64", format!("[{BACKEND_V6}]:8080")),
            };
            format!(
                "add table {table} bench\n\
                 add chain {table} bench pre {{ type nat hook prerouting priority dstnat; }}\n\
                 add rule {table} bench pre {table} daddr {vips} tcp dport {PORT} dnat to {backend}\n"
            )
        };
        let rules = Family::ALL.map(rule).concat();
        let words = ["-c", "printf %s \"$1\" | nft -f -", "sh", rules.as_str()];
        self.nftables.run("sh", &words)?.success()?;
        // The frames have no TCP checksum; a network card would have looked at it.
        self.nftables.sysctl("netfilter/nf_conntrack_checksum", "0")
    }
}
