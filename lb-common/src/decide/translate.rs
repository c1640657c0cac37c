//! Flows whose way back must be remembered: all of `full-nat`, and those of `nat` to a backend that
//! several services share.
//!
//! Only a flow's opening packet makes entries, except for UDP, which has none, and for `nat`, whose
//! flows may be older than the second service. Entries of flows that are over are replaced where
//! they are in the way; the rest of them is swept by the daemon.

use core::hint::cold_path;

use super::{
    Outcome, Tables,
    admit::leave_to_open,
    choose::is_alive,
    find::backend_port,
    forward::{sent, slot_hash, too_big},
    schedule::{count, is_plain, pick},
    tables::Added,
};
use crate::{
    abi::{
        AddrBe, BACKEND_RESOLVED, BACKEND_TAGGED, Backend, Flow, FlowKey, FlowState, Reason,
        Return, Scratch, Service, is_v4_mapped, v4_mapped,
    },
    flow::{is_over, next_state},
    parse::Packet,
    rewrite::{self, Hop, icmp::Refusal},
    wire::{Frame, transport},
};

/// Source ports that are tried for a new flow, one after the other.
const PORT_TRIES: u32 = 16;

/// `full-nat`: the packet gets another source and destination.
#[inline(always)]
pub(super) fn both_ends<const RARE: bool, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    service: &Service,
    hash: u32,
    bytes: u64,
) -> Option<Outcome> {
    cold_path();
    let mut scratch = tables.scratch()?;
    let scratch = &mut *scratch;
    scratch.key = packet.flow();
    if !known_flow(tables, packet, service, scratch)
        && let Some(unopened) = new_flow::<RARE, T>(tables, packet, service, hash, scratch)
    {
        return Some(match unopened {
            Unopened::TooBig(most) => Outcome::refuse(service.id, Refusal::TooBig(most)),
            Unopened::For(Reason::NoBackend) => Outcome::no_backend(service),
            Unopened::For(reason) => Outcome::drop(service.id, reason),
            Unopened::Yet => Outcome::rare(),
        });
    }
    let flow = &scratch.flow;
    let Some(backend) = tables.backend(flow.backend) else {
        return Some(Outcome::drop(service.id, Reason::NoBackend));
    };
    if !RARE && backend.flags & BACKEND_TAGGED != 0 {
        return Some(Outcome::rare());
    }
    let resolved = backend.flags & BACKEND_RESOLVED != 0;
    if resolved && let Some(most) = too_big(packet, backend, None) {
        return Some(Outcome::refuse(service.id, Refusal::TooBig(most)));
    }
    let hop = if resolved { Hop::Here } else { Hop::Later };
    let source = (&flow.source_be, flow.source_port_be);
    let destination = (&flow.backend_be, flow.backend_port_be);
    rewrite::both(frame, packet, source, destination, hop)?;
    if !resolved {
        return Some(Outcome::pass(service.id, Reason::BackendUnresolved));
    }
    let to = (flow.backend, backend);
    sent::<RARE, F, T>(frame, tables, service, to, Reason::Forwarded, bytes)
}

/// Why a flow was not opened.
enum Unopened {
    /// Its packet is larger than so many bytes.
    TooBig(u32),
    /// Something else.
    For(Reason),
    /// That is left to the rare stages.
    Yet,
}

/// Whether the flow is remembered, and not over: then it is in the scratch memory.
#[inline(always)]
pub(super) fn known_flow<T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    scratch: &mut Scratch,
) -> bool {
    let Some((flow, at)) = tables.flow(&scratch.key) else { return false };
    scratch.flow = flow;
    let flow = &scratch.flow;
    let now = tables.now();
    let mut over = is_over(flow.state, flow.seen, now, service.idle_ticks);
    let mut closing = flow.state == FlowState::Closing as u8;
    if over || packet.opens_flow {
        // The backend may have sent all the time, or closed its end alone.
        scratch.way_key = way_back_key(flow, packet.protocol);
        if let Some((way, _)) = tables.way_back(&scratch.way_key) {
            over = over && is_over(way.state, way.seen, now, service.idle_ticks);
            closing = closing || way.state == FlowState::Closing as u8;
        }
    }
    let reopened = packet.opens_flow && closing;
    if reopened || over || !is_alive(tables, flow.backend) {
        scratch.way_key = way_back_key(flow, packet.protocol);
        tables.forget_way_back(&scratch.way_key);
        tables.forget_flow(&scratch.key);
        return false;
    }
    let state =
        if packet.opens_flow { flow.state } else { next_state(flow.state, packet.closes_flow) };
    if flow.seen != now || flow.state != state {
        tables.refresh_flow(at, now, state);
    }
    if flow.state != state && state == FlowState::Closing as u8 {
        count(tables, service, flow.backend, -1);
    }
    true
}

