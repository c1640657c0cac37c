//! What the daemon shows of itself: its state in the API's words.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use lb_common::{abi::Counter, slot::Slot};

use super::controller::Controller;
use crate::{
    admin::types::{
        BackendView, CounterView, InterfaceView, NextHopView, PoolView, ServiceView, Status,
    },
    dataplane::{DataplaneError, counters::ByReason, netlink::NextHop},
    model::{Backend, Name, Pool, Service},
    reconcile::compile::{identity, vip_endpoint},
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
        pools: pools?,
        packets: by_name(&packets),
        problems,
    })
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
        let shown = ServiceView {
            name: name.clone(),
            listen: service.listen,
            pool: service.pool.clone(),
            forward: service.forward,
            vip_interface: service.vip_interface.clone(),
            slots: entry.map_or(0, |entry| entry.ring_mask + 1),
            owners: entry.map_or_else(BTreeMap::new, |entry| self.owners(service, entry.ring_base)),
            packets: by_name(&packets),
        };
        Ok((shown, packets))
    }

    /// Slots by the backend that owns them.
    fn owners(&self, service: &Service, ring_base: u32) -> BTreeMap<SocketAddr, u32> {
        let mut by_id: HashMap<u32, u32> = HashMap::new();
        for word in self.controller.image.rings.get(&ring_base).into_iter().flatten() {
            *by_id.entry(Slot::from_word(*word).owner()).or_default() += 1;
        }
        let Some(pool) = self.controller.desired.pools.get(&service.pool) else {
            return BTreeMap::new();
        };
        pool.backends
            .keys()
            .map(|address| {
                let id = self.ids.get(&identity(&service.pool, *address));
                (*address, id.and_then(|id| by_id.get(id)).copied().unwrap_or(0))
            })
            .collect()
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
            Some(Err(reason)) => NextHopView::Unresolved { reason: reason.clone() },
            None => NextHopView::Unresolved { reason: "not looked up yet".to_owned() },
        };
        let sent = match self.ids.get(&identity(pool, address)) {
            Some(id) => self.controller.dataplane.packets_to(*id)?,
            None => Counter::default(),
        };
        let (weight, state) = (backend.weight, backend.state);
        Ok(BackendView { address, weight, state, next_hop, sent: counter(sent) })
    }
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
