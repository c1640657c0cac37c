//! Pools, backends, services and interfaces as validated types.
//!
//! Whoever holds one of these types need not check it again: names, addresses and weights are
//! checked when they are made, and what only holds for a configuration as a whole is checked by
//! [`rules::problems`]. Nothing here reads a file, a clock or a socket.

pub mod change;
pub mod decap;
pub mod duration;
pub mod flow;
pub mod health;
pub mod names;
pub mod prefix;
pub mod quic;
pub mod rules;
pub mod source;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    change::{Change, ChangeError},
    decap::{DecapSettings, DecapTarget},
    flow::{FlowError, FlowQuery},
    health::Health,
    names::{Name, Protocol, Vip, Weight},
    prefix::Prefix,
    source::{PortRange, SourcePrefix},
};

/// All that the daemon shall bring about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Settings of the daemon itself.
    pub daemon: Daemon,
    /// Where the XDP program is attached.
    pub interfaces: Vec<Interface>,
    /// Pools by name.
    pub pools: BTreeMap<Name, Pool>,
    /// Services by name.
    pub services: BTreeMap<Name, Service>,
}

/// Settings of the daemon itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Daemon {
    /// Unix socket of the API.
    pub admin: PathBuf,
    /// Where changes made by CLI or API are kept.
    pub state_dir: PathBuf,
    /// Directory in a BPF file system for maps and links.
    pub pin_dir: PathBuf,
    /// Seed of the flow hash and the rings; equal on all balancers of a fleet.
    pub seed: u64,
}

/// An interface that packets arrive on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface {
    /// Its name in the kernel.
    pub name: String,
    /// How the program is attached.
    pub mode: AttachMode,
}

/// How the program is attached to an interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachMode {
    /// In the driver if it can, otherwise in the kernel's generic hook.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// In the kernel's generic hook, after the `sk_buff` was allocated: works everywhere, slower.
    Generic,
}

impl AttachMode {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// A named set of backends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pool {
    /// Backends by address.
    pub backends: BTreeMap<SocketAddr, Backend>,
    /// How they are probed; `None` takes all of them for healthy.
    pub health: Option<Health>,
    /// How long a drained or removed backend keeps its old flows at most; `None` keeps them until
    /// they end by themselves.
    pub drain_timeout: Option<Duration>,
}

/// What is set for one backend of a pool.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Its share, relative to the others.
    pub weight: Weight,
    /// Whether it takes new flows.
    pub state: BackendState,
}

/// Whether a backend takes new flows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendState {
    /// It does.
    #[default]
    Enabled,
    /// It does not.
    Drained,
}

/// A layer-4 service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// The VIP.
    pub listen: Vip,
    /// Where its packets go.
    pub pool: Name,
    /// How they get there.
    pub forward: Forward,
    /// What is remembered of UDP flows; of no meaning for TCP.
    pub udp: Udp,
    /// A flow without packets for this long is over.
    pub idle_timeout: Duration,
    /// Where source addresses come from: of translated packets in `full-nat`, of outer headers in
    /// `ipip` and `gue`. At most one prefix of each family.
    pub source: Vec<SourcePrefix>,
    /// Source ports of `full-nat`.
    pub source_ports: PortRange,
    /// Interface on which the daemon itself puts the address of the VIP; `None` leaves that to the
    /// operator.
    pub vip_interface: Option<String>,
}

/// How a packet reaches a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forward {
    /// Destination address and port are rewritten.
    Nat,
    /// Both ends are rewritten.
    FullNat,
    /// Only MAC addresses are rewritten.
    Dsr,
    /// The packet is put into an IP packet.
    Ipip,
    /// The packet is put into a UDP datagram (Generic UDP Encapsulation).
    Gue,
}

impl Forward {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::FullNat => "full-nat",
            Self::Dsr => "dsr",
            Self::Ipip => "ipip",
            Self::Gue => "gue",
        }
    }

    /// Whether the packet travels to the backend inside another one.
    pub fn encapsulates(self) -> bool {
        matches!(self, Self::Ipip | Self::Gue)
    }
}

/// What is remembered of UDP flows, which have no opening packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Udp {
    /// Nothing: each packet goes to the present owner of its slot.
    #[default]
    Stateless,
    /// Every flow, from its first packet on.
    Tracked,
    /// As for TCP, with QUIC's Initial packet as the opening one; packets that name their server
    /// in the connection id go to it.
    Quic,
}

impl Udp {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::Tracked => "tracked",
            Self::Quic => "quic",
        }
    }
}

impl Service {
    /// A service of which only the essentials are given.
    pub fn new(listen: Vip, pool: Name, forward: Forward) -> Self {
        Self {
            listen,
            pool,
            forward,
            udp: Udp::default(),
            idle_timeout: Self::idle_timeout_of(listen.protocol),
            source: Vec::new(),
            source_ports: PortRange::default(),
            vip_interface: None,
        }
    }

    /// The idle timeout unless one is given.
    pub const fn idle_timeout_of(protocol: Protocol) -> Duration {
        match protocol {
            Protocol::Tcp => Duration::from_mins(15),
            Protocol::Udp => Duration::from_mins(2),
        }
    }
}

impl Pool {
    /// Backends that take new flows, with their weights.
    pub fn enabled(&self) -> impl Iterator<Item = (SocketAddr, Weight)> {
        self.backends
            .iter()
            .filter(|(_, backend)| backend.state == BackendState::Enabled)
            .map(|(address, backend)| (*address, backend.weight))
    }
}
