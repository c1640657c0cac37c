//! Every map, with one purpose each. The daemon finds them by the names in `lb_common::limits::maps`,
//! which are the names here.

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, xdp_action},
    btf_maps::{Array, DevMapHash, HashMap, LruHashMap, PerCpuArray},
    macros::btf_map,
};
use lb_common::{
    abi::{Backend, Counter, Endpoint, FlowKey, Meta, Origin, Service},
    limits::{
        MAX_BACKENDS, MAX_COUNTERS, MAX_DIRECT_FLOWS, MAX_INTERFACES, MAX_SERVICES, RING_SLOTS,
    },
};

/// Which version of the tables these are; only the daemon reads and writes it.
#[btf_map]
pub(crate) static META: Array<Meta, 1> = Array::new();

/// Services by VIP.
#[btf_map]
pub(crate) static SERVICES: HashMap<Endpoint, Service, { MAX_SERVICES as usize }> = HashMap::new();

/// The slots of all rings; a service names its part.
#[btf_map]
pub(crate) static RINGS: Array<u64, { RING_SLOTS as usize }> = Array::new();

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

/// Flows from clients to backends past the service; the value is unused.
#[btf_map]
pub(crate) static DIRECT_FLOWS: LruHashMap<FlowKey, u32, { MAX_DIRECT_FLOWS as usize }> =
    LruHashMap::new();

/// By backend id: 1 once it had a flow past its service.
#[btf_map]
pub(crate) static DIRECT_SEEN: Array<u32, { MAX_BACKENDS as usize }> = Array::new();

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
