//! What has come to an end: moving slots that settle, and remembered flows that are over.
//!
//! The tables are too large to be read between two requests, so a sweep works on a [`Plan`] made
//! before, apart from the event loop. What it finds is checked against the tables of the moment
//! before anything is done about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lb_common::{
    abi::{
        BACKEND_LEAVING, Endpoint, Flow, FlowKey, FlowState, ForwardMode, Return, SERVICE_AFFINITY,
        SERVICE_RANGES, Scheduler, Service, Tracking,
    },
    flow::is_over,
    hash,
    slot::Slot,
};

use super::{Image, Op};

/// What a sweep looks at.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    services: BTreeMap<u32, Swept>,
    /// Backends that are leaving.
    leaving: BTreeSet<u32>,
    /// Backends whose flows are counted.
    counted: BTreeSet<u32>,
    /// The present tick.
    tick: u32,
}

/// A service, as a sweep sees it.
#[derive(Clone, Debug)]
struct Swept {
    service: Service,
    vip_be: [u32; 4],
    first_port: u16,
    last_port: u16,
    /// Epochs of its moving slots, by their index in the ring table.
    moving: HashMap<u32, u16>,
}

/// What a sweep has found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// Slots that have settled, as they were read.
    pub settled: Vec<(u32, Slot)>,
    /// Leaving backends that no remembered flow names.
    pub unreferenced: BTreeSet<u32>,
    /// Flows, or ways back, that remain.
    pub remembered: usize,
}

impl Plan {
    /// The plan for tables that hold an image.
    pub fn new(image: &Image, tick: u32) -> Self {
        let mut plan = Self { tick, ..Self::default() };
        let ranges: HashMap<u32, (u16, u16)> = image
            .ranges
            .values()
            .flat_map(|row| row.ranges)
            .map(|range| (range.service, (range.first, range.last)))
            .collect();
        let is_service = |(_, service): &(&Endpoint, &Service)| service.flags & SERVICE_RANGES == 0;
        for (vip, service) in image.services.iter().filter(is_service) {
            let words = image.rings.get(&service.ring_base).map_or(&[][..], Vec::as_slice);
            let slots = (service.ring_base..).zip(words.iter().map(|word| Slot::from_word(*word)));
            let moving = slots.filter(|(_, slot)| slot.is_moving());
            let moving = moving.map(|(index, slot)| (index, slot.epoch())).collect();
            let port = u16::from_be(vip.port_be);
            let (first_port, last_port) = ranges.get(&service.id).copied().unwrap_or((port, port));
            let swept =
                Swept { service: *service, vip_be: vip.addr_be, first_port, last_port, moving };
            plan.services.insert(service.id, swept);
        }
        let leaving = image.backends.iter().filter(|(_, b)| b.flags & BACKEND_LEAVING != 0);
        plan.leaving = leaving.map(|(id, _)| *id).collect();
        plan.counted = image.weights.keys().copied().collect();
        plan
    }

    /// Moving slots, whose stamps must be read, with the idle time of their service.
    pub fn moving(&self) -> impl Iterator<Item = (u32, u16)> {
        self.services
            .values()
            .flat_map(|swept| swept.moving.keys().map(|index| (*index, swept.service.idle_ticks)))
    }

    /// Whether a slot, as it was read, has settled.
    pub fn has_settled(&self, slot: Slot, idle_ticks: u16) -> bool {
        slot.is_moving() && !slot.swept(idle_ticks, self.tick).is_moving()
    }

    /// Whether a flow is to be forgotten; `way` is its way back, if it has one.
    pub fn flow_is_over(&self, key: &FlowKey, flow: &Flow, way: Option<&Return>) -> bool {
        if self.is_new(flow.seen) {
            return false;
        }
        let Some(swept) = self.services.get(&flow.service) else { return true };
        if !swept.has(&key.dst_be, key.dst_port_be) {
            return true;
        }
        let service = &swept.service;
        let remembers_all =
            service.mode == ForwardMode::FullNat as u8 || service.tracking == Tracking::All as u8;
        if !remembers_all && swept.moving.get(&slot_of(service, key)) != Some(&flow.epoch) {
            return true;
        }
        is_over(flow.state, flow.seen, self.tick, service.idle_ticks)
            && way.is_none_or(|way| self.is_silent(way, service))
    }

    /// Whether a way back is to be forgotten; `flow` is its flow, if that is remembered, too.
    pub fn way_is_over(&self, way: &Return, flow: Option<&Flow>) -> bool {
        if self.is_new(way.seen) {
            return false;
        }
        let Some(swept) = self.services.get(&way.service) else { return true };
        if !swept.has(&way.vip_be, way.vip_port_be) {
            return true;
        }
        self.is_silent(way, &swept.service)
            && flow.is_none_or(|flow| {
                is_over(flow.state, flow.seen, self.tick, swept.service.idle_ticks)
            })
    }

    /// Whether there was a packet in the plan's tick or after it: the flow may belong to a service, or
    /// a moving slot, that the plan does not know.
    const fn is_new(&self, seen: u32) -> bool {
        seen.wrapping_sub(self.tick) <= u32::MAX / 2
    }

