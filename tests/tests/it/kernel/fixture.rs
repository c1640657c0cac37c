//! The services, backends and routes of all cases, as tables for the host and for the kernel.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use lb_common::{
    abi::{
        self, AddrBe, BACKEND_RESOLVED, BACKEND_SHARED, BACKEND_TAGGED, Endpoint, ForwardMode,
        Limits, META_RANGES, META_WIDE_ORIGINS, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin,
        PortRange, Ranges, SERVICE_RANGE, SERVICE_RANGES, ServerId, Tracking, Vlan,
    },
    decide::Route,
    hash,
    host::{HostTables, addr_be, endpoint},
    limits::{MAX_BACKENDS, RING_SLOTS, SHORTEST_FILTERED_V4, SHORTEST_FILTERED_V6},
    slot::Slot,
    time,
};

use super::{
    memory::ROOM,
    network::{self, Links},
    services::{self, IDLE, Ring, SEED, Spec, Way, asked, moving},
};

/// Id of the first entry that stands for ranges of ports.
const FIRST_RANGES: u32 = 500;
/// Flags of the tables as a whole.
pub(crate) const META: u32 = META_RANGES | META_WIDE_ORIGINS;

/// Ticks since slots began to move.
pub(crate) const MOVING_SINCE: u32 = 77;

/// What the tables hold.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) services: Vec<(Endpoint, abi::Service)>,
    /// By service and place in its ring.
    pub(crate) slots: Vec<SlotRow>,
    pub(crate) backends: Vec<(u32, abi::Backend)>,
    pub(crate) origins: Vec<(Endpoint, Origin)>,
    pub(crate) servers: Vec<(ServerId, u32)>,
    /// Words of the VLAN tags of frames to backends.
    pub(crate) tags: Vec<(u32, u32)>,
    pub(crate) vlans: Vec<(u32, Vlan)>,
    /// Ranges of ports, by the ids of what stands for them.
    pub(crate) ranges: Vec<(u32, Ranges)>,
    /// Turns one after the other: backends.
    pub(crate) turns: Vec<u32>,
    pub(crate) limits: Vec<(u32, Limits)>,
    /// What the kernel's routing table answers; it has its own.
    pub(crate) routes: Vec<(AddrBe, Route)>,
}

/// A slot of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRow {
    pub(crate) service: u32,
    pub(crate) place: u32,
    /// Its index in the ring table.
    pub(crate) index: u32,
    slot: Slot,
}

impl SlotRow {
    /// A slot of a service.
    pub(crate) const fn new(service: u32, place: u32, index: u32, slot: Slot) -> Self {
        Self { service, place, index, slot }
    }

    /// The slot in a tick, before any packet.
    pub(crate) fn at(&self, now: u32) -> Slot {
        if self.slot.is_moving() {
            return self.slot.stamped(time::stamp(now.wrapping_sub(MOVING_SINCE)));
        }
        self.slot
    }
}

impl Rows {
    /// The rows for interfaces with these numbers.
    pub(crate) fn new(links: &Links) -> Self {
        let (routes, vlans) = (network::routes(links), network::vlans(links));
        let mut rows = Self { vlans, routes, ..Self::default() };
        for spec in services::all() {
            rows.add(&spec, links);
        }
        rows
    }

