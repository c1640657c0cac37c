//! Which backend a packet would go to, and why: what `shunt flow` asks.
//!
//! The same choice as for any packet, by the same code, over tables that take no notes: nothing is
//! counted, stamped or remembered.

mod silent;

use self::silent::Silent;
use super::{
    Tables, admit,
    choose::choose,
    find,
    forward::{flow_hash, slot_hash},
    schedule::pick,
    translate::known_flow,
};
use crate::{
    abi::{
        BACKEND_RESOLVED, Explanation, Flow, FlowState, ForwardMode, Reason, Scheduler, Service,
        Tracking, Why,
    },
    flow::is_over,
    parse::{Packet, Stop, parse},
    slot::Slot,
    wire::{Frame, transport},
};

/// What would become of a frame that is addressed to a service. The answer is written to memory that is
/// not the stack's, where the compiler would place it in words at odd places.
#[inline(always)]
pub fn explain<F: Frame, T: Tables>(frame: &F, tables: &T, found: &mut Explanation) {
    *found = Explanation::default();
    found.reason = match of_frame(frame, tables, found) {
        Ok(reason) | Err(reason) => reason as u8,
    };
}

/// What it would be counted under. `Err` where there is no backend.
#[inline(always)]
fn of_frame<F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    found: &mut Explanation,
) -> Result<Reason, Reason> {
    let packet = match parse(frame) {
        Ok(packet) => packet,
        Err(Stop::Pass(reason)) => return Err(reason),
        Err(Stop::Rare) => return Err(Reason::OtherProtocol),
    };
    let Some(service) = find::service(tables, &packet.destination()) else {
        return Err(Reason::NotOurs);
    };
    found.service = service.id;
    if !admit::serves(tables, service, &packet.src_be) {
        return Err(Reason::SourceDenied);
    }
    let hash = slot_hash(&packet, service, flow_hash(&packet, service));
    let slot = tables.slot(service.ring_base + (hash & service.ring_mask));
    (found.place, found.slot) = (hash & service.ring_mask, slot.word());
    let (id, why) = if service.mode == ForwardMode::FullNat as u8 {
        translated(tables, &packet, service, slot)?
    } else {
        match choose::<true, F, _>(frame, &Silent(tables), &packet, service, hash) {
            Ok(chosen) => (chosen.id, why(tables, &packet, service, slot, chosen.id)),
            Err(outcome) => return Err(outcome.reason),
        }
    };
    (found.backend, found.why) = (id, why as u8);
    Ok(reached(tables, service, id))
}

/// The backend of a `full-nat` flow, and why.
#[inline(always)]
fn translated<T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    slot: Slot,
) -> Result<(u32, Why), Reason> {
    let Some(mut scratch) = tables.scratch() else { return Err(Reason::FlowTableFull) };
    let scratch = &mut *scratch;
    scratch.key = packet.flow();
    if known_flow(&Silent(tables), packet, service, scratch) {
        return Ok((scratch.flow.backend, Why::Remembered));
    }
    if !packet.opens_flow && packet.protocol != transport::UDP {
        return Err(Reason::UnknownFlow);
    }
    let is_scheduled = service.scheduler != Scheduler::Maglev as u8;
    let (id, why) = if is_scheduled {
        (pick(&Silent(tables), service, slot), Why::Scheduled)
    } else {
        (slot.owner(), Why::Owner)
    };
    match tables.backend(id) {
        Some(_) if id != 0 => Ok((id, why)),
        _ => Err(Reason::NoBackend),
    }
}

/// Why a packet goes to a backend, if the mode is not `full-nat`.
#[inline(always)]
fn why<T: Tables>(tables: &T, packet: &Packet, service: &Service, slot: Slot, backend: u32) -> Why {
    let remembers_all = service.tracking == Tracking::All as u8;
    if (remembers_all || slot.is_moving())
        && let Some(flow) = remembered(tables, packet)
        && flow.backend == backend
    {
        let counts = if remembers_all {
            let reopened = packet.opens_flow && flow.state == FlowState::Closing as u8;
            !reopened && !is_over(flow.state, flow.seen, tables.now(), service.idle_ticks)
        } else {
            !packet.opens_flow && flow.epoch == slot.epoch()
        };
        if counts {
            return Why::Remembered;
        }
    }
    let opens = packet.opens_flow || packet.protocol == transport::UDP;
    if opens && service.scheduler != Scheduler::Maglev as u8 {
        return Why::Scheduled;
    }
    if backend == slot.owner() {
        Why::Owner
    } else if slot.is_moving() && backend == slot.previous() {
        Why::Previous
    } else {
        Why::Named
    }
}

#[inline(always)]
fn remembered<T: Tables>(tables: &T, packet: &Packet) -> Option<Flow> {
    let mut scratch = tables.scratch()?;
    scratch.key = packet.flow();
    tables.flow(&scratch.key).map(|(flow, _)| flow)
}

/// What a packet to a backend is counted under.
#[inline(always)]
fn reached<T: Tables>(tables: &T, service: &Service, id: u32) -> Reason {
    let resolved = match tables.backend(id) {
        Some(backend) => backend.flags & BACKEND_RESOLVED != 0,
        None => false,
    };
    let rewrites =
        service.mode == ForwardMode::Nat as u8 || service.mode == ForwardMode::FullNat as u8;
    match (resolved, rewrites) {
        (true, _) => Reason::Forwarded,
        (false, true) => Reason::BackendUnresolved,
        (false, false) => Reason::NoNextHop,
    }
}