    fn is_silent(&self, way: &Return, service: &Service) -> bool {
        is_over(way.state, way.seen, self.tick, service.idle_ticks)
    }

    /// Backends whose flows are counted.
    pub const fn counted(&self) -> &BTreeSet<u32> {
        &self.counted
    }

    /// Whether a flow counts as one that its backend has.
    pub fn counts(&self, flow: &Flow) -> bool {
        let by_flows = |swept: &Swept| swept.service.scheduler == Scheduler::LeastFlows as u8;
        flow.state != FlowState::Closing as u8
            && self.services.get(&flow.service).is_some_and(by_flows)
    }

    /// Leaving backends that are not among those named.
    pub fn unreferenced(&self, named: &BTreeSet<u32>) -> BTreeSet<u32> {
        self.leaving.difference(named).copied().collect()
    }
}

impl Swept {
    /// Whether an address and port is the service's.
    fn has(&self, addr_be: &[u32; 4], port_be: u16) -> bool {
        self.vip_be == *addr_be
            && (self.first_port..=self.last_port).contains(&u16::from_be(port_be))
    }
}

/// Which leaving backends may go, from one sweep to the next.
#[derive(Debug, Default)]
pub struct Leaving {
    /// Those that the last sweep would have let go.
    silent: BTreeSet<u32>,
    /// Packets of those that connection ids name, and since when there were no more.
    quiet: BTreeMap<u32, (u64, u32)>,
}

impl Leaving {
    /// A sweep was of no use, because backends have come or gone since it began.
    pub fn missed(&mut self) {
        self.silent.clear();
    }

    /// The backends that may go, of those that no remembered flow named in a sweep; `packets` tells
    /// how many a backend got so far.
    ///
    /// Not at the first sight: answers to what was sent last, without any state, may be under way.
    pub fn may_go<E>(
        &mut self,
        unreferenced: BTreeSet<u32>,
        image: &Image,
        tick: u32,
        packets: impl Fn(u32) -> Result<u64, E>,
    ) -> Result<BTreeSet<u32>, E> {
        let silent = self.without_talking(unreferenced, image, tick, packets)?;
        let twice = &silent & &self.silent;
        self.silent = silent;
        Ok(twice)
    }

    /// Leaves out backends that still got packets in the idle time of their service: flows that
    /// connection ids bring to a backend are remembered nowhere.
    fn without_talking<E>(
        &mut self,
        mut ids: BTreeSet<u32>,
        image: &Image,
        tick: u32,
        packets: impl Fn(u32) -> Result<u64, E>,
    ) -> Result<BTreeSet<u32>, E> {
        let idle: BTreeMap<u32, u16> =
            image.services.values().map(|service| (service.id, service.idle_ticks)).collect();
        self.quiet.retain(|id, _| ids.contains(id));
        for (key, id) in &image.servers {
            if !ids.contains(id) {
                continue;
            }
            let packets = packets(*id)?;
            let since = self.quiet.entry(*id).or_insert((packets, tick));
            if since.0 != packets {
                *since = (packets, tick);
            }
            let idle = idle.get(&key.service).copied().unwrap_or_default();
            if tick.wrapping_sub(since.1) < u32::from(idle) {
                ids.remove(id);
            }
        }
        Ok(ids)
    }
}

/// The slot of a flow. With affinity that is one for all flows of a client.
fn slot_of(service: &Service, key: &FlowKey) -> u32 {
    let hash = if service.flags & SERVICE_AFFINITY != 0 {
        hash::client(service.seed, &key.src_be)
    } else {
        hash::flow(
            service.seed,
            &key.src_be,
            &key.dst_be,
            key.src_port_be,
            key.dst_port_be,
            key.protocol,
        )
    };
    service.ring_base + (hash & service.ring_mask)
}

/// Key of the flow whose way back this is.
pub fn flow_key(key: &FlowKey, way: &Return) -> FlowKey {
    FlowKey {
        src_be: way.client_be,
        dst_be: way.vip_be,
        src_port_be: way.client_port_be,
        dst_port_be: way.vip_port_be,
        protocol: key.protocol,
        _pad: [0; 3],
    }
}

/// Key of the way back of a `full-nat` flow.
pub fn way_key(key: &FlowKey, flow: &Flow) -> FlowKey {
    FlowKey {
        src_be: flow.backend_be,
        dst_be: flow.source_be,
        src_port_be: flow.backend_port_be,
        dst_port_be: flow.source_port_be,
        protocol: key.protocol,
        _pad: [0; 3],
    }
}

/// The operations that settle slots: those that are still what they were when they were read.
pub fn settle(image: &Image, settled: &[(u32, Slot)]) -> Vec<Op> {
    let still = |index: u32, read: Slot| {
        let (base, ring) = image.rings.range(..=index).next_back()?;
        let word = ring.get((index - base) as usize)?;
        (Slot::from_word(*word).stamped(0) == read.stamped(0))
            .then_some((index, Slot::settled(read.owner(), read.epoch())))
    };
    let settled = settled.iter().filter_map(|(index, read)| still(*index, *read));
    settled.map(|(index, slot)| Op::PutSlots(index, vec![slot.word()])).collect()
}