    fn add(&mut self, spec: &Spec, links: &Links) {
        // The last ring ends with the table.
        let after = u32::try_from(services::all().len()).expect("a few") - spec.id;
        let ring_base = RING_SLOTS - (after + 1) * 8;
        let vip = endpoint(spec.vip(), spec.protocol);
        let mut entry = service(spec, ring_base);
        entry.first_turn = u32::try_from(self.turns.len()).expect("a few");
        self.turns.extend(spec.asked.turns.iter().map(|place| spec.first_backend + place));
        self.limits.push((spec.id, spec.asked.limits));
        if let Some(last) = spec.last_port {
            entry.flags |= SERVICE_RANGE;
            self.services.push((Endpoint { wide: 1, ..vip }, entry));
            self.add_range(spec, &vip, last);
        } else {
            self.services.push((vip, entry));
        }
        for place in 0..spec.slots() {
            let (service, index) = (spec.id, ring_base + place);
            self.slots.push(SlotRow { service, place, index, slot: slot(spec, place) });
        }
        let in_table = |place: &u32| spec.first_backend + place < MAX_BACKENDS;
        for place in (0..spec.backends).filter(in_table) {
            let id = spec.first_backend + place;
            if !self.backends.iter().any(|(other, _)| *other == id) {
                self.backends.push((id, backend(spec, place, links)));
            }
            if !spec.tags.is_empty() {
                self.tags.push((id, network::word(spec.tags)));
            }
            self.add_origin(spec, place, &vip);
            if spec.tracking == Tracking::Quic {
                let server_be = u32::from_ne_bytes(moving::server(spec.first_backend, place));
                self.servers.push((ServerId { service: spec.id, server_be }, id));
            }
        }
    }

    /// The ranges of an address are found by an entry of its own.
    fn add_range(&mut self, spec: &Spec, vip: &Endpoint, last: u16) {
        let key = vip.any_port();
        let known = self.services.iter().find(|(other, _)| *other == key);
        let id = if let Some((_, entry)) = known {
            entry.id
        } else {
            let id = FIRST_RANGES + u32::try_from(self.ranges.len()).expect("a few");
            let entry = abi::Service { id, flags: SERVICE_RANGES, ..abi::Service::default() };
            self.services.push((key, entry));
            self.ranges.push((id, Ranges::default()));
            id
        };
        let range = PortRange { service: spec.id, first: spec.vip().port(), last };
        for (_, row) in self.ranges.iter_mut().filter(|(other, _)| *other == id) {
            let free = row.ranges.iter_mut().find(|range| range.service == 0);
            *free.expect("there are few") = range;
        }
    }

    /// The first service that has a backend is the one of replies that are not remembered, if it is
    /// `nat`.
    fn add_origin(&mut self, spec: &Spec, place: u32, vip: &Endpoint) {
        let flags = match spec.mode {
            ForwardMode::Nat => ORIGIN_STATELESS,
            ForwardMode::FullNat => ORIGIN_TRACKED,
            ForwardMode::Dsr | ForwardMode::Ipip | ForwardMode::Gue => return,
        };
        let mut key = endpoint(spec.backend(place), spec.protocol);
        let mut flags = flags;
        if spec.last_port.is_some() {
            (key, flags) = (key.any_port(), ORIGIN_TRACKED);
        }
        if let Some((_, first)) = self.origins.iter_mut().find(|(other, _)| *other == key) {
            first.flags |= ORIGIN_TRACKED;
            return;
        }
        let (vip_be, port_be) = (vip.addr_be, vip.port_be);
        let backend = spec.first_backend + place;
        self.origins.push((key, Origin { vip_be, port_be, flags, service: spec.id, backend }));
    }

    /// A service at each address of a VIP: the first one.
    pub(crate) fn vips(&self) -> BTreeMap<AddrBe, u32> {
        let mut vips = BTreeMap::new();
        for (vip, service) in &self.services {
            vips.entry(vip.addr_be).or_insert(service.id);
        }
        vips
    }

    /// Prefixes in lists of sources: the list, first address, bits of it that count, and the rule.
    pub(crate) fn sources() -> impl Iterator<Item = (u32, AddrBe, u32, u32)> {
        asked::SOURCES.into_iter().map(|(list, first, length, rule)| {
            let first: IpAddr = first.parse().expect("an address");
            let length = if first.is_ipv4() { 96 + length } else { length };
            (list, addr_be(first), length, rule as u32)
        })
    }

