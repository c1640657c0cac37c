//! Clients and backends send, and look at what arrives.

use std::net::{Ipv4Addr, SocketAddr};

use lb_common::{
    abi::{BACKEND_SHARED, Reason},
    vlan::Tags,
};

use super::{
    CLIENTS, Check, Simulation,
    balancer::tracks_moving,
    events::Random,
    flows::Flow,
    has_failed,
    scene::{KINDS, Kind, TWINS, tags},
    wire::{Body, Seen, send},
};
use crate::{
    model::{Forward, Protocol, Udp, quic::server_id},
    reconcile::compile::address_be,
};

/// A packet of a client that arrived at a backend, or did not.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    reason: Reason,
    backend: Option<SocketAddr>,
    /// Its sender, as the backend sees it.
    source: SocketAddr,
}

impl Simulation {
    /// A packet of somebody.
    pub(super) fn packet(&mut self, random: &mut Random) -> Check {
        let kinds = self.kinds();
        let Some(kind) = kinds.get(random.index(kinds.len())).copied() else {
            return Ok(());
        };
        let key = (kind, random.small(CLIENTS));
        let roll = random.below(100);
        let Some(flow) = self.flows.get(&key) else {
            return if roll < 85 { self.opens(key) } else { self.stray(key) };
        };
        let alive = flow.is_alive(KINDS[kind], self.idle(), self.now());
        match roll {
            0..45 => self.sends(key, Body::Data),
            45..75 => self.answers(key, Body::Data),
            75..80 => self.sends(key, Body::Fin),
            80..82 => self.sends(key, Body::Rst),
            82..84 => self.answers(key, Body::Fin),
            84..86 => self.answers(key, Body::Rst),
            86..90 if alive && KINDS[kind].ids => self.moves(key),
            90.. => self.opens(key),
            _ if alive => self.sends(key, Body::Data),
            _ => self.opens(key),
        }
    }

    /// Somebody opens flows and never goes on.
    pub(super) fn flood(&mut self, kind: usize, number: u16, random: &mut Random) -> Check {
        let tcp = KINDS[kind].protocol == Protocol::Tcp;
        if !self.kinds().contains(&kind) || self.setup.v6 || !(tcp || KINDS[kind].udp == Udp::Quic)
        {
            return Ok(());
        }
        for _ in 0..number {
            let from = (
                Ipv4Addr::new(198, 18, 0, random.small(256).to_le_bytes()[0]),
                random.small(u16::MAX),
            );
            self.arrival(kind, from.into(), if tcp { Body::Syn } else { Body::Initial })?;
        }
        Ok(())
    }

    /// A client's packet to a service, and what must hold of any.
    fn arrival(&self, kind: usize, from: SocketAddr, body: Body) -> Result<Arrived, String> {
        let tables = &self.balancer.tables;
        let vip = self.setup.vip(kind);
        let before = self.balancer.remembered();
        let at = self.balancer.service_and_slot(vip, from);
        let seen = send(tables, from, vip.address, body);
        let backend = (seen.reason == Reason::Forwarded).then(|| self.setup.backend(seen.hop[1]));
        if let Some(backend) = backend {
            self.is_addressed(kind, backend, seen)?;
        }
        let after = self.balancer.remembered();
        let full_nat = KINDS[kind].forward == Forward::FullNat;
        // Who begins anew and is refused has no flow any more.
        let refused = [Reason::FlowConflict, Reason::FlowTableFull].contains(&seen.reason);
        let kept = [usize::from(refused), 0];
        let kept = (0..2).all(|i| after[i] + kept[i] >= before[i]);
        ensure!(full_nat || kept, "a flow was forgotten");
        if let Some((service, slot)) = at
            && tracks_moving(&service)
            && !slot.is_moving()
        {
            let shared = backend.is_some_and(|backend| self.entries(backend, BACKEND_SHARED));
            ensure!(after[0] == before[0], "a packet to the settled {slot:?} is remembered");
            ensure!(shared || after[1] == before[1], "a way back from the settled {slot:?}");
        }
        Ok(Arrived { reason: seen.reason, backend, source: seen.from })
    }

    /// Whether the packet has the ends that the mode wants, and its receiver may get any.
    fn is_addressed(&self, kind: usize, backend: SocketAddr, seen: Seen) -> Check {
        let vip = self.setup.vip(kind).address;
        let to = match KINDS[kind].forward {
            Forward::Nat | Forward::FullNat => backend,
            Forward::Dsr => vip,
            Forward::Ipip => (backend.ip(), 0).into(),
            Forward::Gue => (backend.ip(), 6080).into(),
        };
        ensure!(seen.to == to, "sent to {backend} with the address {}", seen.to);
        let wanted = match tags(seen.hop[1]) {
            0 => Tags::default(),
            word => Tags::of_word(word),
        };
        ensure!(seen.tags == wanted, "sent to {backend} with {:?}", seen.tags);
        let dead = self.quiet && {
            let (addr_be, port_be) = address_be(backend);
            let entries = self.balancer.tables.backends.values();
            let mut entries = entries.filter(|b| (b.addr_be, b.port_be) == (addr_be, port_be));
            !entries.any(lb_common::abi::Backend::is_alive)
        };
        ensure!(!dead, "{backend} is dead and gets a packet");
        Ok(())
    }

