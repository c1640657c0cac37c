//! The services of all cases, and what becomes of a packet at each.

use std::net::{IpAddr, SocketAddr};

use lb_common::{
    abi::{ForwardMode, SERVICE_AFFINITY, Tracking},
    limits::MAX_BACKENDS,
    wire::transport::{TCP, UDP},
};

use self::asked::Asked;
use super::{
    flow_hash::{client_hash, flow_hash},
    network,
    packet::{Mac, Packet, Tag},
};

pub(crate) mod asked;
mod delivery;
pub(crate) mod full_nat;
pub(crate) mod icmp;
pub(crate) mod moving;
pub(crate) mod shared;
pub(crate) mod tagged;
pub(crate) mod tunnels;

/// Seed of every service.
pub(crate) const SEED: u64 = 0x0123_4567_89ab_cdef;

/// How a backend is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// Out of the interface `back`.
    Back,
    /// Out of the interface `front`, where clients are, too.
    Front,
    /// Not known yet.
    Unknown,
}

/// What a ring looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ring {
    /// So many slots, owned by the backends in turn. Every second one moves, but to its owner.
    Even(u32),
    /// The slots of [`moving::SLOTS`].
    Moving,
}

/// A service, and its backends of consecutive ids and addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) id: u32,
    vip: &'static str,
    pub(crate) protocol: u8,
    pub(crate) mode: ForwardMode,
    pub(crate) tracking: Tracking,
    backend: &'static str,
    pub(crate) way: Way,
    pub(crate) mtu: u16,
    pub(crate) first_backend: u32,
    pub(crate) backends: u32,
    pub(crate) ring: Ring,
    /// Prefix of source addresses; the balancer's own address if there is none.
    source: Option<(&'static str, u32)>,
    /// First and last source port of `full-nat`.
    pub(crate) ports: (u16, u16),
    /// Several `nat` services send to its backends.
    pub(crate) shared: bool,
    /// VLAN tags of frames to its backends.
    pub(crate) tags: &'static [Tag],
    /// Last port of its range, if it has one; the port of the VIP is the first.
    pub(crate) last_port: Option<u16>,
    /// What else it asks for.
    pub(crate) asked: Asked,
}

/// Ticks after which an idle flow of any service is over.
pub(crate) const IDLE: u16 = 300;

impl Spec {
    const fn nat(id: u32, vip: &'static str, protocol: u8, backend: &'static str) -> Self {
        Self {
            id,
            vip,
            protocol,
            mode: ForwardMode::Nat,
            tracking: if protocol == TCP { Tracking::Moving } else { Tracking::None },
            backend,
            way: Way::Back,
            mtu: 1500,
            first_backend: id,
            backends: 1,
            ring: Ring::Even(1),
            source: None,
            ports: (0, 0),
            shared: false,
            tags: &[],
            last_port: None,
            asked: Asked::NOTHING,
        }
    }

    const fn dsr(id: u32, vip: &'static str, protocol: u8, backend: &'static str) -> Self {
        Self { mode: ForwardMode::Dsr, ..Self::nat(id, vip, protocol, backend) }
    }

    /// With ids of backends that have room for eight.
    const fn mode(self, mode: ForwardMode) -> Self {
        Self { mode, first_backend: 100 + self.id * 8, ..self }
    }

    const fn tracking(self, tracking: Tracking) -> Self {
        Self { tracking, ..self }
    }

    const fn source(self, address: &'static str, length: u32) -> Self {
        Self { source: Some((address, length)), ..self }
    }

    const fn ports(self, first: u16, last: u16) -> Self {
        Self { ports: (first, last), ..self }
    }

    const fn way(self, way: Way) -> Self {
        Self { way, ..self }
    }

    const fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    const fn first_backend(self, first_backend: u32) -> Self {
        Self { first_backend, ..self }
    }

    const fn ring(self, backends: u32, ring: Ring) -> Self {
        Self { backends, ring, ..self }
    }

    /// Its address.
    pub(crate) fn vip(&self) -> SocketAddr {
        address(self.vip)
    }

