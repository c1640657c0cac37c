//! From what is desired to operations on the tables. Pure: nothing here does I/O.
//!
//! [`compile`](compile::compile) turns a configuration and the next hops into an [`Image`] of the
//! tables; [`plan`] is the difference between two images, in an order in which every step is safe:
//! what is referred to is there before the reference, and goes after it.

pub mod compile;
pub mod describe;
pub mod layout;
mod origins;
pub mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use lb_common::abi::{AddrBe, Backend, Endpoint, Origin, ServerId, Service, Vlan};

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
}

/// One operation on the tables, safe on its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Op {
    /// Lets packets be redirected to an interface.
    PutInterface(u32),
    /// Writes the VLAN tags of frames to a backend.
    PutTags(u32, u32),
    /// Writes how packets leave by a VLAN interface.
    PutVlan(u32, Vlan),
    /// Begins the counters of a backend at zero, and its flags.
    ResetBackend(u32),
    /// Writes a backend.
    PutBackend(u32, Backend),
    /// Writes the translation of a backend's replies.
    PutOrigin(Endpoint, Origin),
    /// Writes slots, one word each, from an index on.
    PutSlots(u32, Vec<u64>),
    /// Begins the counters of a service at zero.
    ResetService(u32),
    /// Writes a service.
    PutService(Endpoint, Service),
    /// Writes a service at an address.
    PutVip(AddrBe, u32),
    /// Removes an address that no service is at any more.
    DeleteVip(AddrBe),
    /// Writes the backend that a QUIC server id names.
    PutServer(ServerId, u32),
    /// Removes a QUIC server id.
    DeleteServer(ServerId),
    /// Removes a service.
    DeleteService(Endpoint),
    /// Removes the translation of a backend's replies.
    DeleteOrigin(Endpoint),
    /// Removes a backend.
    DeleteBackend(u32),
    /// Removes the VLAN tags of frames to a backend.
    DeleteTags(u32),
    /// Removes a VLAN interface.
    DeleteVlan(u32),
    /// Stops redirects to an interface.
    DeleteInterface(u32),
}

/// One difference between two keyed collections.
#[derive(Debug, Eq, PartialEq)]
pub enum Edit<'a, K, V> {
    /// Only in the second.
    Added(&'a K, &'a V),
    /// In both, with another value.
    Changed(&'a K, &'a V, &'a V),
    /// Only in the first.
    Removed(&'a K, &'a V),
}

/// The differences between two keyed collections, in the order of the keys.
pub fn difference<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> Vec<Edit<'a, K, V>> {
    let kept = after.iter().filter_map(|(key, new)| match before.get(key) {
        None => Some(Edit::Added(key, new)),
        Some(old) if old != new => Some(Edit::Changed(key, old, new)),
        Some(_) => None,
    });
    let gone = before.iter().filter(|(key, _)| !after.contains_key(key));
    kept.chain(gone.map(|(key, old)| Edit::Removed(key, old))).collect()
}

/// The operations that make tables which hold `before` hold `after`.
pub fn plan(before: &Image, after: &Image) -> Vec<Op> {
    let tags = edits(&before.tags, &after.tags, Op::PutTags, Op::DeleteTags);
    let vlans = edits(&before.vlans, &after.vlans, Op::PutVlan, Op::DeleteVlan);
    let backends = backends(before, after);
    let origins = edits(&before.origins, &after.origins, Op::PutOrigin, Op::DeleteOrigin);
    let servers = edits(&before.servers, &after.servers, Op::PutServer, Op::DeleteServer);
    let rings = Edits { first: rings(before, after), last: Vec::new() };
    let services = services(before, after);
    let vips = edits(&before.vips, &after.vips, Op::PutVip, Op::DeleteVip);

    let new = after.interfaces.difference(&before.interfaces);
    let mut ops: Vec<Op> = new.map(|ifindex| Op::PutInterface(*ifindex)).collect();
    let mut last = Vec::new();
    for edits in [tags, vlans, backends, origins, servers, rings, services, vips] {
        ops.extend(edits.first);
        last.push(edits.last);
    }
    ops.extend(last.into_iter().rev().flatten());
    let gone = before.interfaces.difference(&after.interfaces);
    ops.extend(gone.map(|ifindex| Op::DeleteInterface(*ifindex)));
    ops
}

/// The operations on one collection: what writes comes before all that refers to it, what removes
/// behind all that did.
#[derive(Debug, Default)]
struct Edits {
    first: Vec<Op>,
    last: Vec<Op>,
}

/// Where writing an entry and removing it is all there is to do.
fn edits<K: Copy + Ord, V: Copy + PartialEq>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    put: impl Fn(K, V) -> Op,
    delete: impl Fn(K) -> Op,
) -> Edits {
    let mut edits = Edits::default();
    for edit in difference(before, after) {
        match edit {
            Edit::Added(key, new) | Edit::Changed(key, _, new) => {
                edits.first.push(put(*key, *new));
            }
            Edit::Removed(key, _) => edits.last.push(delete(*key)),
        }
    }
    edits
}

fn backends(before: &Image, after: &Image) -> Edits {
    let mut edits = Edits::default();
    for edit in difference(&before.backends, &after.backends) {
        match edit {
            Edit::Added(id, new) => {
                edits.first.extend([Op::ResetBackend(*id), Op::PutBackend(*id, *new)]);
            }
            Edit::Changed(id, old, new) => {
                if old.identity != new.identity {
                    edits.first.push(Op::ResetBackend(*id));
                }
                edits.first.push(Op::PutBackend(*id, *new));
            }
            Edit::Removed(id, _) => edits.last.push(Op::DeleteBackend(*id)),
        }
    }
    edits
}

fn services(before: &Image, after: &Image) -> Edits {
    let mut edits = Edits::default();
    for edit in difference(&before.services, &after.services) {
        match edit {
            Edit::Added(vip, new) => {
                edits.first.extend([Op::ResetService(new.id), Op::PutService(*vip, *new)]);
            }
            Edit::Changed(vip, _, new) => edits.first.push(Op::PutService(*vip, *new)),
            Edit::Removed(vip, _) => edits.last.push(Op::DeleteService(*vip)),
        }
    }
    edits
}

fn rings(before: &Image, after: &Image) -> Vec<Op> {
    let in_use: BTreeSet<u32> = before.services.values().map(|s| s.ring_base).collect();
    let mut ops = Vec::new();
    for (base, new) in &after.rings {
        // A ring without a service, left by a plan that failed, may have been written over since.
        match before.rings.get(base).filter(|_| in_use.contains(base)) {
            None => ops.push(Op::PutSlots(*base, new.clone())),
            Some(old) => ops.extend(changed_slots(*base, old, new)),
        }
    }
    ops
}

/// Runs of slots that differ, so that a small change writes little.
fn changed_slots(base: u32, old: &[u64], new: &[u64]) -> Vec<Op> {
    if old.len() != new.len() {
        return vec![Op::PutSlots(base, new.to_vec())];
    }
    let mut ops: Vec<Op> = Vec::new();
    let mut expected = None;
    for (index, (_, word)) in (base..).zip(old.iter().zip(new)).filter(|(_, (a, b))| a != b) {
        match ops.last_mut() {
            Some(Op::PutSlots(_, words)) if expected == Some(index) => words.push(*word),
            _ => ops.push(Op::PutSlots(index, vec![*word])),
        }
        expected = Some(index + 1);
    }
    ops
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
            }
            Op::DeleteService(vip) => {
                let old = self.services.remove(vip);
                self.forget_ring(old);
            }
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
}