    /// Whether an entry of a backend address has a flag.
    fn entries(&self, backend: SocketAddr, flag: u16) -> bool {
        let (addr_be, port_be) = address_be(backend);
        let mut entries = self.balancer.tables.backends.values();
        entries.any(|b| (b.addr_be, b.port_be) == (addr_be, port_be) && b.flags & flag != 0)
    }

    /// A client opens a flow, with a port that it may have used before.
    fn opens(&mut self, key: (usize, u16)) -> Check {
        let kind = KINDS[key.0];
        let client = self.setup.client(key.0, key.1);
        let body = match (kind.protocol, kind.udp) {
            (Protocol::Tcp, _) => Body::Syn,
            (Protocol::Udp, Udp::Quic) => Body::Initial,
            (Protocol::Udp, _) => Body::Datagram,
        };
        let alive = self.flows.get(&key).is_some_and(|flow| {
            flow.is_alive(kind, self.idle(), self.now()) && flow.client == client
        });
        if alive && body == Body::Datagram && remembers_all(kind) {
            return self.sends(key, Body::Data);
        }
        let arrived = self.arrival(key.0, client, body)?;
        let Some(backend) = arrived.backend else {
            if let Some(old) = self.flows.get_mut(&key) {
                old.lost = Some("its client began anew, and was refused");
            }
            return self.may_be_refused(key, arrived.reason);
        };
        let old = self.flows.get(&key);
        let takes = self.takers.get(&key.0).is_some_and(|takers| takers.contains(&backend));
        // What was not closed may be remembered still, and be taken for the same flow.
        let repeats = body != Body::Syn || kind.forward == Forward::FullNat;
        let same = old.is_some_and(|old| {
            old.backend == backend && repeats && (body != Body::Syn || !old.is_closing())
        });
        ensure!(takes || same, "{backend} takes no new flow, but gets {key:?}, after {old:?}");
        let mut flow = Flow::new(kind, client, arrived.source, backend, self.now());
        if !takes {
            flow.lost = old.and_then(|old| old.lost);
        }
        if has_failed(&self.down, backend) {
            flow.lost = Some("it was opened while its backend was being taken out");
        }
        if kind.forward == Forward::FullNat {
            self.has_its_own_source(key, &flow)?;
        }
        self.flows.insert(key, flow);
        Ok(())
    }

    /// A source of the service's own, that no other flow to the backend has.
    fn has_its_own_source(&self, key: (usize, u16), flow: &Flow) -> Check {
        let source = flow.source;
        let service = self.world.desired.services.values();
        let mut service = service.filter(|s| s.listen == self.setup.vip(key.0));
        let own = service.any(|service| {
            let ports = service.source_ports;
            service.source.iter().any(|prefix| prefix.contains(source.ip()))
                && (ports.first()..=ports.last()).contains(&source.port())
        });
        ensure!(own, "{source} is no source of the service");
        for (other, live) in &self.flows {
            let same_ends = (live.backend, live.source) == (flow.backend, source);
            let same_kind = KINDS[other.0].protocol == KINDS[key.0].protocol;
            let both = live.is_alive(KINDS[other.0], self.idle(), self.now());
            ensure!(!(same_ends && same_kind && both && *other != key), "{source} is {other:?}'s");
        }
        Ok(())
    }

    /// Whether there is a reason not to open a flow.
    fn may_be_refused(&self, key: (usize, u16), reason: Reason) -> Check {
        let takers = self.takers.get(&key.0).is_some_and(|takers| !takers.is_empty());
        let room = self.setup.room;
        let may_be = match reason {
            Reason::NoBackend => !takers || !self.quiet,
            Reason::FlowTableFull => {
                room > 0 && self.balancer.remembered().into_iter().any(|n| n >= room)
            }
            Reason::FlowConflict => has_twins(key),
            // The service is not there yet.
            Reason::NotOurs => !self.quiet,
            _ => false,
        };
        ensure!(may_be, "a new flow is refused: {reason:?}");
        Ok(())
    }

    /// A packet of a flow that nobody opened.
    fn stray(&self, key: (usize, u16)) -> Check {
        let body = self.continuing(key.0, Body::Data, None);
        if body != Body::Datagram {
            self.arrival(key.0, self.setup.client(key.0, key.1), body)?;
        }
        Ok(())
    }

