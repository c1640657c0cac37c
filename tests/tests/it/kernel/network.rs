//! What the kernel's routing table answers, and the namespace that makes it do so.
//!
//! Veth pairs within one namespace: `front` with clients, `back` with backends, and two that stand for
//! VLANs of `front`, because not every kernel has such interfaces. Nothing is ever sent; only the
//! routing table, the neighbours and the numbers of the interfaces matter.

use std::array;

use anyhow::Result;
use lb_common::{
    abi::{AddrBe, Vlan},
    decide::Route,
    host::addr_be,
};
use rustix::net::{AddressFamily, SocketType, netdevice::name_to_index, socket};
use tests::{netns::Netns, sweep};

use super::{
    packet::{Mac, Tag},
    services::{
        CLIENT_V4, CLIENT_V6, address,
        full_nat::{FULL_V4_TCP, FULL_V6_UDP},
    },
};

pub(crate) const FRONT_MAC: Mac = [0x02, 0, 0, 0, 0x01, 0x01];
pub(crate) const BACK_MAC: Mac = [0x02, 0, 0, 0, 0x02, 0x01];
pub(crate) const CLIENT_MAC: Mac = [0x02, 0, 0, 0, 0x01, 0x07];
pub(crate) const ROUTER_MAC: Mac = [0x02, 0, 0, 0, 0x01, 0xfe];
pub(crate) const VLAN_MAC: Mac = [0x02, 0, 0, 0, 0x03, 0x01];
pub(crate) const VLAN_CLIENT_MAC: Mac = [0x02, 0, 0, 0, 0x03, 0x07];
pub(crate) const BACK_CLIENT_MAC: Mac = [0x02, 0, 0, 0, 0x02, 0x99];

/// The balancer's own addresses.
pub(crate) const OWN: [&str; 2] = ["198.51.100.1:40000", "[2001:db8:1::1]:40000"];
/// The balancer's addresses on each side.
pub(crate) const OWN_FRONT: [&str; 2] = ["198.51.100.1", "2001:db8:1::1"];
pub(crate) const OWN_BACK: [&str; 2] = ["203.0.113.1", "2001:db8:2::1"];
/// Clients beyond a router next to `front`.
pub(crate) const FAR: [&str; 2] = ["198.18.0.7:40000", "[2001:db8:100::7]:40000"];
/// Clients beyond the router, to whom packets of at most 1280 bytes can be sent.
pub(crate) const SMALL: [&str; 2] = ["198.18.1.7:40000", "[2001:db8:101::7]:40000"];
/// The same, for packets that are not larger.
pub(crate) const SMALL_FITS: [&str; 2] = ["198.18.1.8:40000", "[2001:db8:101::8]:40000"];
/// Everybody next to `front`, and everybody who listens.
pub(crate) const MANY: [&str; 2] = ["198.51.100.255:40000", "233.252.0.1:40000"];
/// Clients to whom the routing table forbids to send.
pub(crate) const UNREACHABLE: [&str; 2] = ["198.18.2.7:40000", "[2001:db8:102::7]:40000"];
/// Clients without any route.
pub(crate) const NOWHERE: [&str; 2] = ["198.18.3.7:40000", "[2001:db8:103::7]:40000"];
/// Clients next to `front` whose MAC address is not known.
pub(crate) const UNRESOLVED: [&str; 2] = ["198.51.100.66:40000", "[2001:db8:1::66]:40000"];
/// Clients next to `back`.
pub(crate) const BACK_CLIENT: [&str; 2] = ["203.0.113.99:40000", "[2001:db8:2::99]:40000"];
/// Clients next to `front` to whom the cases send only from `closed`.
pub(crate) const FROM_CLOSED: [&str; 2] = ["198.51.100.8:40000", "[2001:db8:1::8]:40000"];
/// Clients in a VLAN of `front`.
pub(crate) const IN_VLAN: [&str; 2] = ["198.18.4.7:40000", "[2001:db8:104::7]:40000"];
/// Clients in a customer's VLAN in a provider's.
pub(crate) const IN_VLANS: [&str; 2] = ["198.18.5.7:40000", "[2001:db8:105::7]:40000"];
/// The tags of the former.
pub(crate) const VLAN: [Tag; 1] = [Tag::of(7)];
/// The tags of the latter.
pub(crate) const VLANS: [Tag; 2] = [Tag::of_provider(0xabc), Tag::of(0xfff)];

/// Numbers of the interfaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    /// Towards the clients.
    pub(crate) front: u32,
    /// Towards the backends.
    pub(crate) back: u32,
    /// Packets that arrive here are not forwarded.
    pub(crate) closed: u32,
    /// A VLAN of `front`.
    pub(crate) vlan: u32,
    /// A VLAN of it in another one.
    pub(crate) vlans: u32,
}

impl Links {
    /// Numbers for the host build alone.
    pub(crate) const MADE_UP: Self = Self { front: 11, back: 12, closed: 13, vlan: 14, vlans: 15 };

    /// The numbers in the namespace that the thread is in.
    pub(crate) fn here() -> Result<Self> {
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        Ok(Self {
            front: name_to_index(&socket, "front")?,
            back: name_to_index(&socket, "back")?,
            closed: name_to_index(&socket, "closed")?,
            vlan: name_to_index(&socket, "vlan")?,
            vlans: name_to_index(&socket, "vlans")?,
        })
    }
}

/// The first 12 bytes of a frame, as words.
pub(crate) fn link(to: Mac, from: Mac) -> [u32; 3] {
    let both = [to, from].concat();
    let (words, _) = both.as_chunks();
    let mut words = words.iter().copied().map(u32::from_ne_bytes);
    array::from_fn(|_| words.next().unwrap_or(0))
}