/// Key of the way back of a flow.
#[inline(always)]
const fn way_back_key(flow: &Flow, protocol: u8) -> FlowKey {
    FlowKey {
        src_be: flow.backend_be,
        dst_be: flow.source_be,
        src_port_be: flow.backend_port_be,
        dst_port_be: flow.source_port_be,
        protocol,
        _pad: [0; 3],
    }
}

/// Opens a flow: picks its backend and source, and remembers both ways. Says why not, if it cannot.
#[inline(always)]
fn new_flow<const RARE: bool, T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    hash: u32,
    scratch: &mut Scratch,
) -> Option<Unopened> {
    if !packet.opens_flow && packet.protocol != transport::UDP {
        return Some(Unopened::For(Reason::UnknownFlow));
    }
    let slot_hash = slot_hash(packet, service, hash);
    let slot = tables.slot(service.ring_base + (slot_hash & service.ring_mask));
    let id = if is_plain(service) {
        slot.owner()
    } else if RARE {
        let reason = leave_to_open(tables, service, packet, scratch);
        if reason != Reason::Forwarded {
            return Some(Unopened::For(reason));
        }
        pick(tables, service, slot)
    } else {
        return Some(Unopened::Yet);
    };
    let backend = match tables.backend(id) {
        Some(backend) if id != 0 => backend,
        _ => return Some(Unopened::For(Reason::NoBackend)),
    };
    if backend.flags & BACKEND_RESOLVED != 0
        && let Some(most) = too_big(packet, backend, None)
    {
        return Some(Unopened::TooBig(most));
    }
    let state = if packet.opens_flow { FlowState::Opening } else { FlowState::Open };
    scratch.flow = Flow::new(id, service.id, tables.now(), 0, state);
    scratch.flow.source_be = source(service, backend, hash);
    scratch.flow.backend_be = backend.addr_be;
    scratch.flow.backend_port_be = backend_port(service, backend, packet.dst_port_be);
    scratch.way = way_back(packet, &scratch.flow);
    scratch.way_key = way_back_key(&scratch.flow, packet.protocol);
    if let Some(reason) = take_free_port(tables, service, hash, scratch) {
        return Some(Unopened::For(reason));
    }
    scratch.flow.source_port_be = scratch.way_key.dst_port_be;
    scratch.key = packet.flow();
    if tables.put_flow(&scratch.key, &scratch.flow) {
        count(tables, service, id, 1);
        return None;
    }
    tables.forget_way_back(&scratch.way_key);
    Some(Unopened::For(Reason::FlowTableFull))
}

/// Takes the first free source port from a place on that the hash tells: it is in the key of the way
/// back then. Says why there is none. A flow that is over gives up the port at that place; others
/// wait for the sweep, for to look at each would be too much for the verifier.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the offset is below the number of ports")]
fn take_free_port<T: Tables>(
    tables: &T,
    service: &Service,
    hash: u32,
    scratch: &mut Scratch,
) -> Option<Reason> {
    let ports = u32::from(service.last_port_offset) + 1;
    // The hash times the number of ports, divided by 2^32, is below the number of ports.
    let mut offset = ((u64::from(hash) * u64::from(ports)) >> 32) as u32;
    scratch.way_key.dst_port_be = service.first_port.wrapping_add(offset as u16).to_be();
    free_if_over(tables, service, scratch);
    for _ in 0..PORT_TRIES {
        match tables.add_way_back(&scratch.way_key, &scratch.way) {
            Added::New => return None,
            Added::Full => return Some(Reason::FlowTableFull),
            Added::Taken => {}
        }
        offset += 1;
        if offset >= ports {
            offset = 0;
        }
        scratch.way_key.dst_port_be = service.first_port.wrapping_add(offset as u16).to_be();
    }
    Some(Reason::PortsExhausted)
}

