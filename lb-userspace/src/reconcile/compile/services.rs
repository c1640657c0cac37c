//! Entries of services, with their rings, server ids, turns, weights and limits.

use std::{collections::BTreeSet, net::SocketAddr};

use lb_common::{
    abi::{
        Endpoint, ForwardMode, Limits, NoBackend, SERVICE_AFFINITY, SERVICE_ALLOWS,
        SERVICE_LIMITED, SERVICE_LISTED, SERVICE_RANGE, Scheduler, ServerId, Service, Tracking,
    },
    maglev,
    slot::{Alive, Slot},
    time,
};

use super::{
    Inputs,
    backends::Ids,
    keys::{address_be, identity, vip_endpoint},
    lists::Lists,
    turns,
};
use crate::{
    model::{self, Affinity, Forward, Pool, Protocol, RateLimit, Udp, Weight, quic::server_be},
    reconcile::{Image, layout::Layout, layout::LayoutError},
};

/// What services are added with.
pub(super) struct Adding<'a, 'i> {
    pub(super) inputs: &'a Inputs<'i>,
    pub(super) present: &'a Image,
    pub(super) alive: &'a Ids,
    pub(super) lists: &'a Lists,
    pub(super) layout: &'a mut Layout,
}

/// A backend that takes new flows.
struct Taker {
    id: u32,
    address: SocketAddr,
    weight: u32,
}

impl Adding<'_, '_> {
    /// Adds a service and all that is its own; its id.
    pub(super) fn service(
        &mut self,
        image: &mut Image,
        service: &model::Service,
        pool: &Pool,
    ) -> Result<u32, LayoutError> {
        let seed = self.inputs.desired.daemon.seed;
        let vip = vip_endpoint(service.listen);
        let place = self.layout.service(vip, maglev::ring_slots(pool.backends.len()))?;
        let takers = self.takers(service, pool)?;
        let mut entry = Service {
            id: place.id,
            ring_base: place.ring_base,
            ring_mask: place.slots - 1,
            ..settings(service, seed)
        };
        if let Some(list) = self.lists.id(&vip) {
            entry.flags |= SERVICE_LISTED | self.lists.flags(list);
            entry.list = list;
        }
        match service.scheduler {
            model::Scheduler::RoundRobin => {
                let turns = turns::of(takers.iter().map(|taker| (taker.id, taker.weight)));
                (entry.first_turn, entry.turns) = self.layout.turns(vip, turns.len())?;
                if entry.turns > 0 {
                    image.turns.insert(entry.first_turn, turns);
                }
            }
            model::Scheduler::LeastFlows => self.weights(image, service, pool)?,
            model::Scheduler::Maglev | model::Scheduler::Random => {}
        }
        image.limits.extend(limits(service).map(|limits| (place.id, limits)));
        image.services.insert(vip, entry);
        self.ring(image, &entry, vip, pool, &takers);
        if entry.tracking == Tracking::Quic as u8 {
            for address in pool.backends.keys() {
                let server_be = server_be(seed, *address);
                let id = self.layout.backend(identity(&service.pool, *address))?;
                image.servers.insert(ServerId { service: place.id, server_be }, id);
            }
        }
        Ok(place.id)
    }

    /// The backends that take new flows.
    fn takers(&mut self, service: &model::Service, pool: &Pool) -> Result<Vec<Taker>, LayoutError> {
        let down = |address| self.inputs.down.contains(&(service.pool.clone(), address));
        let taking = pool.enabled().filter(|(address, _)| !down(*address));
        let taker = |(address, weight): (SocketAddr, Weight)| {
            let id = self.layout.backend(identity(&service.pool, address))?;
            Ok(Taker { id, address, weight: weight.get() })
        };
        taking.map(taker).collect()
    }

    /// Adds the weights of all backends that may get flows.
    fn weights(
        &mut self,
        image: &mut Image,
        service: &model::Service,
        pool: &Pool,
    ) -> Result<(), LayoutError> {
        for (address, backend) in &pool.backends {
            let id = self.layout.backend(identity(&service.pool, *address))?;
            image.weights.insert(id, backend.weight.get());
        }
        Ok(())
    }

    /// Adds the ring of a service.
    fn ring(
        &self,
        image: &mut Image,
        entry: &Service,
        vip: Endpoint,
        pool: &Pool,
        takers: &[Taker],
    ) {
        let walker = |taker: &Taker| {
            let (addr_be, port_be) = address_be(taker.address);
            maglev::Walker::new(entry.seed, taker.id, &addr_be, port_be, taker.weight)
        };
        let mut walkers: Vec<_> = takers.iter().map(walker).collect();
        // A ring that was larger once is filled as one of today's size, and repeats: its memory stays,
        // but every balancer with this configuration has the same owners.
        let mut owners = vec![0; maglev::ring_slots(pool.backends.len()) as usize];
        maglev::fill(&mut walkers, &mut owners);
        let owners = owners.repeat((entry.ring_mask as usize + 1) / owners.len());
        let old = self.present.services.get(&vip);
        let old = old.and_then(|old| self.present.rings.get(&old.ring_base));
        let old = old.map_or(&[][..], Vec::as_slice);
        let tick = self.inputs.tick;
        let moves = moves(entry, vip.protocol);
        image.rings.insert(entry.ring_base, handed_over(moves, old, &owners, self.alive, tick));
    }
}

