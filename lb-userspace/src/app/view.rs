//! What the daemon shows of itself: its state in the API's words.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use lb_common::{abi::Counter, slot::Slot};

use super::{controller::Controller, requests};
use crate::{
    admin::types::{
        BackendView, CounterView, HealthState, HealthView, InterfaceView, NextHopView, PoolView,
        ServiceView, Status,
    },
    dataplane::{DataplaneError, counters::ByReason, netlink::NextHop},
    health::Standing,
    model::{Backend, Forward, Name, Pool, Protocol, Rule, Service, Udp, quic::server_id},
    reconcile::compile::{address_of, identity, vip_endpoint},
};

/// The daemon at a glance.
pub(super) fn status(
    controller: &Controller,
    problems: Vec<String>,
) -> Result<Status, DataplaneError> {
    let view = View::new(controller);
    let desired = &controller.desired;
    let mut packets = controller.dataplane.packets(0)?;
    let mut services = Vec::new();
    for (name, service) in &desired.services {
        let (shown, counted) = view.service(name, service)?;
        for (reason, counter) in counted {
            *packets.entry(reason).or_default() += counter;
        }
        services.push(shown);
    }
    let pools: Result<_, _> =
        desired.pools.iter().map(|(name, pool)| view.pool(name, pool)).collect();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_seconds: controller.started.elapsed().as_secs(),
        pin_dir: desired.daemon.pin_dir.clone(),
        interfaces: view.interfaces(),
        services,
        listeners: requests::listeners(controller),
        pools: pools?,
        packets: by_name(&packets),
        remembered_flows: controller.remembered,
        problems,
    })
}

/// Slots of a ring by backend.
#[derive(Default)]
struct Ring {
    owners: BTreeMap<SocketAddr, u32>,
    moving: u32,
    previous: BTreeMap<SocketAddr, u32>,
}

struct View<'a> {
    controller: &'a Controller,
    /// Table ids of the backends.
    ids: HashMap<u64, u32>,
}

impl<'a> View<'a> {
    fn new(controller: &'a Controller) -> Self {
        let backends = controller.image.backends.iter();
        let ids = backends.map(|(id, backend)| (backend.identity, *id)).collect();
        Self { controller, ids }
    }

    fn interfaces(&self) -> Vec<InterfaceView> {
        let configured = self.controller.desired.interfaces.iter();
        configured
            .map(|interface| InterfaceView {
                name: interface.name.clone(),
                configured: interface.mode,
                attached: self.controller.attached_mode(&interface.name),
            })
            .collect()
    }

    fn service(
        &self,
        name: &Name,
        service: &Service,
    ) -> Result<(ServiceView, ByReason), DataplaneError> {
        let image = &self.controller.image;
        let entry = image.services.get(&vip_endpoint(service.listen));
        let packets = match entry {
            Some(entry) => self.controller.dataplane.packets(entry.id)?,
            None => ByReason::new(),
        };
        let ring = entry.map(|entry| self.ring(service, entry.ring_base)).unwrap_or_default();
        let is_quic = service.udp == Udp::Quic;
        let shown = ServiceView {
            name: name.clone(),
            listen: service.listen,
            pool: service.pool.clone(),
            forward: service.forward,
            source: service.source.clone(),
            source_ports: (service.forward == Forward::FullNat).then_some(service.source_ports),
            udp: (service.listen.protocol == Protocol::Udp).then_some(service.udp),
            tracking: (service.listen.protocol == Protocol::Tcp).then_some(service.tracking),
            scheduler: service.scheduler,
            affinity: service.affinity,
            allow: service.access.count(Rule::Allow),
            deny: service.access.count(Rule::Deny),
            new_flows: service.new_flows,
            new_flows_per_source: service.new_flows_per_source,
            no_backend: service.no_backend,
            idle_timeout_ms: milliseconds(service.idle_timeout),
            vip_interface: service.vip_interface.clone(),
            slots: entry.map_or(0, |entry| entry.ring_mask + 1),
            owners: ring.owners,
            moving: ring.moving,
            previous: ring.previous,
            server_ids: is_quic.then(|| self.server_ids(service)),
            packets: by_name(&packets),
        };
        Ok((shown, packets))
    }

