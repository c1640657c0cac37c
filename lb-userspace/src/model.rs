//! Pools, backends, services and interfaces as validated types.
//!
//! Whoever holds one of these types need not check it again: names, addresses and weights are
//! checked when they are made, and what only holds for a configuration as a whole is checked by
//! [`rules::problems`]. Nothing here reads a file, a clock or a socket.

pub mod access;
pub mod change;
pub mod decap;
pub mod duration;
pub mod flow;
pub mod health;
pub mod limit;
pub mod listener;
pub mod names;
pub mod prefix;
pub mod quic;
pub mod request;
pub mod route;
pub mod rules;
pub mod service;
pub mod source;
#[cfg(test)]
mod tests;
pub mod upstream;
pub mod vip;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    access::{Access, Rule},
    change::{Change, ChangeError},
    decap::{DecapSettings, DecapTarget},
    flow::{FlowError, FlowQuery},
    health::Health,
    limit::RateLimit,
    listener::{Listener, ListenerProtocol},
    names::{Name, Protocol, Weight},
    prefix::{Prefix, PrefixSet},
    request::RequestQuery,
    route::{Action, Route},
    service::{Affinity, Forward, NoBackend, Scheduler, Service, Tracking, Udp},
    source::{PortRange, SourcePrefix},
    upstream::Upstream,
    vip::Vip,
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
    /// Listeners by name.
    pub listeners: BTreeMap<Name, Listener>,
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
    /// How requests are spread over them; of no meaning for packets.
    pub http: Upstream,
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

impl Pool {
    /// Backends that take new flows, with their weights.
    pub fn enabled(&self) -> impl Iterator<Item = (SocketAddr, Weight)> {
        self.backends
            .iter()
            .filter(|(_, backend)| backend.state == BackendState::Enabled)
            .map(|(address, backend)| (*address, backend.weight))
    }
}