    /// Bits of the filter of sources that are set. No prefix here is between the shortest that are filtered
    /// and the unit of the filter.
    pub(crate) fn source_filter() -> impl Iterator<Item = u32> {
        let filtered = |(_, first, length, _): &(u32, AddrBe, u32, u32)| {
            let shortest = if abi::is_v4_mapped(first) {
                96 + SHORTEST_FILTERED_V4
            } else {
                SHORTEST_FILTERED_V6
            };
            *length >= shortest.into()
        };
        Self::sources().filter(filtered).map(|(list, first, ..)| hash::source_bit(list, &first))
    }

    /// Tables of the host build in a tick.
    pub(crate) fn host_tables(&self, now: u32) -> HostTables {
        let slots = self.slots.iter().map(|row| (row.index, row.at(now)));
        HostTables {
            now: now.into(),
            room: ROOM as usize,
            services: self.services.iter().copied().collect(),
            slots: std::cell::RefCell::new(slots.collect()),
            backends: self.backends.iter().copied().collect(),
            origins: self.origins.iter().copied().collect(),
            servers: self.servers.iter().copied().collect(),
            vips: self.vips().into_iter().collect(),
            routes: self.routes.iter().copied().collect(),
            tags: self.tags.iter().copied().collect(),
            vlans: self.vlans.iter().copied().collect(),
            meta: META,
            ranges: self.ranges.iter().copied().collect(),
            sources: Self::sources().collect(),
            source_filter: Self::source_filter().collect(),
            limits: self.limits.iter().copied().collect(),
            turns: (0..).zip(self.turns.iter().copied()).collect(),
            ..HostTables::default()
        }
    }
}

fn service(spec: &Spec, ring_base: u32) -> abi::Service {
    let (first, last) = spec.ports;
    let mut service = abi::Service {
        id: spec.id,
        ring_base,
        ring_mask: spec.slots() - 1,
        mode: spec.mode as u8,
        tracking: spec.tracking as u8,
        idle_ticks: IDLE,
        seed: SEED,
        first_port: first,
        last_port_offset: last - first,
        flags: spec.asked.flags,
        scheduler: spec.asked.scheduler as u8,
        no_backend: spec.asked.no_backend as u8,
        list: spec.asked.list,
        turns: u32::try_from(spec.asked.turns.len()).expect("a few"),
        ..abi::Service::default()
    };
    if let Some((base, bits)) = spec.source_prefix() {
        let spread_be = ((1_u32 << bits) - 1).to_be();
        match base {
            IpAddr::V4(base) => {
                service.source_v4_be = base.to_bits().to_be();
                service.spread_v4_be = spread_be;
            }
            IpAddr::V6(_) => {
                service.source_v6_be = addr_be(base);
                service.spread_v6_be = spread_be;
            }
        }
    }
    service
}

fn slot(spec: &Spec, place: u32) -> Slot {
    if spec.ring == Ring::Moving {
        return moving::slot(place, spec.first_backend);
    }
    let owner = spec.backends.min(1) * (spec.first_backend + place % spec.backends.max(1));
    if place % 2 == 1 { Slot::moving(owner, owner, 5, 0) } else { Slot::settled(owner, 4) }
}

fn backend(spec: &Spec, place: u32, links: &Links) -> abi::Backend {
    let address: SocketAddr = spec.backend(place);
    let (resolved, ifindex) = match spec.way {
        Way::Back => (BACKEND_RESOLVED, links.back),
        Way::Front => (BACKEND_RESOLVED, links.front),
        Way::Unknown => (0, 0),
    };
    let of_ring = if spec.ring == Ring::Moving { moving::flags(place) } else { 0 };
    let shared = if spec.shared { BACKEND_SHARED } else { 0 };
    let tagged = if spec.tags.is_empty() { 0 } else { BACKEND_TAGGED };
    abi::Backend {
        identity: 1,
        addr_be: addr_be(address.ip()),
        port_be: address.port().to_be(),
        flags: resolved | of_ring | shared | tagged,
        ifindex,
        link: network::link(spec.backend_mac(place), spec.own_mac()),
        mtu: spec.mtu,
        source_be: addr_be(spec.own_address()),
        ..abi::Backend::default()
    }
}
