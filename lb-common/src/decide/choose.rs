//! Which backend a packet of a service belongs to: just-enough tracking.
//!
//! A packet in a settled slot goes to the slot's owner, and no table is asked. While a slot moves,
//! a flow is remembered when it is opened; a packet of a flow that is not remembered is older than
//! the change, and goes to the previous owner.

use core::hint::cold_path;

use super::{Outcome, Tables, admit::leave_to_open, schedule::tracked};
use crate::{
    abi::{
        BACKEND_LEAVING, Backend, Flow, FlowState, Reason, SERVICE_LIMITED, ServerId, Service,
        Tracking,
    },
    flow::next_state,
    parse::Packet,
    quic,
    slot::Slot,
    time,
    wire::{Frame, transport},
};

/// A backend, and its id.
pub(super) struct Chosen<'a> {
    pub(super) id: u32,
    pub(super) backend: &'a Backend,
    /// The packet's flow was not remembered before it, and is now.
    pub(super) opened: bool,
}

/// The id of a backend, or why there is none. No `Result`: the compiler would keep it on the stack, and
/// read it at odd places, which the verifier refuses.
#[repr(C)]
pub(super) struct Choice {
    id: u32,
    /// The flow is remembered from this packet on.
    opened: bool,
    /// Left to the rare stages.
    rare: bool,
    /// `Forwarded`, if the packet can be.
    reason: Reason,
}

impl Choice {
    #[inline(always)]
    pub(super) const fn of(id: u32) -> Self {
        Self { id, opened: false, rare: false, reason: Reason::Forwarded }
    }

    #[inline(always)]
    pub(super) const fn opened(id: u32) -> Self {
        Self { id, opened: true, rare: false, reason: Reason::Forwarded }
    }

    #[inline(always)]
    pub(super) const fn none(reason: Reason) -> Self {
        Self { id: 0, opened: false, rare: false, reason }
    }

    #[inline(always)]
    pub(super) const fn rare() -> Self {
        Self { id: 0, opened: false, rare: true, reason: Reason::Forwarded }
    }
}

/// What a packet means to its flow.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    /// It opens it, whatever was remembered.
    Opens,
    /// It may open it, or repeat the opening: QUIC clients send several such packets.
    Begins,
    /// It belongs to a flow that was opened.
    Continues,
    /// It belongs to a flow that is remembered from its first packet on.
    Tracked,
    /// It belongs to a flow of this backend, whatever its slot.
    Of(u32),
}

/// The backend of a packet, by the hash that picks its slot.
#[inline(always)]
pub(super) fn choose<'t, const RARE: bool, F: Frame, T: Tables>(
    frame: &F,
    tables: &'t T,
    packet: &Packet,
    service: &Service,
    hash: u32,
) -> Result<Chosen<'t>, Outcome> {
    let index = service.ring_base + (hash & service.ring_mask);
    let slot = tables.slot(index);
    let choice = match part(frame, tables, packet, service) {
        Part::Of(backend) => Choice::of(backend),
        Part::Tracked => tracked::<RARE, T>(tables, packet, service, slot, index),
        part => untracked::<RARE, T>(tables, packet, service, slot, index, part),
    };
    if choice.rare {
        return Err(Outcome::rare());
    }
    if choice.reason != Reason::Forwarded && choice.reason != Reason::NoBackend {
        return Err(Outcome::drop(service.id, choice.reason));
    }
    let (id, opened) = (choice.id, choice.opened);
    match tables.backend(id) {
        Some(backend) if id != 0 => Ok(Chosen { id, backend, opened }),
        _ => Err(Outcome::no_backend(service)),
    }
}

/// The backend of a packet of a service whose flows are remembered only while their slot moves.
#[inline(always)]
fn untracked<const RARE: bool, T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    slot: Slot,
    index: u32,
    part: Part,
) -> Choice {
    let opens = part == Part::Opens || part == Part::Begins;
    if opens && service.flags & SERVICE_LIMITED != 0 {
        if !RARE {
            return Choice::rare();
        }
        let Some(mut scratch) = tables.scratch() else { return Choice::none(Reason::NewFlowLimit) };
        let reason = leave_to_open(tables, service, packet, &mut scratch);
        if reason != Reason::Forwarded {
            return Choice::none(reason);
        }
    }
    if slot.is_moving() {
        return moving(tables, packet, service, slot, index, part);
    }
    Choice::of(slot.owner())
}

