//! Every map, with one purpose each. The daemon finds them by the names in `lb_common::limits::maps`,
//! which are the names here.

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, xdp_action},
    btf_maps::{Array, ArrayOfMaps, DevMapHash, HashMap, LruHashMap, PerCpuArray},
    macros::btf_map,
};
use lb_common::{
    abi::{
        Backend, Counter, Endpoint, Flow, FlowKey, Meta, Origin, Return, Scratch, ServerId,
        Service, ServiceRow,
    },
    limits::{
        CHUNK_SLOTS, MAX_BACKENDS, MAX_COUNTERS, MAX_DIRECT_FLOWS, MAX_FLOWS, MAX_INTERFACES,
        MAX_SERVER_IDS, MAX_SERVICES, RING_CHUNKS, SERVICE_WORDS,
    },
};

/// Which version of the tables these are; only the daemon reads and writes it.
#[btf_map]
pub(crate) static META: Array<Meta, 1> = Array::new();

/// Services by VIP.
#[btf_map]
pub(crate) static SERVICES: HashMap<Endpoint, Service, { MAX_SERVICES as usize }> = HashMap::new();

/// By the hash of a VIP, and by the id of a service: a row of the next map, or 0 for none.
#[btf_map]
pub(crate) static SERVICE_INDEX: Array<u32, { SERVICE_WORDS as usize }> = Array::new();

/// Copies of the services, for look-ups without a call into the kernel.
#[btf_map]
pub(crate) static SERVICE_ROWS: Array<ServiceRow, { lb_common::limits::SERVICE_ROWS as usize }> =
    Array::new();

/// The slots of all rings, in chunks that the daemon makes as it needs them; a service names its
/// part.
#[btf_map]
pub(crate) static RINGS: ArrayOfMaps<
    Array<u64, { CHUNK_SLOTS as usize }>,
    { RING_CHUNKS as usize },
> = ArrayOfMaps::new();

/// Backends by id.
#[btf_map]
pub(crate) static BACKENDS: Array<Backend, { MAX_BACKENDS as usize }> = Array::new();

/// Which service a `nat` backend answers for. Its memory grows with use.
#[btf_map]
pub(crate) static ORIGINS: HashMap<
    Endpoint,
    Origin,
    { MAX_BACKENDS as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Flows that must be remembered, from client to VIP. Its memory grows with use.
#[btf_map]
pub(crate) static FLOWS: HashMap<
    FlowKey,
    Flow,
    { MAX_FLOWS as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Ways back that must be remembered, from backend to client or source address. Its memory grows
/// with use.
#[btf_map]
pub(crate) static RETURNS: HashMap<
    FlowKey,
    Return,
    { MAX_FLOWS as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Backends by the id that QUIC connection ids name them with. Its memory grows with use.
#[btf_map]
pub(crate) static SERVER_IDS: HashMap<
    ServerId,
    u32,
    { MAX_SERVER_IDS as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Flows from clients to backends past the service; the value is unused.
#[btf_map]
pub(crate) static DIRECT_FLOWS: LruHashMap<FlowKey, u32, { MAX_DIRECT_FLOWS as usize }> =
    LruHashMap::new();

/// By backend id: 1 once it had a flow past its service.
#[btf_map]
pub(crate) static DIRECT_SEEN: Array<u32, { MAX_BACKENDS as usize }> = Array::new();

/// Memory for the packet at hand.
#[btf_map]
pub(crate) static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Interfaces that packets may be redirected to.
#[btf_map]
pub(crate) static INTERFACES: DevMapHash<{ MAX_INTERFACES as usize }> = DevMapHash::new();

/// Packets by service and reason.
#[btf_map]
pub(crate) static PACKET_COUNTERS: PerCpuArray<Counter, { MAX_COUNTERS as usize }> =
    PerCpuArray::new();

/// Packets by backend id.
#[btf_map]
pub(crate) static BACKEND_COUNTERS: PerCpuArray<Counter, { MAX_BACKENDS as usize }> =
    PerCpuArray::new();

/// Sends the packet out of another interface; drops it if that has gone in the meantime.
#[inline(always)]
pub(crate) fn redirect(ifindex: u32) -> u32 {
    match INTERFACES.redirect(ifindex, u64::from(xdp_action::XDP_DROP)) {
        Ok(action) | Err(action) => action,
    }
}
