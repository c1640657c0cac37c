//! What the API says and accepts: the JSON bodies of `/v1`.

mod layer7;
mod trace;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

pub use self::layer7::{
    AccessLogView, ListenerView, PassedView, RequestsView, RouteEntry, RouteView,
};
pub use self::trace::{FrameView, TraceEvent, TracedPacket};
use crate::model::{
    Affinity, AttachMode, BackendState, Forward, Health, Name, NoBackend, PortRange, Prefix,
    RateLimit, Scheduler, SourcePrefix, Tracking, Udp, Vip, Weight,
};

/// `GET /v1/status`: the daemon at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Where its maps and links are pinned.
    pub pin_dir: PathBuf,
    /// Interfaces the program is attached to.
    pub interfaces: Vec<InterfaceView>,
    /// Every service.
    pub services: Vec<ServiceView>,
    /// Every listener.
    pub listeners: Vec<ListenerView>,
    /// Every pool.
    pub pools: Vec<PoolView>,
    /// Packets by reason, of services and of the rest together; reasons never met are left out.
    pub packets: BTreeMap<String, CounterView>,
    /// Flows that were remembered when the tables were last swept, of all services together.
    pub remembered_flows: usize,
    /// What keeps packets from flowing, and what to do about it.
    pub problems: Vec<String>,
}

/// An interface the program is attached to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterfaceView {
    /// Its name.
    pub name: String,
    /// What the configuration asks for.
    pub configured: AttachMode,
    /// What it came to: `native` or `generic`; nothing while the program is not attached.
    pub attached: Option<AttachMode>,
}

/// `GET /v1/services/NAME`: one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub name: Name,
    /// The VIP.
    pub listen: Vip,
    /// Its pool.
    pub pool: Name,
    /// Forwarding mode.
    pub forward: Forward,
    /// Addresses that stand as source in the packets to backends, where those are not the client's
    /// or the balancer's own.
    pub source: Vec<SourcePrefix>,
    /// Source ports, if the mode is `full-nat`.
    pub source_ports: Option<PortRange>,
    /// What is remembered of flows, if the protocol is UDP.
    pub udp: Option<Udp>,
    /// What is remembered of flows, if the protocol is TCP.
    pub tracking: Option<Tracking>,
    /// How a new flow gets its backend.
    pub scheduler: Scheduler,
    /// What is kept together.
    pub affinity: Affinity,
    /// How many prefixes are allowed; everybody is if there are none.
    pub allow: usize,
    /// How many prefixes are denied.
    pub deny: usize,
    /// How many flows may begin, if that is limited.
    pub new_flows: Option<RateLimit>,
    /// How many flows of one source may begin, if that is limited.
    pub new_flows_per_source: Option<RateLimit>,
    /// What becomes of packets that no backend is there for.
    pub no_backend: NoBackend,
    /// A flow without packets for so many milliseconds is over.
    pub idle_timeout_ms: u64,
    /// Interface on which the daemon keeps the address of the VIP, if it does.
    pub vip_interface: Option<String>,
    /// Slots of its ring.
    pub slots: u32,
    /// Slots of its ring by the backend that owns them.
    pub owners: BTreeMap<SocketAddr, u32>,
    /// Slots that have changed their owner, and may have flows that are older than that.
    pub moving: u32,
    /// Those of them by the backend that keeps the older flows.
    pub previous: BTreeMap<SocketAddr, u32>,
    /// Server ids that QUIC connection ids name, in hexadecimal digits as they stand there; nothing
    /// if the service does not read them.
    pub server_ids: Option<BTreeMap<SocketAddr, String>>,
    /// Its packets by reason; reasons never met are left out.
    pub packets: BTreeMap<String, CounterView>,
}

/// `GET /v1/pools/NAME`: one pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolView {
    /// Its name.
    pub name: Name,
    /// Services that send to it.
    pub services: Vec<Name>,
    /// Listeners with a route to it.
    pub listeners: Vec<Name>,
    /// How its backends are probed, if they are.
    pub health: Option<Health>,
    /// How many milliseconds drained and removed backends keep their flows, if that is limited.
    pub drain_timeout_ms: Option<u64>,
    /// Its backends.
    pub backends: Vec<BackendView>,
}

