//! The services, backends and routes of all cases, as tables for the host and for the kernel.

use lb_common::{
    abi::{self, AddrBe, BACKEND_RESOLVED, Endpoint, ForwardMode, Origin},
    decide::Route,
    host::{HostTables, addr_be, endpoint},
    limits::{MAX_BACKENDS, RING_SLOTS},
    slot::Slot,
};

use super::{
    network::{self, Links},
    services::{SERVICES, Spec, Way},
};

/// Seed of every service.
const SEED: u64 = 0x0123_4567_89ab_cdef;

/// What the tables hold.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) services: Vec<(Endpoint, abi::Service)>,
    pub(crate) slots: Vec<(u32, Slot)>,
    pub(crate) backends: Vec<(u32, abi::Backend)>,
    pub(crate) origins: Vec<(Endpoint, Origin)>,
    /// What the kernel's routing table answers; it has its own.
    pub(crate) routes: Vec<(AddrBe, Route)>,
}

impl Rows {
    /// The rows for interfaces with these numbers.
    pub(crate) fn new(links: &Links) -> Self {
        let mut rows = Self { routes: network::routes(links), ..Self::default() };
        for spec in &SERVICES {
            rows.add(spec, links);
        }
        rows
    }

    fn add(&mut self, spec: &Spec, links: &Links) {
        // The last ring ends with the table.
        let ring_base = RING_SLOTS - (27 - spec.id) * 8;
        let vip = endpoint(spec.vip(), spec.protocol);
        let (ring_mask, mode) = (spec.slots - 1, spec.mode as u8);
        let service = abi::Service {
            id: spec.id,
            ring_base,
            ring_mask,
            mode,
            seed: SEED,
            ..abi::Service::default()
        };
        self.services.push((vip, service));
        for slot in 0..spec.slots {
            let owner = spec.backends.min(1) * (spec.first_backend + slot % spec.backends.max(1));
            // Where older flows belonged does not matter yet.
            let moving = slot % 2 == 1;
            let word =
                if moving { Slot::moving(owner, owner, 5, 0) } else { Slot::settled(owner, 4) };
            self.slots.push((ring_base + slot, word));
        }
        let in_table = |place: &u32| spec.first_backend + place < MAX_BACKENDS;
        for place in (0..spec.backends).filter(in_table) {
            let id = spec.first_backend + place;
            let (entry, origin) = (backend(spec, place, links), origin(spec, &vip, id));
            self.backends.push((id, entry));
            if spec.mode == ForwardMode::Nat {
                self.origins.push((endpoint(spec.backend(place), spec.protocol), origin));
            }
        }
    }

    /// Tables of the host build.
    pub(crate) fn host_tables(&self) -> HostTables {
        HostTables {
            services: self.services.iter().copied().collect(),
            slots: std::cell::RefCell::new(self.slots.iter().copied().collect()),
            backends: self.backends.iter().copied().collect(),
            origins: self.origins.iter().copied().collect(),
            routes: self.routes.iter().copied().collect(),
            ..HostTables::default()
        }
    }
}

fn backend(spec: &Spec, place: u32, links: &Links) -> abi::Backend {
    let address = spec.backend(place);
    let (flags, ifindex) = match spec.way {
        Way::Back => (BACKEND_RESOLVED, links.back),
        Way::Front => (BACKEND_RESOLVED, links.front),
        Way::Unknown => (0, 0),
    };
    abi::Backend {
        identity: 1,
        addr_be: addr_be(address.ip()),
        port_be: address.port().to_be(),
        flags,
        ifindex,
        link: network::link(spec.backend_mac(place), spec.own_mac()),
        mtu: spec.mtu,
        ..abi::Backend::default()
    }
}

fn origin(spec: &Spec, vip: &Endpoint, backend: u32) -> Origin {
    Origin {
        vip_be: vip.addr_be,
        port_be: vip.port_be,
        flags: abi::ORIGIN_STATELESS,
        service: spec.id,
        backend,
    }
}
