//! What happens to a packet: the per-packet state machine.
//!
//! [`process`] is the whole program. It reaches the tables through [`Tables`] and the packet through
//! [`Frame`], so that the kernel, the tests and a simulation run the same decisions. It keeps
//! nothing between packets.
//!
//! The order of the questions is fixed. Is the packet addressed to a service? Then it goes to the
//! owner of its slot. Does it come from the address of a `nat` backend? Then it may be a reply,
//! which gets the address of its service back as its source, unless it is for the balancer itself
//! or for a client that speaks to the backend directly. Everything else passes untouched.

use crate::{
    abi::{
        AddrBe, BACKEND_RESOLVED, Backend, Endpoint, FlowKey, ForwardMode, Origin, Reason, Service,
        Verdict,
    },
    hash,
    parse::{Family, Packet, parse},
    rewrite::{self, End, Hop},
    slot::Slot,
    wire::{Frame, transport},
};

/// What the decisions read, and the few things they write.
pub trait Tables {
    /// The service at an address.
    fn service(&self, vip: &Endpoint) -> Option<&Service>;
    /// A slot by its index in the ring table.
    fn slot(&self, index: u32) -> Slot;
    /// A backend by its id.
    fn backend(&self, id: u32) -> Option<&Backend>;
    /// The service that a backend address answers for, in `nat` mode.
    fn origin(&self, backend: &Endpoint) -> Option<&Origin>;
    /// The kernel's route for a packet.
    fn route(&self, query: &RouteQuery) -> Route;
    /// Whether any client ever spoke to this backend directly.
    fn direct_seen(&self, backend: u32) -> bool;
    /// Whether this flow, from client to backend, goes past the service.
    fn is_direct(&self, flow: &FlowKey) -> bool;
    /// Remembers that this flow, from client to backend, goes past the service.
    fn remember_direct(&self, flow: &FlowKey, backend: u32);
    /// Forgets that this flow, from client to backend, went past the service.
    fn forget_direct(&self, flow: &FlowKey);
    /// Counts a packet; `service` is 0 for packets of none.
    fn count(&self, service: u32, reason: Reason, bytes: u64);
    /// Counts a packet sent to a backend.
    fn count_backend(&self, backend: u32, bytes: u64);
}

/// A packet whose route is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RouteQuery {
    /// Interface that it arrived on.
    pub ingress: u32,
    /// Family of the addresses.
    pub family: Family,
    /// Transport protocol.
    pub protocol: u8,
    /// Length from the IP header on.
    pub ip_len: u16,
    /// Source address that it will have.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
}

/// The kernel's answer to a [`RouteQuery`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// To a next hop.
    Via {
        /// Outgoing interface.
        ifindex: u32,
        /// Destination and source MAC address, as they stand in the frame.
        link: [u32; 3],
    },
    /// To a next hop whose MAC address is not known yet.
    Unresolved,
    /// Nowhere else: the address is the balancer's own, or not a unicast address, or no route leads
    /// there. The kernel gives the same answer for all of them.
    Local,
    /// Too large for the way there.
    TooBig,
    /// Forbidden by a route, or forwarding is switched off.
    None,
}

/// What is to become of a packet, and what it is counted under.
struct Outcome {
    fate: Fate,
    /// Where a packet that is sent leaves; 0 for others. It is no part of [`Fate`], because then it
    /// would be undefined for others, and the compiler would compute with whatever a register
    /// holds: a pointer, say, which the verifier refuses.
    egress: u32,
    reason: Reason,
    service: u32,
}

#[derive(Clone, Copy)]
enum Fate {
    Pass,
    Drop,
    Send,
}

impl Outcome {
    #[inline(always)]
    const fn pass(service: u32, reason: Reason) -> Self {
        Self { fate: Fate::Pass, egress: 0, reason, service }
    }

    #[inline(always)]
    const fn drop(service: u32, reason: Reason) -> Self {
        Self { fate: Fate::Drop, egress: 0, reason, service }
    }

    #[inline(always)]
    const fn send(service: u32, reason: Reason, egress: u32) -> Self {
        Self { fate: Fate::Send, egress, reason, service }
    }

    #[inline(always)]
    const fn verdict(&self, ingress: u32) -> Verdict {
        match self.fate {
            Fate::Pass => Verdict::Pass,
            Fate::Drop => Verdict::Drop,
            Fate::Send if self.egress == ingress => Verdict::Transmit,
            Fate::Send => Verdict::Redirect { ifindex: self.egress },
        }
    }
}

/// Decides on a frame, rewrites it accordingly, and counts it.
#[inline(always)]
pub fn process<F: Frame, T: Tables>(frame: &mut F, tables: &T) -> Verdict {
    let bytes = frame.len() as u64;
    let outcome = match parse(frame) {
        Ok(packet) => decide(frame, tables, &packet),
        Err(reason) => Outcome::pass(0, reason),
    };
    tables.count(outcome.service, outcome.reason, bytes);
    outcome.verdict(frame.ingress())
}