/// One backend of a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackendView {
    /// Its address.
    pub address: SocketAddr,
    /// Its weight.
    pub weight: Weight,
    /// Whether it takes new flows.
    pub state: BackendState,
    /// What its health check says.
    pub health: HealthView,
    /// Where packets to it go, or why that is not known.
    pub next_hop: NextHopView,
    /// Packets sent to it.
    pub sent: CounterView,
    /// Requests sent to it; nothing if no route leads to its pool.
    pub requests: Option<RequestsView>,
}

/// What the health check of a backend says.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct HealthView {
    /// Whether it is up.
    pub state: HealthState,
    /// For how many seconds it has been in this state; nothing while it is unchecked.
    pub seconds: Option<u64>,
    /// What the last probe came to; nothing before the first.
    pub result: Option<String>,
}

/// Whether a backend is up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// It is not checked, or not yet, and counts as up.
    #[default]
    Unchecked,
    /// It is.
    Up,
    /// It is not, and gets no flows, unless its whole pool is down and fails open.
    Down,
}

/// Where packets to a backend go.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum NextHopView {
    /// Known.
    Resolved {
        /// Outgoing interface.
        interface: String,
        /// MAC address of the next hop.
        mac: String,
    },
    /// Not looked for, as only requests go to the pool, which the kernel routes.
    Unneeded,
    /// Not known; packets are not forwarded by the program.
    Unresolved {
        /// Why, and what to do.
        reason: String,
    },
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct CounterView {
    /// Packets.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}

/// `GET /v1/flow`: which backend a flow gets, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowView {
    /// The client.
    pub from: SocketAddr,
    /// Where it sends to.
    pub to: Vip,
    /// The service there, if there is one.
    pub service: Option<Name>,
    /// Its pool.
    pub pool: Option<Name>,
    /// Its forwarding mode.
    pub forward: Option<Forward>,
    /// The backend, if there is one.
    pub backend: Option<SocketAddr>,
    /// What the packet would be counted under.
    pub reason: String,
    /// That reason in words.
    pub explanation: String,
    /// Why this backend.
    pub why: Option<Because>,
    /// The slot of the flow.
    pub slot: Option<SlotView>,
}

/// Why a flow has its backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// It owns the slot.
    Owner,
    /// The flow table says so.
    Remembered,
    /// The flow is older than the change of its slot, whose previous owner it is.
    Previous,
    /// A QUIC connection id names it.
    Named,
    /// The scheduler would give it the next new flow.
    Scheduled,
}

/// The slot of a flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SlotView {
    /// Its place in the ring, from 0 on.
    pub place: u32,
    /// Slots of the ring.
    pub of: u32,
    /// Whether it has changed its owner, and may have flows that are older than that.
    pub moving: bool,
    /// The backend that owns it.
    pub owner: Option<SocketAddr>,
    /// The backend that keeps its older flows, while it moves.
    pub previous: Option<SocketAddr>,
}

/// `POST /v1/pools/POOL/backends`: a backend to add.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBackend {
    /// Its address.
    pub address: SocketAddr,
    /// Its weight; 1 when left out.
    #[serde(default)]
    pub weight: Weight,
}

/// `PATCH /v1/pools/POOL/backends/ADDRESS`: what to change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendPatch {
    /// New weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// New state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BackendState>,
}

/// The answer to a change: what it came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Operations carried out on the tables, in order, in words.
    pub operations: Vec<String>,
}

/// `POST /v1/apply`: a configuration to bring about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// Name of the file, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of every refusal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// What is wrong and what to do, a line each.
    pub errors: Vec<String>,
}

/// The decapsulator of an interface. No daemon serves it; the command that looks says it in the
/// same way.
#[derive(Clone, Debug, Serialize)]
pub struct DecapView {
    /// The interface.
    pub interface: String,
    /// What the program's attachment came to: `native` or `generic`; nothing while it is not
    /// attached.
    pub attached: Option<AttachMode>,
    /// Where its maps and its link are pinned.
    pub pin_dir: PathBuf,
    /// Addresses that tunnels end at.
    pub addresses: Vec<IpAddr>,
    /// Where tunnelled packets may come from; anywhere if empty.
    pub from: Vec<Prefix>,
    /// Packets by reason; reasons never met are left out.
    pub packets: BTreeMap<String, CounterView>,
}