    fn ring(&self, service: &Service, base: u32) -> Ring {
        let mut ring = Ring::default();
        if let Some(pool) = self.controller.desired.pools.get(&service.pool) {
            ring.owners = pool.backends.keys().map(|address| (*address, 0)).collect();
        }
        let image = &self.controller.image;
        let address = |id| image.backends.get(&id).map(address_of);
        for word in image.rings.get(&base).into_iter().flatten() {
            let slot = Slot::from_word(*word);
            if let Some(owner) = address(slot.owner()) {
                *ring.owners.entry(owner).or_default() += 1;
            }
            if slot.is_moving() {
                ring.moving += 1;
                if let Some(previous) = address(slot.previous()) {
                    *ring.previous.entry(previous).or_default() += 1;
                }
            }
        }
        ring
    }

    fn server_ids(&self, service: &Service) -> BTreeMap<SocketAddr, String> {
        let seed = self.controller.desired.daemon.seed;
        let pool = self.controller.desired.pools.get(&service.pool);
        let addresses = pool.into_iter().flat_map(|pool| pool.backends.keys());
        addresses.map(|it| (*it, format!("{:08x}", server_id(seed, *it)))).collect()
    }

    fn pool(&self, name: &Name, pool: &Pool) -> Result<PoolView, DataplaneError> {
        let services = self.controller.desired.services.iter();
        let backends = pool.backends.iter();
        Ok(PoolView {
            name: name.clone(),
            services: services
                .filter(|(_, service)| service.pool == *name)
                .map(|(service, _)| service.clone())
                .collect(),
            listeners: requests::listeners_of(&self.controller.desired, name),
            health: pool.health.clone(),
            drain_timeout_ms: pool.drain_timeout.map(milliseconds),
            backends: backends
                .map(|(address, backend)| self.backend(name, *address, *backend))
                .collect::<Result<_, _>>()?,
        })
    }

    fn backend(
        &self,
        pool: &Name,
        address: SocketAddr,
        backend: Backend,
    ) -> Result<BackendView, DataplaneError> {
        let next_hop = match self.controller.next_hops.get(&address.ip()) {
            Some(Ok(NextHop { interface, target })) => {
                NextHopView::Resolved { interface: interface.clone(), mac: mac_text(target.mac) }
            }
            _ if self.controller.desired.is_for_requests_only(pool) => NextHopView::Unneeded,
            Some(Err(reason)) => NextHopView::Unresolved { reason: reason.clone() },
            None => NextHopView::Unresolved { reason: "not looked up yet".to_owned() },
        };
        let sent = match self.ids.get(&identity(pool, address)) {
            Some(id) => self.controller.dataplane.packets_to(*id)?,
            None => Counter::default(),
        };
        let (weight, state) = (backend.weight, backend.state);
        let health = health(self.controller.checks.standing(pool, address));
        let requests = requests::of_backend(&self.controller.proxy, pool, address);
        Ok(BackendView { address, weight, state, health, next_hop, sent: counter(sent), requests })
    }
}

fn health(standing: Option<Standing<'_>>) -> HealthView {
    let Some(Standing { down, since, result }) = standing else { return HealthView::default() };
    let state = match down {
        None => HealthState::Unchecked,
        Some(false) => HealthState::Up,
        Some(true) => HealthState::Down,
    };
    HealthView {
        state,
        seconds: down.map(|_| since.elapsed().as_secs()),
        result: result.map(str::to_owned),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn counter(counter: Counter) -> CounterView {
    CounterView { packets: counter.packets, bytes: counter.bytes }
}

fn by_name(counters: &ByReason) -> BTreeMap<String, CounterView> {
    counters.iter().map(|(reason, sum)| (reason.name().to_owned(), counter(*sum))).collect()
}