/// The backend of a packet whose slot moves.
#[inline(always)]
fn moving<T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    slot: Slot,
    index: u32,
    part: Part,
) -> Choice {
    cold_path();
    let Some(mut scratch) = tables.scratch() else { return Choice::none(Reason::FlowTableFull) };
    let (now, owner) = (tables.now(), slot.owner());
    scratch.key = packet.flow();
    let known = if part == Part::Opens { None } else { tables.flow(&scratch.key) };
    let backend = match known {
        // A flow of another epoch had this client's port before the slot settled.
        Some((flow, at))
            if flow.epoch == slot.epoch()
                && (part == Part::Continues || is_alive(tables, flow.backend)) =>
        {
            let state = next_state(flow.state, packet.closes_flow);
            if flow.seen != now || flow.state != state {
                tables.refresh_flow(at, now, state);
            }
            flow.backend
        }
        _ if part == Part::Continues => slot.previous(),
        _ if owner == 0 => return Choice::none(Reason::NoBackend),
        _ => {
            let state = FlowState::Opening;
            scratch.flow = Flow::new(owner, service.id, now, slot.epoch(), state);
            if !tables.put_flow(&scratch.key, &scratch.flow) {
                return Choice::none(Reason::FlowTableFull);
            }
            return Choice::opened(owner);
        }
    };
    to(tables, slot, index, backend, now)
}

/// A packet of a flow that nobody remembers: older than a change of its slot.
#[inline(always)]
pub(super) fn by_ring<T: Tables>(tables: &T, slot: Slot, index: u32, now: u32) -> Choice {
    if slot.is_moving() {
        return to(tables, slot, index, slot.previous(), now);
    }
    Choice::of(slot.owner())
}

/// A backend, if it is alive, and else the owner of the slot, which is noted where it is another.
#[inline(always)]
fn to<T: Tables>(tables: &T, slot: Slot, index: u32, backend: u32, now: u32) -> Choice {
    let owner = slot.owner();
    if backend == owner || !is_alive(tables, backend) {
        return Choice::of(owner);
    }
    if slot.stamp() != time::stamp(now) {
        tables.stamp(index, time::stamp(now));
    }
    Choice::of(backend)
}

/// What a packet means to its flow, by the service's tracking.
#[inline(always)]
fn part<F: Frame, T: Tables>(frame: &F, tables: &T, packet: &Packet, service: &Service) -> Part {
    if service.tracking == Tracking::All as u8 {
        return Part::Tracked;
    }
    if service.tracking == Tracking::Quic as u8 && !packet.is_later_fragment() {
        return quic_part(frame, tables, packet, service);
    }
    if packet.opens_flow { Part::Opens } else { Part::Continues }
}

/// What a QUIC packet means to its flow: its connection id may name the backend.
#[inline(always)]
fn quic_part<F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    packet: &Packet,
    service: &Service,
) -> Part {
    cold_path();
    let quic = quic::read(frame, packet.transport() + transport::UDP_LEN);
    if quic.names_server
        && let Some(id) =
            tables.server(&ServerId { service: service.id, server_be: quic.server_be })
        && let Some(backend) = tables.backend(id)
        && backend.is_alive()
        // A client's first connection ids are random, and may look like a server's by chance; that
        // must not bring a new flow to who takes none.
        && (!quic.opens_flow || backend.flags & BACKEND_LEAVING == 0)
    {
        return Part::Of(id);
    }
    if quic.opens_flow { Part::Begins } else { Part::Continues }
}

/// The backend that a flow belongs to, for a packet that is about it and not of it: nothing is
/// remembered by it. 0 if there is none.
#[inline(always)]
pub(super) fn owner_of<T: Tables>(
    tables: &T,
    flow: &Packet,
    service: &Service,
    hash: u32,
) -> Option<u32> {
    let slot = tables.slot(service.ring_base + (hash & service.ring_mask));
    let is_tracked = service.tracking == Tracking::All as u8;
    if !is_tracked && !slot.is_moving() {
        return Some(slot.owner());
    }
    let mut scratch = tables.scratch()?;
    scratch.key = flow.flow();
    // UDP has none that were opened before they were remembered.
    let may_be_older = slot.is_moving() && !(is_tracked && flow.protocol == transport::UDP);
    let previous = if may_be_older { slot.previous() } else { slot.owner() };
    let backend = match tables.flow(&scratch.key) {
        Some((known, _)) if is_tracked || known.epoch == slot.epoch() => known.backend,
        _ => previous,
    };
    Some(if is_alive(tables, backend) { backend } else { slot.owner() })
}

#[inline(always)]
pub(super) fn is_alive<T: Tables>(tables: &T, id: u32) -> bool {
    match tables.backend(id) {
        Some(backend) => backend.is_alive(),
        None => false,
    }
}