    /// Address of a backend by its place among them.
    pub(crate) fn backend(&self, place: u32) -> SocketAddr {
        let base = address(self.backend);
        let ip = match base.ip() {
            IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() + place).into()),
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() + u128::from(place)).into()),
        };
        (ip, base.port()).into()
    }

    /// Slots of its ring.
    pub(crate) fn slots(&self) -> u32 {
        match self.ring {
            Ring::Even(slots) => slots,
            Ring::Moving => moving::SLOTS,
        }
    }

    /// First address of its prefix of source addresses, and how many host bits it has.
    pub(crate) fn source_prefix(&self) -> Option<(IpAddr, u32)> {
        let (base, length) = self.source?;
        let base: IpAddr = base.parse().expect("an address");
        let bits = if base.is_ipv4() { 32 } else { 128 };
        Some((base, bits - length))
    }

    /// A packet of the client to the service, as it arrives at `front`.
    pub(crate) fn request(&self) -> Packet {
        let client = if self.vip().is_ipv4() { CLIENT_V4 } else { CLIENT_V6 };
        let packet = Packet::new(address(client), self.vip(), self.protocol);
        packet.link(network::FRONT_MAC, network::CLIENT_MAC)
    }

    /// The same, from the first port whose flow falls into a slot.
    pub(crate) fn request_in(&self, slot: u32) -> Packet {
        let mut packets = (40_000..).map(|port| self.request().source_port(port));
        let found = packets.find(|packet| self.slot_of(packet) == slot);
        found.expect("every slot has flows")
    }

    /// Slot of the flow of a request, by its place in the ring.
    pub(crate) fn slot_of(&self, request: &Packet) -> u32 {
        let hash = if self.asked.flags & SERVICE_AFFINITY != 0 {
            client_hash(SEED, request.from.ip())
        } else {
            self.hash(request)
        };
        hash % self.slots()
    }

    /// Where a backend, by its place among them, gets packets to an address of the service: on its own
    /// port, or on that of the packet.
    pub(crate) fn target(&self, place: u32, vip: SocketAddr) -> SocketAddr {
        let mut target = self.backend(place);
        if self.last_port.is_some() {
            target.set_port(vip.port());
        }
        target
    }

    fn hash(&self, request: &Packet) -> u32 {
        flow_hash(SEED, request.from, request.to, self.protocol)
    }

    /// The balancer's MAC address towards the backends.
    pub(crate) fn own_mac(&self) -> Mac {
        match self.way {
            Way::Front => network::FRONT_MAC,
            Way::Back | Way::Unknown => network::BACK_MAC,
        }
    }

    /// The balancer's address towards the backends.
    pub(crate) fn own_address(&self) -> IpAddr {
        let [v4, v6] = match self.way {
            Way::Front => network::OWN_FRONT,
            Way::Back | Way::Unknown => network::OWN_BACK,
        };
        let own = if self.backend(0).is_ipv4() { v4 } else { v6 };
        own.parse().expect("an address")
    }

    /// MAC address of a backend by its place among them.
    pub(crate) fn backend_mac(&self, place: u32) -> Mac {
        let [.., high, low] = (self.first_backend + place).to_be_bytes();
        [0x02, 0, 0x0b, 0, high, low]
    }
}

/// A client next to `front`.
pub(crate) const CLIENT_V4: &str = "198.51.100.7:40000";
/// The same, IPv6.
pub(crate) const CLIENT_V6: &str = "[2001:db8:1::7]:40000";

pub(crate) const NAT_V4_TCP: Spec = Spec::nat(1, "192.0.2.10:80", TCP, "203.0.113.11:8080");
pub(crate) const NAT_V4_UDP: Spec = Spec::nat(2, "192.0.2.10:53", UDP, "203.0.113.12:5353");
pub(crate) const NAT_V6_TCP: Spec =
    Spec::nat(3, "[2001:db8:10::10]:80", TCP, "[2001:db8:2::13]:8080");
pub(crate) const NAT_V6_UDP: Spec =
    Spec::nat(4, "[2001:db8:10::10]:53", UDP, "[2001:db8:2::14]:5353");
pub(crate) const DSR_V4_TCP: Spec = Spec::dsr(5, "192.0.2.20:80", TCP, "203.0.113.15:80");
pub(crate) const DSR_V4_UDP: Spec = Spec::dsr(6, "192.0.2.20:53", UDP, "203.0.113.16:53");
pub(crate) const DSR_V6_TCP: Spec =
    Spec::dsr(7, "[2001:db8:10::20]:80", TCP, "[2001:db8:2::17]:80");
pub(crate) const DSR_V6_UDP: Spec =
    Spec::dsr(8, "[2001:db8:10::20]:53", UDP, "[2001:db8:2::18]:53");

/// Backends next to `front`: their packets leave where they came in.
pub(crate) const NAT_V4_TCP_FRONT: Spec =
    Spec::nat(9, "192.0.2.30:80", TCP, "198.51.100.19:8080").way(Way::Front);
pub(crate) const NAT_V6_UDP_FRONT: Spec =
    Spec::nat(10, "[2001:db8:10::30]:53", UDP, "[2001:db8:1::20]:5353").way(Way::Front);
pub(crate) const DSR_V4_UDP_FRONT: Spec =
    Spec::dsr(11, "192.0.2.31:53", UDP, "198.51.100.21:53").way(Way::Front);
pub(crate) const DSR_V6_TCP_FRONT: Spec =
    Spec::dsr(12, "[2001:db8:10::31]:80", TCP, "[2001:db8:1::22]:80").way(Way::Front);