    /// A client goes on with a flow, or closes it.
    fn sends(&mut self, key: (usize, u16), body: Body) -> Check {
        let kind = KINDS[key.0];
        if is_stateless(kind) {
            return self.opens(key);
        }
        let (now, idle) = (self.now(), self.idle());
        let Some(flow) = self.flows.get(&key) else { return Ok(()) };
        let alive = flow.is_alive(kind, idle, now);
        if !alive && kind.protocol == Protocol::Udp && remembers_all(kind) {
            return self.opens(key);
        }
        let body = self.continuing(key.0, body, Some(flow.backend));
        let arrived = self.arrival(key.0, flow.client, body)?;
        let right = arrived.backend == Some(flow.backend) && arrived.source == flow.source;
        let refused = match arrived.reason {
            Reason::FlowConflict => has_twins(key),
            Reason::FlowTableFull => self.setup.room > 0,
            _ => false,
        };
        ensure!(
            !alive || right || refused,
            "{key:?} {flow:?} at {now} goes to {:?} from {}: {:?}",
            arrived.backend,
            arrived.source,
            arrived.reason
        );
        let Some(flow) = self.flows.get_mut(&key) else { return Ok(()) };
        if alive && right {
            flow.sends(matches!(body, Body::Fin | Body::Rst), now);
        } else {
            flow.lost = Some("its client has been told");
        }
        Ok(())
    }

    /// A packet that opens nothing, as the kind of service has it.
    fn continuing(&self, kind: usize, body: Body, backend: Option<SocketAddr>) -> Body {
        let Kind { protocol, udp, ids, .. } = KINDS[kind];
        match (protocol, udp) {
            (Protocol::Tcp, _) => body,
            (Protocol::Udp, Udp::Quic) => {
                let seed = self.world.desired.daemon.seed;
                Body::Short(backend.filter(|_| ids).map(|backend| server_id(seed, backend)))
            }
            (Protocol::Udp, _) => Body::Datagram,
        }
    }

    /// A client goes on from another port.
    fn moves(&mut self, key: (usize, u16)) -> Check {
        self.moved += 1;
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.client.set_port(50_000 + self.moved % 10_000);
            if KINDS[key.0].forward == Forward::Nat {
                flow.source = flow.client;
            }
        }
        self.sends(key, Body::Data)
    }

    /// A backend sends to the client as it sees it.
    fn answers(&mut self, key: (usize, u16), body: Body) -> Check {
        let kind = KINDS[key.0];
        let (now, idle) = (self.now(), self.idle());
        let Some(flow) = self.flows.get(&key) else { return Ok(()) };
        if ![Forward::Nat, Forward::FullNat].contains(&kind.forward) {
            return Ok(());
        }
        let tcp = kind.protocol == Protocol::Tcp;
        let body = if tcp { body } else { Body::Datagram };
        let seen = send(&self.balancer.tables, flow.backend, flow.source, body);
        let vip = self.setup.vip(key.0).address;
        let right = seen.reason == Reason::Returned && (seen.from, seen.to) == (vip, flow.client);
        let takes = self.takers.get(&key.0).is_some_and(|takers| takers.contains(&flow.backend));
        // Nothing holds a backend that has left for the sake of a flow that nobody remembers.
        let kept = !is_stateless(kind) || takes && self.quiet;
        let must = kept && flow.can_be_answered(kind, idle, now) && !has_twins(key);
        ensure!(right || !must, "{key:?} {flow:?} at {now} is answered with {seen:?}");
        let alive = flow.is_alive(kind, idle, now);
        if let Some(flow) = self.flows.get_mut(&key).filter(|_| right && alive) {
            flow.answers(matches!(body, Body::Fin | Body::Rst), now);
        }
        Ok(())
    }

    /// Services that are there.
    fn kinds(&self) -> Vec<usize> {
        let services = &self.world.desired.services;
        let there = |kind: &usize| {
            let vip = self.setup.vip(*kind);
            services.values().any(|service| service.listen == vip)
        };
        (0..KINDS.len()).filter(there).collect()
    }
}

/// Whether the client may speak, or have spoken, to another `nat` service from the same port, so that
/// their packets to one backend cannot be told apart.
fn has_twins(key: (usize, u16)) -> bool {
    key.1 < TWINS && KINDS[key.0].forward == Forward::Nat
}

/// Whether each packet goes where its slot says.
fn is_stateless(kind: Kind) -> bool {
    kind.protocol == Protocol::Udp && kind.udp == Udp::Stateless && !remembers_all(kind)
}

/// Whether each flow is remembered, from its first packet on.
fn remembers_all(kind: Kind) -> bool {
    kind.udp == Udp::Tracked || kind.forward == Forward::FullNat
}
