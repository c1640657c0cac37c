//! Which backend a packet would go to, and why: what `shunt flow` asks.
//!
//! The same choice as for any packet, by the same code, over tables that take no notes: nothing is
//! counted, stamped or remembered.

use super::{
    Tables,
    choose::choose,
    forward::flow_hash,
    tables::{Added, Route, RouteQuery},
    translate::known_flow,
};
use crate::{
    abi::{
        AddrBe, BACKEND_RESOLVED, Backend, Endpoint, Explanation, Flow, FlowKey, ForwardMode,
        FragmentKey, Origin, Ports, Reason, Return, ServerId, Service, Tracking, Vlan, Why,
    },
    flow::is_over,
    parse::{Packet, Stop, parse, rare::Work},
    slot::Slot,
    wire::{Frame, transport},
};

/// What would become of a frame that is addressed to a service.
#[inline(always)]
pub fn explain<F: Frame, T: Tables>(frame: &F, tables: &T) -> Explanation {
    let packet = match parse(frame) {
        Ok(packet) => packet,
        Err(Stop::Pass(reason)) => return Explanation::none(0, reason),
        Err(Stop::Rare) => return Explanation::none(0, Reason::OtherProtocol),
    };
    let Some(service) = tables.service(&packet.destination()) else {
        return Explanation::none(0, Reason::NotOurs);
    };
    let hash = flow_hash(&packet, service);
    let slot = tables.slot(service.ring_base + (hash & service.ring_mask));
    let mut found = Explanation {
        service: service.id,
        backend: 0,
        place: hash & service.ring_mask,
        reason: Reason::Forwarded as u8,
        why: Why::Owner as u8,
        _pad: 0,
        slot: slot.word(),
    };
    let backend = if service.mode == ForwardMode::FullNat as u8 {
        translated(tables, &packet, service, slot)
    } else {
        match choose(frame, &Silent(tables), &packet, service, hash) {
            Ok(chosen) => Ok((chosen.id, why(tables, &packet, service, slot, chosen.id))),
            Err(outcome) => Err(outcome.reason),
        }
    };
    match backend {
        Ok((id, why)) => {
            found.backend = id;
            found.why = why as u8;
            found.reason = reached(tables, service, id) as u8;
        }
        Err(reason) => found.reason = reason as u8,
    }
    found
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
    match tables.backend(slot.owner()) {
        Some(_) if slot.owner() != 0 => Ok((slot.owner(), Why::Owner)),
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
            !is_over(flow.state, flow.seen, tables.now(), service.idle_ticks)
        } else {
            !packet.opens_flow && flow.epoch == slot.epoch()
        };
        if counts {
            return Why::Remembered;
        }
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

/// Tables that take no notes.
struct Silent<'t, T>(&'t T);

impl<T: Tables> Tables for Silent<'_, T> {
    type FlowRef = T::FlowRef;
    type ReturnRef = T::ReturnRef;
    type Scratch = T::Scratch;

    #[inline(always)]
    fn scratch(&self) -> Option<T::Scratch> {
        self.0.scratch()
    }

    #[inline(always)]
    fn work(&self) -> Option<impl core::ops::DerefMut<Target = Work>> {
        self.0.work()
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        self.0.now()
    }

    #[inline(always)]
    fn service(&self, vip: &Endpoint) -> Option<&Service> {
        self.0.service(vip)
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Slot {
        self.0.slot(index)
    }

    #[inline(always)]
    fn stamp(&self, _index: u32, _stamp: u16) {}

    #[inline(always)]
    fn backend(&self, id: u32) -> Option<&Backend> {
        self.0.backend(id)
    }

    #[inline(always)]
    fn server(&self, id: &ServerId) -> Option<u32> {
        self.0.server(id)
    }

    #[inline(always)]
    fn origin(&self, backend: &Endpoint) -> Option<&Origin> {
        self.0.origin(backend)
    }

    #[inline(always)]
    fn route(&self, query: &RouteQuery) -> Route {
        self.0.route(query)
    }

    #[inline(always)]
    fn flow(&self, key: &FlowKey) -> Option<(Flow, T::FlowRef)> {
        self.0.flow(key)
    }

    #[inline(always)]
    fn refresh_flow(&self, _at: T::FlowRef, _seen: u32, _state: u8) {}

    #[inline(always)]
    fn put_flow(&self, _key: &FlowKey, _flow: &Flow) -> bool {
        true
    }

    #[inline(always)]
    fn forget_flow(&self, _key: &FlowKey) {}

    #[inline(always)]
    fn way_back(&self, key: &FlowKey) -> Option<(Return, T::ReturnRef)> {
        self.0.way_back(key)
    }

    #[inline(always)]
    fn refresh_way_back(&self, _at: T::ReturnRef, _seen: u32, _state: u8) {}

    #[inline(always)]
    fn add_way_back(&self, _key: &FlowKey, _way: &Return) -> Added {
        Added::New
    }

    #[inline(always)]
    fn forget_way_back(&self, _key: &FlowKey) {}

    #[inline(always)]
    fn direct_seen(&self, backend: u32) -> bool {
        self.0.direct_seen(backend)
    }

    #[inline(always)]
    fn is_direct(&self, flow: &FlowKey) -> bool {
        self.0.is_direct(flow)
    }

    #[inline(always)]
    fn remember_direct(&self, _flow: &FlowKey, _backend: u32) {}

    #[inline(always)]
    fn forget_direct(&self, _flow: &FlowKey) {}

    #[inline(always)]
    fn vip(&self, addr: &AddrBe) -> Option<u32> {
        self.0.vip(addr)
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<Ports> {
        self.0.fragment(key)
    }

    #[inline(always)]
    fn remember_fragment(&self, _key: &FragmentKey, _ports: &Ports) {}

    #[inline(always)]
    fn tags(&self, backend: u32) -> u32 {
        self.0.tags(backend)
    }

    #[inline(always)]
    fn vlan(&self, ifindex: u32) -> Option<Vlan> {
        self.0.vlan(ifindex)
    }

    #[inline(always)]
    fn may_answer(&self) -> bool {
        false
    }

    #[inline(always)]
    fn count(&self, _service: u32, _reason: Reason, _bytes: u64) {}

    #[inline(always)]
    fn count_backend(&self, _backend: u32, _bytes: u64) {}
}