/// Backends whose next hop is not known.
pub(crate) const NAT_V4_TCP_NEW: Spec =
    Spec::nat(13, "192.0.2.40:80", TCP, "203.0.113.23:8080").way(Way::Unknown);
pub(crate) const NAT_V6_UDP_NEW: Spec =
    Spec::nat(14, "[2001:db8:10::40]:53", UDP, "[2001:db8:2::24]:5353").way(Way::Unknown);
pub(crate) const DSR_V4_TCP_NEW: Spec =
    Spec::dsr(15, "192.0.2.41:80", TCP, "203.0.113.25:80").way(Way::Unknown);
pub(crate) const DSR_V6_UDP_NEW: Spec =
    Spec::dsr(16, "[2001:db8:10::41]:53", UDP, "[2001:db8:2::26]:53").way(Way::Unknown);

/// A ring without backends, and one whose slot names a backend outside of the table.
pub(crate) const EMPTY_V4_TCP: Spec =
    Spec::nat(17, "192.0.2.50:80", TCP, "203.0.113.27:80").ring(0, Ring::Even(1));
pub(crate) const EMPTY_V6_UDP: Spec =
    Spec::dsr(18, "[2001:db8:10::50]:53", UDP, "[2001:db8:2::28]:53").first_backend(MAX_BACKENDS);

/// The way to the backend is narrower, or wider, than usual.
pub(crate) const NAT_V4_TCP_SMALL: Spec =
    Spec::nat(19, "192.0.2.60:80", TCP, "203.0.113.29:8080").mtu(1280);
pub(crate) const DSR_V6_UDP_SMALL: Spec =
    Spec::dsr(20, "[2001:db8:10::60]:53", UDP, "[2001:db8:2::30]:53").mtu(1280);
pub(crate) const NAT_V4_TCP_JUMBO: Spec =
    Spec::nat(21, "192.0.2.61:80", TCP, "203.0.113.31:8080").mtu(9000);
pub(crate) const DSR_V6_UDP_JUMBO: Spec =
    Spec::dsr(22, "[2001:db8:10::61]:53", UDP, "[2001:db8:2::32]:53").mtu(9000);

/// The first and the last port, on both sides.
pub(crate) const PORT_0: Spec = Spec::nat(23, "192.0.2.70:0", UDP, "203.0.113.33:65535");
pub(crate) const PORT_65535: Spec =
    Spec::nat(24, "[2001:db8:10::70]:65535", TCP, "[2001:db8:2::34]:0");

/// Rings of eight slots, owned by four backends in turn; the last backends and slots of the tables.
pub(crate) const SPREAD_V4: Spec = Spec::nat(25, "192.0.2.80:80", TCP, "203.0.113.40:8080")
    .first_backend(40)
    .ring(4, Ring::Even(8));
pub(crate) const SPREAD_V6: Spec =
    Spec::dsr(26, "[2001:db8:10::80]:53", UDP, "[2001:db8:2::50]:53")
        .first_backend(MAX_BACKENDS - 4)
        .ring(4, Ring::Even(8));

/// All services, by id.
pub(crate) fn all() -> Vec<Spec> {
    let remembering = [&full_nat::ALL[..], &shared::ALL, &moving::ALL].concat();
    [&PLAIN[..], &tunnels::ALL, &remembering, &tagged::ALL, &asked::ALL].concat()
}

/// The service that packets to an address are counted for if their ports are not known.
pub(crate) fn first_at(vip: &Spec) -> Spec {
    let found = all().into_iter().find(|spec| spec.vip().ip() == vip.vip().ip());
    found.expect("the service itself")
}

/// Those that remember nothing.
const PLAIN: [Spec; 26] = [
    NAT_V4_TCP,
    NAT_V4_UDP,
    NAT_V6_TCP,
    NAT_V6_UDP,
    DSR_V4_TCP,
    DSR_V4_UDP,
    DSR_V6_TCP,
    DSR_V6_UDP,
    NAT_V4_TCP_FRONT,
    NAT_V6_UDP_FRONT,
    DSR_V4_UDP_FRONT,
    DSR_V6_TCP_FRONT,
    NAT_V4_TCP_NEW,
    NAT_V6_UDP_NEW,
    DSR_V4_TCP_NEW,
    DSR_V6_UDP_NEW,
    EMPTY_V4_TCP,
    EMPTY_V6_UDP,
    NAT_V4_TCP_SMALL,
    DSR_V6_UDP_SMALL,
    NAT_V4_TCP_JUMBO,
    DSR_V6_UDP_JUMBO,
    PORT_0,
    PORT_65535,
    SPREAD_V4,
    SPREAD_V6,
];

/// An address and port out of a constant.
pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}
