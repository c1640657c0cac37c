//! A packet addressed to a service, to its backend.

use core::hint::cold_path;

use super::{
    Outcome, Tables,
    choose::{Chosen, choose},
    find::backend_port,
    schedule::count,
    translate,
};
use crate::{
    abi::{
        AddrBe, BACKEND_RESOLVED, BACKEND_SHARED, BACKEND_TAGGED, Backend, ForwardMode, Reason,
        SERVICE_AFFINITY, SERVICE_RANGE, Service, is_v4_mapped, v4_mapped,
    },
    hash,
    parse::Packet,
    rewrite::{self, End, Hop, Tunnel, icmp::Refusal},
    wire::{Frame, transport, write_link},
};

/// `None` if the frame ends before a header does, which parsing has ruled out.
#[inline(always)]
pub(super) fn to_backend<const RARE: bool, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    service: &Service,
    bytes: u64,
) -> Option<Outcome> {
    let hash = flow_hash(packet, service);
    if packet.ttl <= 1 {
        return Some(Outcome::refuse(service.id, Refusal::TtlExpired));
    }
    if service.mode == ForwardMode::FullNat as u8 {
        return translate::both_ends::<RARE, F, T>(frame, tables, packet, service, hash, bytes);
    }
    let slot_hash = slot_hash(packet, service, hash);
    let chosen = choose::<RARE, F, T>(frame, tables, packet, service, slot_hash);
    let Chosen { id, backend, opened } = match chosen {
        Ok(chosen) => chosen,
        Err(outcome) => return Some(outcome),
    };
    // As if the packet had not been looked at.
    let take_back = || {
        if opened {
            tables.forget_flow(&packet.flow());
            count(tables, service, id, -1);
        }
    };
    if !RARE && backend.flags & BACKEND_TAGGED != 0 {
        take_back();
        return Some(Outcome::rare());
    }
    let resolved = backend.flags & BACKEND_RESOLVED != 0;
    let tunnel = tunnel(service, backend);
    if resolved && let Some(most) = too_big(packet, backend, tunnel) {
        take_back();
        return Some(Outcome::refuse(service.id, Refusal::TooBig(most)));
    }
    if service.mode == ForwardMode::Nat as u8 {
        forget_direct(tables, packet, backend, id);
        // Any port of the backend's may send a reply of a range.
        let ways_back = backend.flags & BACKEND_SHARED != 0 || service.flags & SERVICE_RANGE != 0;
        if ways_back
            && let Some(reason) = translate::remember_way_back(tables, packet, service, backend, id)
        {
            take_back();
            return Some(Outcome::drop(service.id, reason));
        }
        let hop = if resolved { Hop::Here } else { Hop::Later };
        let port_be = backend_port(service, backend, packet.dst_port_be);
        rewrite::end(frame, packet, End::Destination, &backend.addr_be, port_be, hop)?;
        if !resolved {
            return Some(Outcome::pass(service.id, Reason::BackendUnresolved));
        }
    } else {
        if !resolved {
            return Some(Outcome::drop(service.id, Reason::NoNextHop));
        }
        if !carry(frame, packet, service, backend, tunnel, hash)? {
            return Some(Outcome::drop(service.id, Reason::NoHeadroom));
        }
    }
    let to = (id, backend);
    sent::<RARE, F, T>(frame, tables, service, to, Reason::Forwarded, bytes)
}

/// Has a packet ready for its backend with both ends as they are: as it is, or inside another. Says
/// whether there was room for that.
#[inline(always)]
pub(super) fn carry<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    service: &Service,
    backend: &Backend,
    tunnel: Option<Tunnel>,
    hash: u32,
) -> Option<bool> {
    rewrite::decrement_ttl(frame, packet)?;
    let Some(tunnel) = tunnel else { return Some(true) };
    let source = source(service, backend, tunnel, hash);
    let room = rewrite::encapsulate(frame, packet, tunnel, &source, &backend.addr_be, hash);
    Some(room.is_some())
}

/// Sends what is ready for a backend.
#[inline(always)]
pub(super) fn sent<const RARE: bool, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    service: &Service,
    (id, backend): (u32, &Backend),
    reason: Reason,
    bytes: u64,
) -> Option<Outcome> {
    write_link(frame, &backend.link)?;
    tables.count_backend(id, bytes);
    let sent = Outcome::send(service.id, reason, backend.ifindex);
    Some(sent.tagged(tags::<RARE, T>(tables, backend, id)))
}

/// Hash of a packet's flow, which picks the slot unless all flows of a client have one.
#[inline(always)]
pub(super) fn flow_hash(packet: &Packet, service: &Service) -> u32 {
    hash::flow(
        service.seed,
        &packet.src_be,
        &packet.dst_be,
        packet.src_port_be,
        packet.dst_port_be,
        packet.protocol,
    )
}

/// The hash that picks the slot, by that of the flow.
#[inline(always)]
pub(super) fn slot_hash(packet: &Packet, service: &Service, flow: u32) -> u32 {
    if service.flags & SERVICE_AFFINITY == 0 {
        return flow;
    }
    hash::client(service.seed, &packet.src_be)
}

/// The VLAN tags of frames to a backend.
#[inline(always)]
fn tags<const RARE: bool, T: Tables>(tables: &T, backend: &Backend, id: u32) -> u32 {
    if RARE && backend.flags & BACKEND_TAGGED != 0 { tables.tags(id) } else { 0 }
}

/// How long a packet to a backend may be, if this one is too long.
#[inline(always)]
pub(super) fn too_big(packet: &Packet, backend: &Backend, tunnel: Option<Tunnel>) -> Option<u32> {
    let overhead = tunnel.map_or(0, Tunnel::overhead);
    let mtu = u32::from(backend.mtu);
    if u32::from(packet.ip_len) + overhead <= mtu {
        return None;
    }
    Some(mtu.saturating_sub(overhead))
}

#[inline(always)]
pub(super) fn tunnel(service: &Service, backend: &Backend) -> Option<Tunnel> {
    if service.mode == ForwardMode::Ipip as u8 {
        return Some(Tunnel { outer_v4: is_v4_mapped(&backend.addr_be), gue: false });
    }
    if service.mode == ForwardMode::Gue as u8 {
        return Some(Tunnel { outer_v4: is_v4_mapped(&backend.addr_be), gue: true });
    }
    None
}

/// Source of the outer header: the backend's own interface, or an address of the service's prefix,
/// picked by the flow's hash so that the backend's network card spreads flows over its queues.
#[inline(always)]
fn source(service: &Service, backend: &Backend, tunnel: Tunnel, hash: u32) -> AddrBe {
    if tunnel.outer_v4 {
        if service.source_v4_be == 0 {
            return backend.source_be;
        }
        return v4_mapped(service.source_v4_be | (hash & service.spread_v4_be));
    }
    let [a, b, c, d] = service.source_v6_be;
    if a == 0 {
        return backend.source_be;
    }
    [a, b, c, d | (hash & service.spread_v6_be)]
}

/// A client may reuse a port with which it spoke to the backend directly: once the flow is opened
/// through the service, its replies are the service's again. UDP has no opening packet, so every
/// packet counts as one; without direct clients this costs one look at a flag.
#[inline(always)]
fn forget_direct<T: Tables>(tables: &T, packet: &Packet, backend: &Backend, id: u32) {
    let may_open = packet.opens_flow || packet.protocol == transport::UDP;
    if may_open && tables.direct_seen(id) {
        cold_path();
        let mut flow = packet.flow();
        flow.dst_be = backend.addr_be;
        flow.dst_port_be = backend.port_be;
        tables.forget_direct(&flow);
    }
}