#[inline(always)]
fn decide<F: Frame, T: Tables>(frame: &mut F, tables: &T, packet: &Packet) -> Outcome {
    if let Some(service) = tables.service(&packet.destination()) {
        return to_backend(frame, tables, packet, service)
            .unwrap_or(Outcome::drop(service.id, Reason::Truncated));
    }
    if let Some(origin) = tables.origin(&packet.source()) {
        return to_client(frame, tables, packet, origin)
            .unwrap_or(Outcome::drop(origin.service, Reason::Truncated));
    }
    if let Some(origin) = tables.origin(&packet.destination()) {
        tables.remember_direct(&packet.flow(), origin.backend);
    }
    Outcome::pass(0, Reason::NotOurs)
}

/// A packet addressed to a service.
#[inline(always)]
fn to_backend<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    service: &Service,
) -> Option<Outcome> {
    let hash = hash::flow(
        service.seed,
        &packet.src_be,
        &packet.dst_be,
        packet.src_port_be,
        packet.dst_port_be,
        packet.protocol,
    );
    let owner = tables.slot(service.ring_base + (hash & service.ring_mask)).owner();
    let backend = match tables.backend(owner) {
        Some(backend) if owner != 0 => backend,
        _ => return Some(Outcome::drop(service.id, Reason::NoBackend)),
    };
    if packet.ttl <= 1 {
        return Some(Outcome::drop(service.id, Reason::TtlExpired));
    }
    let resolved = backend.flags & BACKEND_RESOLVED != 0;
    if resolved && packet.ip_len > backend.mtu {
        return Some(Outcome::drop(service.id, Reason::TooBig));
    }
    if service.mode == ForwardMode::Nat as u8 {
        forget_direct(tables, packet, backend, owner);
        let hop = if resolved { Hop::Here } else { Hop::Later };
        rewrite::end(frame, packet, End::Destination, &backend.addr_be, backend.port_be, hop)?;
        if !resolved {
            return Some(Outcome::pass(service.id, Reason::BackendUnresolved));
        }
    } else {
        if !resolved {
            return Some(Outcome::drop(service.id, Reason::NoNextHop));
        }
        rewrite::decrement_ttl(frame, packet)?;
    }
    rewrite::link(frame, &backend.link)?;
    tables.count_backend(owner, frame.len() as u64);
    Some(Outcome::send(service.id, Reason::Forwarded, backend.ifindex))
}

/// A client may reuse a port with which it spoke to the backend directly: once the flow is opened
/// through the service, its replies are the service's again. UDP has no opening packet, so every
/// packet counts as one; without direct clients this costs one look at a flag.
#[inline(always)]
fn forget_direct<T: Tables>(tables: &T, packet: &Packet, backend: &Backend, id: u32) {
    let may_open = packet.opens_flow || packet.protocol == transport::UDP;
    if may_open && tables.direct_seen(id) {
        let mut flow = packet.flow();
        flow.dst_be = backend.addr_be;
        flow.dst_port_be = backend.port_be;
        tables.forget_direct(&flow);
    }
}

/// A packet from the address of a `nat` backend.
#[inline(always)]
fn to_client<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    origin: &Origin,
) -> Option<Outcome> {
    if tables.direct_seen(origin.backend) && tables.is_direct(&packet.reverse_flow()) {
        return Some(Outcome::pass(0, Reason::ReplyDirect));
    }
    // The route is looked up before anything is rewritten: what is for the balancer itself must
    // reach its sockets as it was sent.
    let route = tables.route(&RouteQuery {
        ingress: frame.ingress(),
        family: packet.family,
        protocol: packet.protocol,
        ip_len: packet.ip_len,
        src_be: origin.vip_be,
        dst_be: packet.dst_be,
    });
    let service = origin.service;
    let hop = match route {
        Route::Via { .. } if packet.ttl <= 1 => {
            return Some(Outcome::drop(service, Reason::TtlExpired));
        }
        Route::Via { .. } => Hop::Here,
        Route::Unresolved => Hop::Later,
        Route::Local => return Some(Outcome::pass(0, Reason::ReplyToBalancer)),
        Route::TooBig => return Some(Outcome::pass(service, Reason::ReplyTooBig)),
        Route::None => return Some(Outcome::pass(service, Reason::ReplyUnroutable)),
    };
    rewrite::end(frame, packet, End::Source, &origin.vip_be, origin.port_be, hop)?;
    let Route::Via { ifindex, link } = route else {
        return Some(Outcome::pass(service, Reason::ReplyUnresolved));
    };
    rewrite::link(frame, &link)?;
    Some(Outcome::send(service, Reason::Returned, ifindex))
}

#[cfg(test)]
mod tests;
