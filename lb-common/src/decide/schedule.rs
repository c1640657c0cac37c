//! Services whose flows are all remembered: which backend a new one gets.
//!
//! A packet of a flow that nobody remembers and that does not open one goes by the ring, and leaves no
//! trace: its flow may have begun at another balancer, or it is one of a flood.

use core::hint::cold_path;

use super::{
    Tables,
    admit::leave_to_open,
    choose::{Choice, by_ring, is_alive},
};
use crate::{
    abi::{Flow, FlowState, Reason, SERVICE_LIMITED, Scheduler, Service},
    flow::{is_over, next_state},
    parse::Packet,
    slot::Slot,
    wire::transport,
};

/// The backend of a packet of a service whose flows are all remembered.
#[inline(always)]
pub(super) fn tracked<const RARE: bool, T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    slot: Slot,
    index: u32,
) -> Choice {
    cold_path();
    let Some(mut scratch) = tables.scratch() else { return Choice::none(Reason::FlowTableFull) };
    let now = tables.now();
    scratch.key = packet.flow();
    if let Some((flow, at)) = tables.flow(&scratch.key)
        && !is_over(flow.state, flow.seen, now, service.idle_ticks)
        && !(packet.opens_flow && flow.state == FlowState::Closing as u8)
        && is_alive(tables, flow.backend)
    {
        let state =
            if packet.opens_flow { flow.state } else { next_state(flow.state, packet.closes_flow) };
        if flow.seen != now || flow.state != state {
            tables.refresh_flow(at, now, state);
        }
        if flow.state != state && state == FlowState::Closing as u8 {
            count(tables, service, flow.backend, -1);
        }
        return Choice::of(flow.backend);
    }
    if !packet.opens_flow && packet.protocol == transport::TCP {
        return by_ring(tables, slot, index, now);
    }
    let backend = if is_plain(service) {
        slot.owner()
    } else if RARE {
        let reason = leave_to_open(tables, service, packet, &mut scratch);
        if reason != Reason::Forwarded {
            return Choice::none(reason);
        }
        pick(tables, service, slot)
    } else {
        return Choice::rare();
    };
    if backend == 0 {
        return Choice::none(Reason::NoBackend);
    }
    let state = if packet.opens_flow { FlowState::Opening } else { FlowState::Open };
    scratch.flow = Flow::new(backend, service.id, now, slot.epoch(), state);
    if !tables.put_flow(&scratch.key, &scratch.flow) {
        return Choice::none(Reason::FlowTableFull);
    }
    count(tables, service, backend, 1);
    Choice::opened(backend)
}

/// Whether a new flow gets the owner of its slot, and always.
#[inline(always)]
pub(super) const fn is_plain(service: &Service) -> bool {
    service.scheduler == Scheduler::Maglev as u8 && service.flags & SERVICE_LIMITED == 0
}

/// Notes that a backend has more or fewer flows, where somebody asks for their number.
#[inline(always)]
pub(super) fn count<T: Tables>(tables: &T, service: &Service, backend: u32, by: i64) {
    if service.scheduler == Scheduler::LeastFlows as u8 {
        tables.add_flows(backend, by);
    }
}

/// The backend that a new flow gets, by the scheduler; 0 if there is none.
#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, service: &Service, slot: Slot) -> u32 {
    let picked = if service.scheduler == Scheduler::RoundRobin as u8 {
        tables.turn(service)
    } else if service.scheduler == Scheduler::Random as u8 {
        at_random(tables, service)
    } else if service.scheduler == Scheduler::LeastFlows as u8 {
        less_loaded(tables, at_random(tables, service), at_random(tables, service))
    } else {
        0
    };
    // A backend that has died since its turn was written.
    if picked != 0 && is_alive(tables, picked) { picked } else { slot.owner() }
}

/// The owner of any slot: each backend has slots by its weight.
#[inline(always)]
fn at_random<T: Tables>(tables: &T, service: &Service) -> u32 {
    tables.slot(service.ring_base + (tables.random() & service.ring_mask)).owner()
}

/// The one of two with fewer flows for its weight (Mitzenmacher, "The Power of Two Choices in
/// Randomized Load Balancing", 2001).
#[inline(always)]
fn less_loaded<T: Tables>(tables: &T, one: u32, other: u32) -> u32 {
    let (flows, weight) = (tables.flows(one), u64::from(tables.weight(one)));
    let (other_flows, other_weight) = (tables.flows(other), u64::from(tables.weight(other)));
    if flows * other_weight <= other_flows * weight { one } else { other }
}
