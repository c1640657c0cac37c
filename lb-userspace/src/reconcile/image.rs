//! What the tables hold, and what an operation makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::abi::{AddrBe, Backend, Endpoint, Limits, Origin, Ranges, ServerId, Service, Vlan};

use super::{Op, filter::Filter};
use crate::model::{Prefix, Rule, access::Rules};

/// What the tables hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Image {
    /// Services by VIP.
    pub services: BTreeMap<Endpoint, Service>,
    /// Slot words of each ring, by its first slot.
    pub rings: BTreeMap<u32, Vec<u64>>,
    /// Backends by id.
    pub backends: BTreeMap<u32, Backend>,
    /// Services by the address of their backends, where replies come back.
    pub origins: BTreeMap<Endpoint, Origin>,
    /// Backends by the id that QUIC connection ids name them with.
    pub servers: BTreeMap<ServerId, u32>,
    /// A service at each address of a VIP, by its id: the one that counts what is of no port.
    pub vips: BTreeMap<AddrBe, u32>,
    /// The VLAN tags of frames to backends, by their ids.
    pub tags: BTreeMap<u32, u32>,
    /// VLAN interfaces that replies may leave by.
    pub vlans: BTreeMap<u32, Vlan>,
    /// Interfaces that packets may be redirected to.
    pub interfaces: BTreeSet<u32>,
    /// Services with ranges of ports at an address, by the id of the entry that stands for them.
    pub ranges: BTreeMap<u32, Ranges>,
    /// How many flows may begin, by the id of the service.
    pub limits: BTreeMap<u32, Limits>,
    /// Backends that take turns, by the first turn.
    pub turns: BTreeMap<u32, Vec<u32>>,
    /// Weights of backends whose flows are counted, by their ids.
    pub weights: BTreeMap<u32, u32>,
    /// Lists of sources, by their ids.
    pub lists: BTreeMap<u32, Arc<Rules>>,
    /// The filter in front of them.
    pub filter: Arc<Filter>,
    /// Flags of the tables as a whole.
    pub meta: u32,
}

impl Image {
    /// Carries out an operation on this image, as the tables would.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::PutInterface(ifindex) => _ = self.interfaces.insert(*ifindex),
            Op::DeleteInterface(ifindex) => _ = self.interfaces.remove(ifindex),
            Op::ResetBackend(_) | Op::ResetService(_) => {}
            Op::PutBackend(id, backend) => _ = self.backends.insert(*id, *backend),
            Op::DeleteBackend(id) => _ = self.backends.remove(id),
            Op::PutOrigin(key, origin) => _ = self.origins.insert(*key, *origin),
            Op::DeleteOrigin(key) => _ = self.origins.remove(key),
            Op::PutVip(addr, id) => _ = self.vips.insert(*addr, *id),
            Op::DeleteVip(addr) => _ = self.vips.remove(addr),
            Op::PutTags(backend, tags) => _ = self.tags.insert(*backend, *tags),
            Op::DeleteTags(backend) => _ = self.tags.remove(backend),
            Op::PutVlan(ifindex, vlan) => _ = self.vlans.insert(*ifindex, *vlan),
            Op::DeleteVlan(ifindex) => _ = self.vlans.remove(ifindex),
            Op::PutServer(key, backend) => _ = self.servers.insert(*key, *backend),
            Op::DeleteServer(key) => _ = self.servers.remove(key),
            Op::PutSlots(first, words) => self.put_slots(*first, words),
            Op::PutService(vip, service) => {
                let old = self.services.insert(*vip, *service);
                self.forget_ring(old.filter(|old| old.ring_base != service.ring_base));
                self.forget_turns(
                    old.filter(|old| service.turns == 0 || old.first_turn != service.first_turn),
                );
            }
            Op::DeleteService(vip) => {
                let old = self.services.remove(vip);
                self.forget_ring(old);
                self.forget_turns(old);
            }
            Op::PutRanges(id, ranges) => _ = self.ranges.insert(*id, *ranges),
            Op::DeleteRanges(id) => _ = self.ranges.remove(id),
            Op::PutLimits(service, limits) => _ = self.limits.insert(*service, *limits),
            Op::DeleteLimits(service) => _ = self.limits.remove(service),
            Op::PutTurns(first, turns) => self.put_turns(*first, turns),
            Op::PutWeight(backend, weight) => _ = self.weights.insert(*backend, *weight),
            Op::DeleteWeight(backend) => _ = self.weights.remove(backend),
            Op::PutSource(list, prefix, rule) => self.put_source(*list, *prefix, *rule),
            Op::DeleteSource(list, prefix) => self.delete_source(*list, prefix),
            Op::PutFilter(word, bits) => Arc::make_mut(&mut self.filter).put(*word, *bits),
            Op::PutMeta(flags) => self.meta = *flags,
        }
    }

    /// Writes into the ring of a service, or a whole ring that is yet to get one.
    fn put_slots(&mut self, first: u32, words: &[u64]) {
        let ring = self.rings.range_mut(..=first).next_back();
        let of_service = |base| self.services.values().any(|service| service.ring_base == base);
        let inside = ring.filter(|(base, _)| of_service(**base)).and_then(|(base, ring)| {
            let at = (first - base) as usize;
            ring.get_mut(at..at + words.len())
        });
        if let Some(slots) = inside {
            slots.copy_from_slice(words);
            return;
        }
        let (start, end) = (first as usize, first as usize + words.len());
        self.rings.retain(|base, ring| {
            let base = *base as usize;
            base + ring.len() <= start || end <= base
        });
        self.rings.insert(first, words.to_vec());
    }

    /// A ring without a service is free space.
    fn forget_ring(&mut self, service: Option<Service>) {
        if let Some(service) = service {
            self.rings.remove(&service.ring_base);
        }
    }

    /// Writes turns, over whatever is there that is not in use.
    fn put_turns(&mut self, first: u32, turns: &[u32]) {
        let (start, end) = (first as usize, first as usize + turns.len());
        self.turns.retain(|other, turns| {
            let other = *other as usize;
            other + turns.len() <= start || end <= other
        });
        self.turns.insert(first, turns.to_vec());
    }

    /// Turns without a service are free space.
    fn forget_turns(&mut self, service: Option<Service>) {
        if let Some(service) = service.filter(|service| service.turns > 0) {
            self.turns.remove(&service.first_turn);
        }
    }

    fn put_source(&mut self, list: u32, prefix: Prefix, rule: Rule) {
        Arc::make_mut(self.lists.entry(list).or_default()).insert(prefix, rule);
    }

    /// A list without prefixes is none.
    fn delete_source(&mut self, list: u32, prefix: &Prefix) {
        let Some(rules) = self.lists.get_mut(&list) else { return };
        Arc::make_mut(rules).remove(prefix);
        if rules.is_empty() {
            self.lists.remove(&list);
        }
    }
}