/// Forgets the flow that holds the way back's key, if it is over in both directions.
#[inline(always)]
fn free_if_over<T: Tables>(tables: &T, service: &Service, scratch: &mut Scratch) {
    let now = scratch.flow.seen;
    let Some((way, _)) = tables.way_back(&scratch.way_key) else { return };
    if !is_over(way.state, way.seen, now, service.idle_ticks) {
        return;
    }
    scratch.key = FlowKey {
        src_be: way.client_be,
        dst_be: way.vip_be,
        src_port_be: way.client_port_be,
        dst_port_be: way.vip_port_be,
        protocol: scratch.way_key.protocol,
        _pad: [0; 3],
    };
    if let Some((flow, _)) = tables.flow(&scratch.key) {
        let key = &scratch.way_key;
        let same = flow.source_port_be == key.dst_port_be && flow.backend_be == key.src_be;
        if same && !is_over(flow.state, flow.seen, now, service.idle_ticks) {
            return;
        }
        if same {
            tables.forget_flow(&scratch.key);
        }
    }
    tables.forget_way_back(&scratch.way_key);
}

/// Source address of a flow: one of the service's, by the hash.
#[inline(always)]
fn source(service: &Service, backend: &Backend, hash: u32) -> AddrBe {
    // The low bits pick the slot; without the turn, a backend's flows would have few sources.
    let hash = hash.rotate_left(16);
    if is_v4_mapped(&backend.addr_be) {
        return v4_mapped(service.source_v4_be | (hash & service.spread_v4_be));
    }
    let [a, b, c, d] = service.source_v6_be;
    [a, b, c, d | (hash & service.spread_v6_be)]
}

#[inline(always)]
const fn way_back(packet: &Packet, flow: &Flow) -> Return {
    Return {
        backend: flow.backend,
        service: flow.service,
        seen: flow.seen,
        state: flow.state,
        _pad: [0; 3],
        client_be: packet.src_be,
        vip_be: packet.dst_be,
        client_port_be: packet.src_port_be,
        vip_port_be: packet.dst_port_be,
    }
}

/// Remembers which service a `nat` flow to a shared backend came through. Says why the packet must
/// be dropped, if it must.
#[inline(always)]
pub(super) fn remember_way_back<T: Tables>(
    tables: &T,
    packet: &Packet,
    service: &Service,
    backend: &Backend,
    id: u32,
) -> Option<Reason> {
    cold_path();
    let Some(mut scratch) = tables.scratch() else { return Some(Reason::FlowTableFull) };
    let scratch = &mut *scratch;
    let now = tables.now();
    let state = if packet.opens_flow { FlowState::Opening } else { FlowState::Open };
    scratch.flow = Flow::new(id, service.id, now, 0, state);
    scratch.flow.source_be = packet.src_be;
    scratch.flow.source_port_be = packet.src_port_be;
    scratch.flow.backend_be = backend.addr_be;
    scratch.flow.backend_port_be = backend_port(service, backend, packet.dst_port_be);
    scratch.way_key = way_back_key(&scratch.flow, packet.protocol);
    if let Some((way, at)) = tables.way_back(&scratch.way_key) {
        let over = is_over(way.state, way.seen, now, service.idle_ticks)
            || packet.opens_flow && way.state == FlowState::Closing as u8;
        if way.service == service.id && !over {
            let state = if packet.opens_flow {
                way.state
            } else {
                next_state(way.state, packet.closes_flow)
            };
            if way.seen != now || way.state != state {
                tables.refresh_way_back(at, now, state);
            }
            return None;
        }
        if !over {
            return Some(Reason::FlowConflict);
        }
        tables.forget_way_back(&scratch.way_key);
    }
    scratch.way = way_back(packet, &scratch.flow);
    match tables.add_way_back(&scratch.way_key, &scratch.way) {
        Added::Full => Some(Reason::FlowTableFull),
        Added::New | Added::Taken => None,
    }
}
