//! A layer-4 service: its VIP, its pool, and how packets get from the one to the other.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Access, Name, PortRange, Protocol, RateLimit, SourcePrefix, Vip, access::Rules};

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
    /// What is remembered of TCP flows; of no meaning for UDP.
    pub tracking: Tracking,
    /// How a new flow gets its backend.
    pub scheduler: Scheduler,
    /// What is kept together.
    pub affinity: Affinity,
    /// Who may connect.
    pub access: Access,
    /// How many flows may begin.
    pub new_flows: Option<RateLimit>,
    /// How many flows of one source may begin.
    pub new_flows_per_source: Option<RateLimit>,
    /// What becomes of packets that no backend is there for.
    pub no_backend: NoBackend,
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

/// What is remembered of TCP flows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tracking {
    /// Those that a change of backends could break.
    #[default]
    JustEnough,
    /// Every flow, from its first packet on.
    Full,
}

impl Tracking {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::JustEnough => "just-enough",
            Self::Full => "full",
        }
    }
}

/// How a new flow gets its backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// By the slot of its hash.
    #[default]
    Maglev,
    /// The backends take turns.
    RoundRobin,
    /// By chance.
    Random,
    /// Of two backends by chance, the one with fewer flows for its weight.
    LeastFlows,
}

impl Scheduler {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maglev => "maglev",
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastFlows => "least-flows",
        }
    }
}

/// What is kept together at one backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Affinity {
    /// The packets of a flow.
    #[default]
    Flow,
    /// All flows of a client address.
    ClientIp,
}

impl Affinity {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::ClientIp => "client-ip",
        }
    }
}

/// What becomes of packets that no backend is there for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoBackend {
    /// They are dropped.
    #[default]
    Drop,
    /// Their senders are told.
    Reject,
    /// The kernel gets them.
    Pass,
}

impl NoBackend {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Pass => "pass",
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
            tracking: Tracking::default(),
            scheduler: Scheduler::default(),
            affinity: Affinity::default(),
            access: Access::default(),
            new_flows: None,
            new_flows_per_source: None,
            no_backend: NoBackend::default(),
            idle_timeout: Self::idle_timeout_of(listen.protocol),
            source: Vec::new(),
            source_ports: PortRange::default(),
            vip_interface: None,
        }
    }

    /// Whether every flow is remembered from its first packet on.
    pub fn remembers_all(&self) -> bool {
        self.forward == Forward::FullNat
            || match self.listen.protocol {
                Protocol::Tcp => self.tracking == Tracking::Full,
                Protocol::Udp => self.udp == Udp::Tracked,
            }
    }

    /// Whether replies to its clients come back through the balancer.
    pub const fn translates(&self) -> bool {
        matches!(self.forward, Forward::Nat | Forward::FullNat)
    }

    /// The prefixes that its clients are looked up in.
    pub fn rules(&self) -> &Arc<Rules> {
        self.access.rules(self.listen.address.is_ipv4())
    }

    /// The idle timeout unless one is given.
    pub const fn idle_timeout_of(protocol: Protocol) -> Duration {
        match protocol {
            Protocol::Tcp => Duration::from_mins(15),
            Protocol::Udp => Duration::from_mins(2),
        }
    }
}
