//! [`Tables`] over the maps.

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use aya_ebpf::{
    bindings::BPF_NOEXIST, btf_maps::lpm_trie::Key as Prefix, helpers, programs::XdpContext,
};
use lb_common::{
    abi::{
        AddrBe, Backend, Counter, Endpoint, Flow, FlowKey, FragmentKey, Limits, Origin, Ports,
        Reason, Return, Scratch, ServerId, Service, SourceBucket, SourceKey, Vlan,
    },
    decide::{Added, Route, RouteQuery, Tables},
    limit::Rate,
    limits::{CHUNK_SLOTS, ICMP_BURST, ICMP_INTERVAL, REASONS_PER_SERVICE},
    parse::rare::Work,
    slot::{STAMP_WORD, Slot},
    time,
};

use crate::{
    maps, new_flows, route, services,
    services::Key,
    witness::{Nobody, Witness},
};

/// The tables as a packet sees them, and whoever is told what is counted.
pub(crate) struct MapTables<'a, W = Nobody> {
    ctx: &'a XdpContext,
    witness: PhantomData<W>,
}

impl<'a, W: Witness> MapTables<'a, W> {
    #[inline(always)]
    pub(crate) const fn new(ctx: &'a XdpContext) -> Self {
        Self { ctx, witness: PhantomData }
    }
}

/// This CPU's memory of some kind for the packet at hand.
pub(crate) struct CpuMemory<M>(*mut M);

impl<M> Deref for CpuMemory<M> {
    type Target = M;

    #[inline(always)]
    fn deref(&self) -> &M {
        // SAFETY: the pointer is to this CPU's own copy of the entry, and the program is not
        // preempted by itself on one CPU. Zeros, which a new entry holds, are a value of either kind.
        unsafe { &*self.0 }
    }
}

impl<M> DerefMut for CpuMemory<M> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut M {
        // SAFETY: as above; a packet asks for the memory once.
        unsafe { &mut *self.0 }
    }
}

