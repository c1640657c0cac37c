//! The difference between two images, as operations in an order that is safe.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Image, Op};
use crate::model::access::Rules;

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
    let lists = lists(before, after);
    let filter = filter(before, after);
    let turns = Edits { first: turns(before, after), last: Vec::new() };
    let weights = edits(&before.weights, &after.weights, Op::PutWeight, Op::DeleteWeight);
    let limits = edits(&before.limits, &after.limits, Op::PutLimits, Op::DeleteLimits);
    let meta = meta(before, after);
    let services = services(before, after);
    let ranges = edits(&before.ranges, &after.ranges, Op::PutRanges, Op::DeleteRanges);
    let vips = edits(&before.vips, &after.vips, Op::PutVip, Op::DeleteVip);

    let new = after.interfaces.difference(&before.interfaces);
    let mut ops: Vec<Op> = new.map(|ifindex| Op::PutInterface(*ifindex)).collect();
    let mut last = Vec::new();
    let all = [
        meta, tags, vlans, backends, origins, servers, rings, lists, filter, turns, weights,
        limits, services, ranges, vips,
    ];
    for edits in all {
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

/// Longer prefixes are written first and removed last: what becomes of a source goes from what it was to
/// what it shall be, without a third thing in between.
fn lists(before: &Image, after: &Image) -> Edits {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    let none = Rules::new();
    let ids: BTreeSet<&u32> = before.lists.keys().chain(after.lists.keys()).collect();
    for id in ids {
        let [old, new] = [before, after].map(|image| image.lists.get(id));
        if old == new {
            continue;
        }
        let [old, new] = [old, new].map(|list| list.map_or(&none, |list| &**list));
        for edit in difference(old, new) {
            match edit {
                Edit::Added(prefix, rule) | Edit::Changed(prefix, _, rule) => {
                    put.push((prefix.length(), Op::PutSource(*id, *prefix, *rule)));
                }
                Edit::Removed(prefix, _) => {
                    gone.push((prefix.length(), Op::DeleteSource(*id, *prefix)));
                }
            }
        }
    }
    put.sort_by_key(|(length, _)| Reverse(*length));
    gone.sort_by_key(|(length, _)| *length);
    let ops = |ops: Vec<(u8, Op)>| ops.into_iter().map(|(_, op)| op).collect();
    Edits { first: ops(put), last: ops(gone) }
}

/// Bits are there as long as they are needed before or after.
fn filter(before: &Image, after: &Image) -> Edits {
    let mut edits = Edits::default();
    if Arc::ptr_eq(&before.filter, &after.filter) {
        return edits;
    }
    for (word, old, new) in before.filter.differences(&after.filter) {
        if old | new != old {
            edits.first.push(Op::PutFilter(word, old | new));
        }
        if old | new != new {
            edits.last.push(Op::PutFilter(word, new));
        }
    }
    edits
}

/// Flags are there before all that they are about, and go after it.
fn meta(before: &Image, after: &Image) -> Edits {
    let mut edits = Edits::default();
    let both = before.meta | after.meta;
    if both != before.meta {
        edits.first.push(Op::PutMeta(both));
    }
    if both != after.meta {
        edits.last.push(Op::PutMeta(after.meta));
    }
    edits
}

fn turns(before: &Image, after: &Image) -> Vec<Op> {
    let in_use: BTreeSet<u32> =
        before.services.values().filter(|s| s.turns > 0).map(|s| s.first_turn).collect();
    let changed = after.turns.iter().filter(|(first, turns)| {
        // As with rings: those without a service may have been written over since.
        before.turns.get(first).filter(|_| in_use.contains(first)) != Some(*turns)
    });
    changed.map(|(first, turns)| Op::PutTurns(*first, turns.clone())).collect()
}