/// Keeps the server ids of backends that have left the configuration, but not the tables.
pub(super) fn keep_server_ids(image: &mut Image, present: &Image) {
    let services: BTreeSet<u32> = image
        .services
        .values()
        .filter(|service| service.tracking == Tracking::Quic as u8)
        .map(|service| service.id)
        .collect();
    for (key, backend) in &present.servers {
        if services.contains(&key.service) && image.backends.contains_key(backend) {
            image.servers.entry(*key).or_insert(*backend);
        }
    }
}

/// Whether slots that change their owner have flows that go on with the old one: those that nobody
/// remembers, because they were there before.
fn moves(service: &Service, protocol: u8) -> bool {
    let of_tcp = service.tracking == Tracking::All as u8 && protocol == Protocol::Tcp.number();
    let some = [Tracking::Moving as u8, Tracking::Quic as u8].contains(&service.tracking);
    (some || of_tcp) && service.mode != ForwardMode::FullNat as u8
}

/// The slots of a ring with new owners. A slot of a ring that has grown begins as the slot that had
/// its flows.
fn handed_over(moves: bool, old: &[u64], owners: &[u32], alive: &Ids, tick: u32) -> Vec<u64> {
    let grown = owners.len() > old.len();
    let slots = owners.iter().enumerate().map(|(index, owner)| {
        let Some(word) = index.checked_rem(old.len()).and_then(|at| old.get(at)) else {
            // Entries of a service that had the VIP before may not have been swept yet.
            return Slot::settled(*owner, time::stamp(tick)).word();
        };
        let slot = Slot::from_word(*word);
        if !moves {
            return Slot::settled(*owner, slot.epoch()).word();
        }
        // Stamps that the program makes from now on go to the old place, until the service is
        // switched over.
        let slot = if grown && slot.is_moving() { slot.stamped(time::stamp(tick)) } else { slot };
        let alive =
            Alive { owner: alive.contain(slot.owner()), previous: alive.contain(slot.previous()) };
        slot.handed_to(*owner, alive, tick).word()
    });
    slots.collect()
}

/// What a service's entry says besides its places.
fn settings(service: &model::Service, seed: u64) -> Service {
    let mode = match service.forward {
        Forward::Nat => ForwardMode::Nat,
        Forward::Dsr => ForwardMode::Dsr,
        Forward::FullNat => ForwardMode::FullNat,
        Forward::Ipip => ForwardMode::Ipip,
        Forward::Gue => ForwardMode::Gue,
    };
    let tracking = match (service.listen.protocol, service.udp) {
        (Protocol::Tcp, _) if service.tracking == model::Tracking::Full => Tracking::All,
        (Protocol::Tcp, _) => Tracking::Moving,
        (Protocol::Udp, Udp::Stateless) => Tracking::None,
        (Protocol::Udp, Udp::Tracked) => Tracking::All,
        (Protocol::Udp, Udp::Quic) => Tracking::Quic,
    };
    let mut entry = Service {
        mode: mode as u8,
        tracking: tracking as u8,
        idle_ticks: time::ticks(service.idle_timeout),
        seed,
        first_port: service.source_ports.first(),
        last_port_offset: service.source_ports.last() - service.source_ports.first(),
        flags: flags(service),
        scheduler: scheduler(service.scheduler) as u8,
        no_backend: no_backend(service.no_backend) as u8,
        ..Service::default()
    };
    for prefix in &service.source {
        let (addr_be, _) = address_be((prefix.address(), 0).into());
        if prefix.is_ipv4() {
            entry.source_v4_be = addr_be[3];
            entry.spread_v4_be = prefix.spread().to_be();
        } else {
            entry.source_v6_be = addr_be;
            entry.spread_v6_be = prefix.spread().to_be();
        }
    }
    entry
}

/// What follows from the settings of a service alone.
fn flags(service: &model::Service) -> u16 {
    let limited = service.new_flows.is_some() || service.new_flows_per_source.is_some();
    let flags = [
        (service.listen.is_range(), SERVICE_RANGE),
        (service.affinity == Affinity::ClientIp, SERVICE_AFFINITY),
        (service.access.allows(), SERVICE_ALLOWS | SERVICE_LISTED),
        (limited, SERVICE_LIMITED),
    ];
    flags.into_iter().filter(|(wanted, _)| *wanted).fold(0, |sum, (_, flag)| sum | flag)
}

const fn scheduler(scheduler: model::Scheduler) -> Scheduler {
    match scheduler {
        model::Scheduler::Maglev => Scheduler::Maglev,
        model::Scheduler::RoundRobin => Scheduler::RoundRobin,
        model::Scheduler::Random => Scheduler::Random,
        model::Scheduler::LeastFlows => Scheduler::LeastFlows,
    }
}

const fn no_backend(no_backend: model::NoBackend) -> NoBackend {
    match no_backend {
        model::NoBackend::Drop => NoBackend::Drop,
        model::NoBackend::Reject => NoBackend::Reject,
        model::NoBackend::Pass => NoBackend::Pass,
    }
}

/// How many flows of a service may begin, if that is limited.
fn limits(service: &model::Service) -> Option<Limits> {
    let rate = |limit: Option<RateLimit>| limit.map(RateLimit::entry).unwrap_or_default();
    let limits =
        Limits { service: rate(service.new_flows), source: rate(service.new_flows_per_source) };
    (limits != Limits::default()).then_some(limits)
}