impl<W: Witness> Tables for MapTables<'_, W> {
    type FlowRef = *mut Flow;
    type ReturnRef = *mut Return;
    type Scratch = CpuMemory<Scratch>;

    #[inline(always)]
    fn scratch(&self) -> Option<CpuMemory<Scratch>> {
        maps::SCRATCH.get_ptr_mut(0).map(CpuMemory)
    }

    #[inline(always)]
    fn work(&self) -> Option<impl DerefMut<Target = Work>> {
        maps::WORK.get_ptr_mut(0).map(CpuMemory)
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: the helper has no arguments and cannot fail.
        time::tick(unsafe { helpers::bpf_ktime_get_ns() })
    }

    #[inline(always)]
    fn meta(&self) -> u32 {
        match maps::META.get(0) {
            Some(meta) => meta.flags,
            None => 0,
        }
    }

    #[inline(always)]
    fn service(&self, vip: &Endpoint) -> Option<&Service> {
        services::at(vip)
    }

    #[inline(always)]
    fn service_by_id(&self, id: u32) -> Option<&Service> {
        services::by_id(id)
    }

    #[inline(always)]
    fn service_in_range(&self, ranges: u32, port: u16) -> Option<u32> {
        for range in &maps::RANGES.get(ranges)?.ranges {
            if range.service != 0 && range.first <= port && port <= range.last {
                return Some(range.service);
            }
        }
        None
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Slot {
        match slot_at(index) {
            // SAFETY: the pointer is into the map. The daemon replaces whole words, which a load of
            // a word sees either before or after.
            Some(word) => Slot::from_word(unsafe { word.read_volatile() }),
            None => Slot::default(),
        }
    }

    #[inline(always)]
    fn stamp(&self, index: u32, stamp: u16) {
        if let Some(word) = slot_at(index) {
            // SAFETY: the stamp is one of the four words of 16 bits that a slot is made of, and
            // nothing else is written.
            unsafe { word.cast::<u16>().add(STAMP_WORD).write_volatile(stamp) };
        }
    }

    #[inline(always)]
    fn server(&self, id: &ServerId) -> Option<u32> {
        // SAFETY: only the daemon writes server ids, and the value is one word.
        unsafe { maps::SERVER_IDS.get(id) }.copied()
    }

    #[inline(always)]
    fn flow(&self, key: &FlowKey) -> Option<(Flow, *mut Flow)> {
        let at = maps::FLOWS.get_ptr_mut(key)?;
        // SAFETY: the pointer is into the map. Another CPU may replace the entry under our eyes;
        // it is made of integers, each old or new.
        Some((unsafe { at.read() }, at))
    }

    #[inline(always)]
    fn refresh_flow(&self, at: *mut Flow, seen: u32, state: u8) {
        // SAFETY: `at` came from `flow` while this packet was handled.
        unsafe {
            (&raw mut (*at).seen).write_volatile(seen);
            (&raw mut (*at).state).write_volatile(state);
        }
    }

    #[inline(always)]
    fn put_flow(&self, key: &FlowKey, flow: &Flow) -> bool {
        maps::FLOWS.insert(key, flow, 0).is_ok()
    }

    #[inline(always)]
    fn forget_flow(&self, key: &FlowKey) {
        // Another CPU may have been faster.
        _ = maps::FLOWS.remove(key);
    }

    #[inline(always)]
    fn way_back(&self, key: &FlowKey) -> Option<(Return, *mut Return)> {
        let at = maps::RETURNS.get_ptr_mut(key)?;
        // SAFETY: as for flows.
        Some((unsafe { at.read() }, at))
    }

    #[inline(always)]
    fn refresh_way_back(&self, at: *mut Return, seen: u32, state: u8) {
        // SAFETY: `at` came from `way_back` while this packet was handled.
        unsafe {
            (&raw mut (*at).seen).write_volatile(seen);
            (&raw mut (*at).state).write_volatile(state);
        }
    }

    #[inline(always)]
    fn add_way_back(&self, key: &FlowKey, way: &Return) -> Added {
        const EEXIST: i32 = -17;
        match maps::RETURNS.insert(key, way, u64::from(BPF_NOEXIST)) {
            Ok(()) => Added::New,
            Err(EEXIST) => Added::Taken,
            Err(_) => Added::Full,
        }
    }

    #[inline(always)]
    fn forget_way_back(&self, key: &FlowKey) {
        // Another CPU may have been faster.
        _ = maps::RETURNS.remove(key);
    }

    #[inline(always)]
    fn backend(&self, id: u32) -> Option<&Backend> {
        maps::BACKENDS.get(id)
    }

    #[inline(always)]
    fn origin(&self, backend: &Endpoint) -> Option<&Origin> {
        // SAFETY: as for services.
        unsafe { maps::ORIGINS.get(Key(*backend)) }
    }

    #[inline(always)]
    fn route(&self, query: &RouteQuery) -> Route {
        route::look_up(self.ctx, query)
    }

    #[inline(always)]
    fn may_be_listed(&self, bit: u32) -> bool {
        match maps::SOURCE_FILTER.get(bit / u64::BITS) {
            Some(word) => word >> (bit % u64::BITS) & 1 != 0,
            None => true,
        }
    }

    #[inline(always)]
    fn source_rule(&self, list: u32, addr: &AddrBe) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
        const BITS: u32 = 8 * size_of::<SourceKey>() as u32;
        maps::SOURCES.get(&Prefix::new(BITS, SourceKey { list, addr_be: *addr })).copied()
    }

    #[inline(always)]
    fn limits(&self, service: u32) -> Option<&Limits> {
        maps::LIMITS.get(service)
    }

    #[inline(always)]
    fn take_of_source(&self, source: &SourceBucket, rate: Rate) -> bool {
        new_flows::take_of_source(source, rate)
    }

    #[inline(always)]
    fn take_of_service(&self, service: u32, rate: Rate) -> bool {
        new_flows::take_of_service(service, rate)
    }

    #[inline(always)]
    fn turn(&self, service: &Service) -> u32 {
        new_flows::turn(service)
    }

    #[inline(always)]
    fn next_turn(&self, service: &Service) -> u32 {
        new_flows::next_turn(service)
    }

    #[inline(always)]
    fn random(&self) -> u32 {
        // SAFETY: the helper has no arguments and cannot fail.
        unsafe { helpers::bpf_get_prandom_u32() }
    }

    #[inline(always)]
    fn flows(&self, backend: u32) -> u64 {
        new_flows::flows(backend)
    }

    #[inline(always)]
    fn weight(&self, backend: u32) -> u32 {
        maps::WEIGHTS.get(backend).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn add_flows(&self, backend: u32, by: i64) {
        new_flows::add_flows(backend, by);
    }

    #[inline(always)]
    fn direct_seen(&self, backend: u32) -> bool {
        matches!(maps::DIRECT_SEEN.get(backend), Some(1..))
    }

    #[inline(always)]
    fn is_direct(&self, flow: &FlowKey) -> bool {
        maps::DIRECT_FLOWS.get_ptr(flow).is_some()
    }

    #[inline(always)]
    fn remember_direct(&self, flow: &FlowKey, backend: u32) {
        if self.is_direct(flow) {
            return;
        }
        if let Some(seen) = maps::DIRECT_SEEN.get_ptr_mut(backend) {
            // SAFETY: the pointer is into the map; only ones are ever written.
            unsafe { seen.write(1) };
        }
        // A full table drops its oldest entry; nothing else can fail that we could mend here.
        _ = maps::DIRECT_FLOWS.insert(flow, 1_u32, 0);
    }

    #[inline(always)]
    fn forget_direct(&self, flow: &FlowKey) {
        // Most often there is nothing to forget.
        _ = maps::DIRECT_FLOWS.remove(flow);
    }

    #[inline(always)]
    fn vip(&self, addr: &AddrBe) -> Option<u32> {
        // SAFETY: only the daemon writes them, and the value is one word.
        unsafe { maps::VIPS.get(addr) }.copied()
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<Ports> {
        // SAFETY: an entry is written by one fragment; what another CPU does to it meanwhile is of a
        // packet that has taken the identification over.
        unsafe { maps::FRAGMENTS.get(key) }.copied()
    }

    #[inline(always)]
    fn remember_fragment(&self, key: &FragmentKey, ports: &Ports) {
        // A full table drops its oldest entry; the later fragments would be dropped otherwise.
        _ = maps::FRAGMENTS.insert(key, ports, 0);
    }

    #[inline(always)]
    fn tags(&self, backend: u32) -> u32 {
        maps::TAGS.get(backend).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn vlan(&self, ifindex: u32) -> Option<Vlan> {
        // SAFETY: only the daemon writes them; an entry that it replaces under our eyes is made of
        // two words, each old or new.
        unsafe { maps::VLANS.get(ifindex) }.copied()
    }

    #[inline(always)]
    fn may_answer(&self) -> bool {
        const RATE: Rate = Rate { interval: ICMP_INTERVAL, burst: ICMP_BURST };
        let Some(word) = maps::ICMP_LIMIT.get_ptr_mut(0) else { return false };
        // SAFETY: the helper has no arguments and cannot fail.
        let now = unsafe { helpers::bpf_ktime_get_ns() };
        // SAFETY: the pointer is to this CPU's own copy of the entry, and the program is not
        // preempted by itself on one CPU.
        let next = RATE.take(unsafe { *word }, now);
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { *word = next };
        }
        next.is_some()
    }

    #[inline(always)]
    fn count(&self, service: u32, reason: Reason, bytes: u64) {
        let index = service * REASONS_PER_SERVICE + reason as u32;
        add(maps::PACKET_COUNTERS.get_ptr_mut(index), bytes);
        W::counted(service, reason);
    }

    #[inline(always)]
    fn count_backend(&self, backend: u32, bytes: u64) {
        add(maps::BACKEND_COUNTERS.get_ptr_mut(backend), bytes);
        W::sent_to(backend);
    }
}

/// A slot in its chunk.
#[inline(always)]
fn slot_at(index: u32) -> Option<*mut u64> {
    maps::RINGS.get_value_ptr_mut(index / CHUNK_SLOTS, &(index % CHUNK_SLOTS))
}

#[inline(always)]
fn add(counter: Option<*mut Counter>, bytes: u64) {
    if let Some(counter) = counter {
        // SAFETY: the pointer is to this CPU's own copy of the entry, and the program is not
        // preempted by itself on one CPU.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += bytes;
        }
    }
}
