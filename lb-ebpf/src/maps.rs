//! Every map, with one purpose each. The daemon finds them by the names in `lb_common::limits::maps`,
//! which are the names here.

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, xdp_action},
    btf_maps::{
        Array, ArrayOfMaps, DevMapHash, HashMap, LpmTrie, LruHashMap, PerCpuArray, ProgramArray,
    },
    macros::btf_map,
    programs::XdpContext,
};
use lb_common::{
    abi::{
        AddrBe, Backend, Counter, Endpoint, Explanation, Flow, FlowKey, FragmentKey, Limits, Meta,
        Origin, Ports, Ranges, Return, Scratch, ServerId, Service, ServiceRow, SourceBucket,
        SourceKey, Vlan,
    },
    limits::{
        CHUNK_SLOTS, MAX_BACKENDS, MAX_COUNTERS, MAX_DIRECT_FLOWS, MAX_FLOWS, MAX_FRAGMENTS,
        MAX_INTERFACES, MAX_LIMITED_SOURCES, MAX_SERVER_IDS, MAX_SERVICES, MAX_TURNS, MAX_VLANS,
        RING_CHUNKS, SERVICE_WORDS, SOURCE_ENTRIES, SOURCE_FILTER_WORDS, Stage,
    },
    parse::rare::Work,
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

/// The programs of the stages of rare packets.
#[btf_map]
pub(crate) static PROGRAMS: ProgramArray<{ Stage::ALL.len() }> = ProgramArray::new();

/// Services by the addresses of their VIPs; any of those that share one.
#[btf_map]
pub(crate) static VIPS: HashMap<AddrBe, u32, { MAX_SERVICES as usize }> = HashMap::new();

/// Ports of fragmented packets, by what their fragments have in common.
#[btf_map]
pub(crate) static FRAGMENTS: LruHashMap<FragmentKey, Ports, { MAX_FRAGMENTS as usize }> =
    LruHashMap::new();

/// By backend id: the VLAN tags of frames to it.
#[btf_map]
pub(crate) static TAGS: Array<u32, { MAX_BACKENDS as usize }> = Array::new();

/// VLAN interfaces, by the number that routes know them by. Its memory grows with use.
#[btf_map]
pub(crate) static VLANS: HashMap<
    u32,
    Vlan,
    { MAX_VLANS as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// When this CPU may send the next ICMP message of the balancer's own.
#[btf_map]
pub(crate) static ICMP_LIMIT: PerCpuArray<u64, 1> = PerCpuArray::new();

/// What the program that explains packets found last.
#[btf_map]
pub(crate) static EXPLANATION: Array<Explanation, 1> = Array::new();

/// Memory for the rare packet at hand.
#[btf_map]
pub(crate) static WORK: PerCpuArray<Work, 1> = PerCpuArray::new();

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

/// What an address has of ranges of ports, by the id of the entry that stands for them.
#[btf_map]
pub(crate) static RANGES: Array<Ranges, { MAX_SERVICES as usize + 1 }> = Array::new();

/// How many flows services may open, by their ids.
#[btf_map]
pub(crate) static LIMITS: Array<Limits, { MAX_SERVICES as usize + 1 }> = Array::new();

/// When services may open the next flow, by their ids.
#[btf_map]
pub(crate) static SERVICE_BUCKETS: Array<u64, { MAX_SERVICES as usize + 1 }> = Array::new();

/// When sources may open the next flow.
#[btf_map]
pub(crate) static SOURCE_BUCKETS: LruHashMap<SourceBucket, u64, { MAX_LIMITED_SOURCES as usize }> =
    LruHashMap::new();

/// What lists say of sources. Its memory grows with use.
#[btf_map]
pub(crate) static SOURCES: LpmTrie<SourceKey, u32, { SOURCE_ENTRIES as usize }> = LpmTrie::new();

/// Which sources lists may have something of, one bit for many sources.
#[btf_map]
pub(crate) static SOURCE_FILTER: Array<u64, { SOURCE_FILTER_WORDS as usize }> = Array::new();

/// Backends in the order in which they get new flows; a service names its part.
#[btf_map]
pub(crate) static TURNS: Array<u32, { MAX_TURNS as usize }> = Array::new();

/// How many turns were taken, by service id.
#[btf_map]
pub(crate) static TURNS_TAKEN: Array<u64, { MAX_SERVICES as usize + 1 }> = Array::new();

/// By backend id: its weight, where flows are counted.
#[btf_map]
pub(crate) static WEIGHTS: Array<u32, { MAX_BACKENDS as usize }> = Array::new();

/// By backend id: flows opened, less those that ended.
#[btf_map]
pub(crate) static FLOWS_OPENED: Array<i64, { MAX_BACKENDS as usize }> = Array::new();

/// By backend id: what the daemon's last count adds to that.
#[btf_map]
pub(crate) static FLOWS_COUNTED: Array<i64, { MAX_BACKENDS as usize }> = Array::new();

/// Ends here and goes on with another program, which begins with the packet as it is. The daemon puts
/// it there before it attaches this one; if it were not there, the kernel would get the packet.
#[inline(always)]
pub(crate) fn hand_over(ctx: &XdpContext, stage: Stage) -> u32 {
    // SAFETY: nothing here waits to be dropped.
    unsafe { PROGRAMS.tail_call(ctx, stage as u32) };
    xdp_action::XDP_PASS
}

/// Sends the packet out of another interface; drops it if that has gone in the meantime.
#[inline(always)]
pub(crate) fn redirect(ifindex: u32) -> u32 {
    match INTERFACES.redirect(ifindex, u64::from(xdp_action::XDP_DROP)) {
        Ok(action) | Err(action) => action,
    }
}
