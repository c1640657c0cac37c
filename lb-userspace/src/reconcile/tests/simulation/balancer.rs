//! A balancer: tables as the kernel has them, and a daemon that can die.

use std::{collections::BTreeSet, convert::Infallible, net::SocketAddr};

use lb_common::{
    abi::{FlowKey, ForwardMode, Service, Tracking},
    decide::Route,
    hash,
    host::{HostTables, addr_be},
    slot::Slot,
};

use super::super::World;
use crate::reconcile::{
    Image, Op,
    compile::{Down, Inputs, address_of, compile, endpoint},
    plan,
    sweep::{Found, Leaving, Plan, flow_key, settle, way_key},
};

/// A sweep, which takes its time: packets and changes come between its steps.
#[derive(Debug)]
pub(super) struct Sweep {
    plan: Plan,
    /// When it began, as the daemon counts its changes.
    changes: u64,
    step: u8,
    found: Found,
    over: Vec<FlowKey>,
}

#[derive(Debug, Default)]
pub(super) struct Balancer {
    pub(super) tables: HostTables,
    /// What the daemon takes the tables for.
    pub(super) image: Image,
    unreferenced: BTreeSet<u32>,
    leaving: Leaving,
    pub(super) sweep: Option<Sweep>,
    /// How often the tables were filled.
    changes: u64,
}

impl Balancer {
    pub(super) fn new(room: usize, clients: impl Iterator<Item = SocketAddr>) -> Self {
        let via = Route::Via { ifindex: 1, link: [0; 3] };
        let routes = clients.map(|client| (addr_be(client.ip()), via)).collect();
        let tables = HostTables { room, routes, ..HostTables::default() };
        Self { tables, ..Self::default() }
    }

    /// The operations that bring a configuration about, as the daemon plans them.
    pub(super) fn plan(&mut self, world: &World, down: &Down) -> Vec<Op> {
        let inputs = Inputs {
            desired: &world.desired,
            down,
            targets: &world.targets,
            interfaces: &world.interfaces,
            vlans: &world.vlans,
            unreferenced: &self.unreferenced,
            filters: &world.filters,
            tick: self.tables.now.get(),
        };
        let wanted = compile(&inputs, &self.image).unwrap();
        self.unreferenced.clear();
        self.changes += 1;
        plan(&self.image, &wanted)
    }

    /// Carries out one operation.
    pub(super) fn apply(&mut self, op: &Op) {
        self.image.apply(op);
        let tables = &mut self.tables;
        match op {
            Op::PutInterface(_) | Op::DeleteInterface(_) | Op::ResetService(_) => {}
            Op::ResetBackend(id) => _ = tables.direct_seen.get_mut().remove(id),
            Op::PutBackend(id, backend) => _ = tables.backends.insert(*id, *backend),
            Op::DeleteBackend(id) => _ = tables.backends.remove(id),
            Op::PutOrigin(key, origin) => _ = tables.origins.insert(*key, *origin),
            Op::DeleteOrigin(key) => _ = tables.origins.remove(key),
            Op::PutVip(addr, id) => _ = tables.vips.insert(*addr, *id),
            Op::DeleteVip(addr) => _ = tables.vips.remove(addr),
            Op::PutTags(backend, tags) => _ = tables.tags.insert(*backend, *tags),
            Op::DeleteTags(backend) => _ = tables.tags.remove(backend),
            Op::PutVlan(ifindex, vlan) => _ = tables.vlans.insert(*ifindex, *vlan),
            Op::DeleteVlan(ifindex) => _ = tables.vlans.remove(ifindex),
            Op::PutServer(key, backend) => _ = tables.servers.insert(*key, *backend),
            Op::DeleteServer(key) => _ = tables.servers.remove(key),
            Op::PutSlots(first, words) => tables.put_slots(*first, words),
            Op::PutService(vip, service) => _ = tables.services.insert(*vip, *service),
            Op::DeleteService(vip) => _ = tables.services.remove(vip),
            other => panic!("no scene has anything for {other:?}"),
        }
    }

    /// The daemon dies, and another reads what the tables hold.
    pub(super) fn restart(&mut self) {
        self.unreferenced.clear();
        self.leaving = Leaving::default();
        self.sweep = None;
        let tables = &self.tables;
        let rings = tables.services.values().map(|service| {
            (service.ring_base, tables.ring(service.ring_base, service.ring_mask + 1))
        });
        self.image = Image {
            services: tables.services.iter().map(|(key, value)| (*key, *value)).collect(),
            rings: rings.collect(),
            backends: tables.backends.iter().map(|(key, value)| (*key, *value)).collect(),
            origins: tables.origins.iter().map(|(key, value)| (*key, *value)).collect(),
            servers: tables.servers.iter().map(|(key, value)| (*key, *value)).collect(),
            vips: tables.vips.iter().map(|(key, value)| (*key, *value)).collect(),
            tags: tables.tags.iter().map(|(key, value)| (*key, *value)).collect(),
            vlans: tables.vlans.iter().map(|(key, value)| (*key, *value)).collect(),
            interfaces: self.image.interfaces.clone(),
            ..Image::default()
        };
    }

