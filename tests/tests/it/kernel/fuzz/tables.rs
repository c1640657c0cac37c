//! What the tables hold after a batch, and how two of them differ.

use std::{
    collections::{HashMap, HashSet},
    fmt::{Debug, Write},
    hash::Hash,
};

use lb_common::{
    abi::{
        BACKEND_SHARED, BACKEND_TAGGED, Counter, Flow, FlowKey, FragmentKey, ORIGIN_TRACKED, Ports,
        Reason, Return,
    },
    slot::Slot,
};

use super::{
    fixture::Rows,
    services::{
        Spec,
        moving::{MOVING_V4_TCP, QUIC_V4, TRACKED_V4},
    },
};

/// Everything that packets write.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) flows: HashMap<FlowKey, Flow>,
    pub(super) ways: HashMap<FlowKey, Return>,
    pub(super) fragments: HashMap<FragmentKey, Ports>,
    pub(super) direct_flows: HashSet<FlowKey>,
    pub(super) direct_seen: HashSet<u32>,
    pub(super) slots: HashMap<u32, Slot>,
    pub(super) packets: HashMap<(u32, Reason), Counter>,
    pub(super) backends: HashMap<u32, Counter>,
    /// Flows that backends have more than they had, where that is counted.
    pub(super) flows_opened: HashMap<u32, i64>,
}

impl Held {
    /// Where another differs, in lines; nothing if it does not.
    pub(super) fn difference(&self, names: [&str; 2], other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let mut text = String::new();
        different(&mut text, "flows", names, &self.flows, &other.flows);
        different(&mut text, "ways back", names, &self.ways, &other.ways);
        different(&mut text, "fragments", names, &self.fragments, &other.fragments);
        different(&mut text, "slots", names, &self.slots, &other.slots);
        different(&mut text, "counted", names, &self.packets, &other.packets);
        different(&mut text, "backends", names, &self.backends, &other.backends);
        different(&mut text, "flows opened", names, &self.flows_opened, &other.flows_opened);
        let set = |keys: &HashSet<_>| keys.iter().map(|key| (*key, ())).collect();
        let (one, two) = (set(&self.direct_flows), set(&other.direct_flows));
        different(&mut text, "direct flows", names, &one, &two);
        let set = |ids: &HashSet<u32>| ids.iter().map(|id| (*id, ())).collect();
        let (one, two) = (set(&self.direct_seen), set(&other.direct_seen));
        different(&mut text, "direct clients", names, &one, &two);
        Some(text)
    }
}

fn different<K: Debug + Eq + Hash, V: Debug + PartialEq>(
    text: &mut String,
    table: &str,
    names: [&str; 2],
    one: &HashMap<K, V>,
    two: &HashMap<K, V>,
) {
    let keys: HashSet<&K> = one.keys().chain(two.keys()).collect();
    for key in keys.into_iter().filter(|key| one.get(key) != two.get(key)) {
        for (name, entry) in names.into_iter().zip([one.get(key), two.get(key)]) {
            _ = write!(text, "\n  {table}, {name}: {key:x?}: {entry:x?}");
        }
    }
}

/// Services whose backends are said to be shared, and whose owner is behind a VLAN: all that a packet
/// may need at once.
const LADEN: [Spec; 3] = [MOVING_V4_TCP, TRACKED_V4, QUIC_V4];
/// Of other backends, every so many are behind a VLAN.
const TAGGED: u32 = 5;

/// Marks what the rows of the cases leave out.
pub(super) fn mark(rows: &mut Rows) {
    for (id, backend) in &mut rows.backends {
        if let Some(spec) = LADEN.iter().find(|spec| is_of(spec, *id)) {
            backend.flags |= BACKEND_SHARED;
            if *id == spec.first_backend {
                backend.flags |= BACKEND_TAGGED;
            }
        } else if id.is_multiple_of(TAGGED) {
            backend.flags |= BACKEND_TAGGED;
        }
    }
    for (_, origin) in &mut rows.origins {
        if LADEN.iter().any(|spec| is_of(spec, origin.backend)) {
            origin.flags |= ORIGIN_TRACKED;
        }
    }
}

fn is_of(spec: &Spec, backend: u32) -> bool {
    (spec.first_backend..spec.first_backend + spec.backends).contains(&backend)
}

/// The tags of marked backends, by their ids: one, or two.
pub(super) fn tags(rows: &Rows) -> Vec<(u32, u32)> {
    let tagged = rows.backends.iter().filter(|(_, backend)| backend.flags & BACKEND_TAGGED != 0);
    let outer = |id: u32| if id.is_multiple_of(2) { 0x0009_0000 } else { 0 };
    tagged.map(|(id, _)| (*id, outer(*id) | (0x100 + *id % 0x100))).collect()
}