/// The VLANs that interfaces stand for.
pub(crate) fn vlans(links: &Links) -> Vec<(u32, Vlan)> {
    let vlan = |tags: &[Tag]| Vlan { ifindex: links.front, tags: word(tags) };
    vec![(links.vlan, vlan(&VLAN)), (links.vlans, vlan(&VLANS))]
}

/// Tags as the tables keep them: the innermost in the low half.
pub(crate) fn word(tags: &[Tag]) -> u32 {
    tags.iter().fold(0, |word, tag| word << 16 | u32::from(tag.priority) << 13 | u32::from(tag.id))
}

/// The answers of the routing table that [`build`] makes, for the host build.
pub(crate) fn routes(links: &Links) -> Vec<(AddrBe, Route)> {
    let front = |mac| Route::Via { ifindex: links.front, link: link(mac, FRONT_MAC) };
    let back = Route::Via { ifindex: links.back, link: link(BACK_CLIENT_MAC, BACK_MAC) };
    let vlan = |ifindex| Route::Via { ifindex, link: link(VLAN_CLIENT_MAC, VLAN_MAC) };
    let answers = [
        ([CLIENT_V4, CLIENT_V6], front(CLIENT_MAC)),
        (OWN, Route::Local),
        (MANY, Route::Local),
        (FAR, front(ROUTER_MAC)),
        (SMALL, Route::TooBig(1280)),
        (SMALL_FITS, front(ROUTER_MAC)),
        (UNREACHABLE, Route::None),
        // The kernel gives the same answer as for its own addresses.
        (NOWHERE, Route::Local),
        (UNRESOLVED, Route::Unresolved),
        (BACK_CLIENT, back),
        (FROM_CLOSED, Route::None),
        (IN_VLAN, vlan(links.vlan)),
        (IN_VLANS, vlan(links.vlans)),
    ];
    let both = |(clients, route): ([&str; 2], Route)| {
        clients.map(|client| (addr_be(address(client).ip()), route))
    };
    let backends = [FULL_V4_TCP, FULL_V6_UDP].map(|spec| {
        let link = link(spec.backend_mac(0), BACK_MAC);
        (addr_be(spec.backend(0).ip()), Route::Via { ifindex: links.back, link })
    });
    answers.into_iter().flat_map(both).chain(backends).collect()
}

/// The namespace.
pub(crate) fn build() -> Result<Netns> {
    let netns = Netns::new(&sweep::unique())?;
    for command in COMMANDS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        netns.ip(command)?;
    }
    // Backends that are clients, too.
    for spec in [FULL_V4_TCP, FULL_V6_UDP] {
        let mac = spec.backend_mac(0).map(|byte| format!("{byte:02x}")).join(":");
        let backend = spec.backend(0).ip();
        netns.ip(&format!("neigh add {backend} lladdr {mac} nud permanent dev back"))?;
    }
    for (key, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv4/conf/closed/forwarding", "0"),
        ("ipv6/conf/closed/forwarding", "0"),
    ] {
        netns.sysctl(key, value)?;
    }
    Ok(netns)
}

const COMMANDS: &str = "
    link add front address 02:00:00:00:01:01 type veth peer name front-far
    link add back address 02:00:00:00:02:01 type veth peer name closed
    link add vlan address 02:00:00:00:03:01 type veth peer name vlan-far
    link add vlans address 02:00:00:00:03:01 type veth peer name vlans-far
    link set vlan up
    link set vlan-far up
    link set vlans up
    link set vlans-far up
    link set front up
    link set front-far up
    link set back up
    link set closed up
    addr add 198.51.100.1/24 dev front
    addr add 203.0.113.1/24 dev back
    addr add 2001:db8:1::1/64 dev front nodad
    addr add 2001:db8:2::1/64 dev back nodad
    addr add 198.18.4.1/24 dev vlan
    addr add 198.18.5.1/24 dev vlans
    addr add 2001:db8:104::1/64 dev vlan nodad
    addr add 2001:db8:105::1/64 dev vlans nodad
    neigh add 198.18.4.7 lladdr 02:00:00:00:03:07 nud permanent dev vlan
    neigh add 198.18.5.7 lladdr 02:00:00:00:03:07 nud permanent dev vlans
    neigh add 2001:db8:104::7 lladdr 02:00:00:00:03:07 nud permanent dev vlan
    neigh add 2001:db8:105::7 lladdr 02:00:00:00:03:07 nud permanent dev vlans
    neigh add 198.51.100.7 lladdr 02:00:00:00:01:07 nud permanent dev front
    neigh add 198.51.100.8 lladdr 02:00:00:00:01:08 nud permanent dev front
    neigh add 198.51.100.254 lladdr 02:00:00:00:01:fe nud permanent dev front
    neigh add 203.0.113.99 lladdr 02:00:00:00:02:99 nud permanent dev back
    neigh add 2001:db8:1::7 lladdr 02:00:00:00:01:07 nud permanent dev front
    neigh add 2001:db8:1::8 lladdr 02:00:00:00:01:08 nud permanent dev front
    neigh add 2001:db8:1::fe lladdr 02:00:00:00:01:fe nud permanent dev front
    neigh add 2001:db8:2::99 lladdr 02:00:00:00:02:99 nud permanent dev back
    route add 198.18.0.0/24 via 198.51.100.254
    route add 198.18.1.0/24 via 198.51.100.254 mtu lock 1280
    route add unreachable 198.18.2.0/24
    route add 2001:db8:100::/48 via 2001:db8:1::fe
    route add 2001:db8:101::/48 via 2001:db8:1::fe mtu lock 1280
    route add unreachable 2001:db8:102::/48
";