    /// Goes one step further in a sweep, or begins one; whether the tables are to be filled again.
    pub(super) fn sweep(&mut self) -> bool {
        let Some(mut sweep) = self.sweep.take() else {
            let plan = Plan::new(&self.image, self.tables.now.get());
            let found = Found::default();
            let changes = self.changes;
            self.sweep = Some(Sweep { plan, changes, step: 0, found, over: Vec::new() });
            return false;
        };
        sweep.step += 1;
        match sweep.step {
            1 => self.find_settled(&mut sweep),
            2 => self.find_flows(&mut sweep),
            3 => self.forget_flows(&mut sweep),
            4 => self.forget_ways(&mut sweep),
            _ => return self.swept(sweep),
        }
        self.sweep = Some(sweep);
        false
    }

    fn find_settled(&self, sweep: &mut Sweep) {
        for (index, idle_ticks) in sweep.plan.moving() {
            let slot = self.slot(index);
            if sweep.plan.has_settled(slot, idle_ticks) {
                sweep.found.settled.push((index, slot));
            }
        }
    }

    fn find_flows(&self, sweep: &mut Sweep) {
        let (flows, ways) = (self.tables.flows.borrow(), self.tables.ways_back.borrow());
        let mut named = BTreeSet::new();
        for (key, flow) in flows.iter() {
            if sweep.plan.flow_is_over(key, flow, ways.get(&way_key(key, flow))) {
                sweep.over.push(*key);
            } else {
                named.insert(flow.backend);
            }
        }
        sweep.found.unreferenced = sweep.plan.unreferenced(&named);
    }

    /// What has become another flow in the meantime is not removed.
    fn forget_flows(&self, sweep: &mut Sweep) {
        let (mut flows, ways) = (self.tables.flows.borrow_mut(), self.tables.ways_back.borrow());
        for key in sweep.over.drain(..) {
            let over = |flow| sweep.plan.flow_is_over(&key, flow, ways.get(&way_key(&key, flow)));
            if flows.get(&key).is_some_and(over) {
                flows.remove(&key);
            }
        }
    }

    fn forget_ways(&self, sweep: &mut Sweep) {
        let (flows, mut ways) = (self.tables.flows.borrow(), self.tables.ways_back.borrow_mut());
        ways.retain(|key, way| !sweep.plan.way_is_over(way, flows.get(&flow_key(key, way))));
    }

    /// Settles slots; backends let go are for the next plan. A finding is of no use when the tables
    /// were filled since.
    fn swept(&mut self, sweep: Sweep) -> bool {
        for op in settle(&self.image, &sweep.found.settled) {
            self.apply(&op);
        }
        if sweep.changes != self.changes {
            self.leaving.missed();
            return false;
        }
        let (found, tick) = (sweep.found.unreferenced, self.tables.now.get());
        let counters = self.tables.backend_counters.borrow();
        let packets = |id| Ok::<_, Infallible>(counters.get(&id).map_or(0, |n| n.packets));
        let Ok(unreferenced) = self.leaving.may_go(found, &self.image, tick, packets);
        self.unreferenced = unreferenced;
        !self.unreferenced.is_empty()
    }

    pub(super) fn slot(&self, index: u32) -> Slot {
        self.tables.slots.borrow().get(&index).copied().unwrap_or_default()
    }

    /// The service at a VIP, and the slot of a client's flow.
    pub(super) fn service_and_slot(
        &self,
        vip: crate::model::Vip,
        client: SocketAddr,
    ) -> Option<(Service, Slot)> {
        let key = endpoint(vip.address, vip.protocol);
        let service = *self.tables.services.get(&key)?;
        let source = endpoint(client, vip.protocol);
        let hash = hash::flow(
            service.seed,
            &source.addr_be,
            &key.addr_be,
            source.port_be,
            key.port_be,
            key.protocol,
        );
        Some((service, self.slot(service.ring_base + (hash & service.ring_mask))))
    }

    /// A slot's owner, as all balancers know it.
    pub(super) fn owner(image: &Image, slot: Slot) -> Option<SocketAddr> {
        image.backends.get(&slot.owner()).map(address_of)
    }

    /// Remembered flows and ways back.
    pub(super) fn remembered(&self) -> [usize; 2] {
        [self.tables.flows.borrow().len(), self.tables.ways_back.borrow().len()]
    }
}

/// Whether the slots of a service can move.
pub(super) fn tracks_moving(service: &Service) -> bool {
    service.mode != ForwardMode::FullNat as u8
        && [Tracking::Moving as u8, Tracking::Quic as u8].contains(&service.tracking)
}
