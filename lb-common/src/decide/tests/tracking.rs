//! Just-enough tracking: what moves, who is remembered, and that no live flow changes its backend.

use std::{collections::BTreeMap, net::SocketAddr, vec::Vec};

use proptest::prelude::*;

use super::{
    address,
    scene::{BASE, IDLE, Kind, NOW, SLOTS, VIPS, client, packet, run, service, slot_index},
};
use crate::{
    abi::{BACKEND_DEAD, BACKEND_LEAVING, Backend, ForwardMode, Reason, Tracking, Verdict},
    host::HostTables,
    slot::{Alive, Slot},
    time,
};

fn vip() -> SocketAddr {
    address(VIPS[0])
}

fn sent(tables: &HostTables, kind: Kind, port: u16) -> u32 {
    run(tables, packet(kind, client(vip(), 7, port), vip(), 64, b"data")).backend
}

/// All slots of the service become the same.
fn set(tables: &HostTables, slot: Slot) {
    for index in BASE..BASE + SLOTS {
        tables.slots.borrow_mut().insert(index, slot);
    }
}

#[test]
fn a_settled_slot_remembers_nothing_and_asks_nothing() {
    let tables = service(ForwardMode::Nat, Tracking::Moving);
    for port in 1000..1100 {
        assert_eq!(sent(&tables, Kind::Syn, port), 1);
        assert_eq!(sent(&tables, Kind::Data, port), 1);
    }
    assert!(tables.flows.borrow().is_empty());
}

#[test]
fn a_moving_slot_tells_younger_flows_from_older_ones() {
    let tables = service(ForwardMode::Nat, Tracking::Moving);
    set(&tables, Slot::moving(2, 1, 1, time::stamp(NOW)));
    assert_eq!(sent(&tables, Kind::Data, 1000), 1, "older");
    assert_eq!(sent(&tables, Kind::Syn, 1001), 2, "younger");
    assert_eq!(sent(&tables, Kind::Data, 1001), 2, "younger");
    set(&tables, Slot::moving(3, 1, 1, time::stamp(NOW)));
    assert_eq!(sent(&tables, Kind::Data, 1000), 1, "older than both changes");
    assert_eq!(sent(&tables, Kind::Data, 1001), 2, "between them");
    assert_eq!(sent(&tables, Kind::Syn, 1002), 3, "younger than both");
}

/// Otherwise the slot would never settle.
#[test]
fn only_exceptions_keep_a_slot_moving() {
    let tables = service(ForwardMode::Nat, Tracking::Moving);
    set(&tables, Slot::moving(2, 1, 1, 7));
    let stamped = || {
        let slots = tables.slots.borrow();
        (BASE..BASE + SLOTS).filter(|index| slots[index].stamp() != 7).collect::<Vec<_>>()
    };
    assert_eq!(sent(&tables, Kind::Syn, 1000), 2);
    assert_eq!(sent(&tables, Kind::Data, 1000), 2);
    assert_eq!(stamped(), []);
    assert_eq!(sent(&tables, Kind::Data, 1001), 1);
    let index = slot_index(&tables, client(vip(), 7, 1001), vip(), Kind::Data.protocol());
    assert_eq!(stamped(), [index]);
    assert_eq!(tables.slots.borrow()[&index], Slot::moving(2, 1, 1, time::stamp(NOW)));
}

#[test]
fn whoever_is_dead_has_no_flows() {
    let mut tables = service(ForwardMode::Nat, Tracking::Moving);
    set(&tables, Slot::moving(2, 1, 1, 7));
    assert_eq!(sent(&tables, Kind::Syn, 1000), 2);
    set(&tables, Slot::moving(3, 1, 1, 7));
    for id in [1, 2] {
        tables.backends.get_mut(&id).expect("a backend").flags |= BACKEND_DEAD;
    }
    assert_eq!(sent(&tables, Kind::Data, 1000), 3, "of the dead by memory");
    assert_eq!(sent(&tables, Kind::Data, 1001), 3, "of the dead as the previous owner");
    tables.backends.remove(&1);
    assert_eq!(sent(&tables, Kind::Data, 1001), 3, "of one that is not there");
}

#[test]
fn whoever_leaves_keeps_flows() {
    let mut tables = service(ForwardMode::Nat, Tracking::Moving);
    set(&tables, Slot::moving(2, 1, 1, 7));
    tables.backends.get_mut(&1).expect("a backend").flags |= BACKEND_LEAVING;
    assert_eq!(sent(&tables, Kind::Data, 1000), 1);
}

/// A flow that cannot be remembered must not be opened: its next packet would go elsewhere.
#[test]
fn a_full_table_stops_openings_in_moving_slots_only() {
    let mut tables = service(ForwardMode::Nat, Tracking::Moving);
    tables.room = 1;
    set(&tables, Slot::moving(2, 1, 1, 7));
    assert_eq!(sent(&tables, Kind::Syn, 1000), 2);
    let done = run(&tables, packet(Kind::Syn, client(vip(), 7, 1001), vip(), 64, &[]));
    assert_eq!((done.verdict, done.reason), (Verdict::Drop, Reason::FlowTableFull));
    assert_eq!(sent(&tables, Kind::Syn, 1000), 2, "its own place is free");
    assert_eq!(sent(&tables, Kind::Data, 1002), 1);
    set(&tables, Slot::settled(2, 1));
    assert_eq!(sent(&tables, Kind::Syn, 1001), 2);
}

#[test]
fn tracked_flows_keep_their_backend_until_they_are_idle_for_too_long() {
    let tables = service(ForwardMode::Dsr, Tracking::All);
    assert_eq!(sent(&tables, Kind::Udp, 1000), 1);
    set(&tables, Slot::settled(2, 0));
    let idle = u32::from(IDLE);
    for tick in [NOW, NOW + idle - 1, NOW + 2 * idle - 2] {
        tables.now.set(tick);
        assert_eq!(sent(&tables, Kind::Udp, 1000), 1, "{tick}");
    }
    tables.now.set(NOW + 3 * idle - 2);
    assert_eq!(sent(&tables, Kind::Udp, 1000), 2, "over");
    set(&tables, Slot::settled(3, 0));
    assert_eq!(sent(&tables, Kind::Udp, 1000), 2);
    assert_eq!(sent(&tables, Kind::Udp, 1001), 3);
}

/// What can happen to the service, its clients and the time.
#[derive(Clone, Debug)]
enum Step {
    Open(u16),
    Data(u16),
    Close(u16),
    Hand(u32, u32),
    Wait(u32),
    Kill(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let port = || 1000_u16..1006;
    prop_oneof![
        4 => port().prop_map(Step::Open),
        8 => port().prop_map(Step::Data),
        2 => port().prop_map(Step::Close),
        4 => (0..SLOTS, 1_u32..6).prop_map(|(slot, owner)| Step::Hand(slot, owner)),
        3 => (1_u32..260).prop_map(Step::Wait),
        1 => (1_u32..6).prop_map(Step::Kill),
    ]
}

/// The service, and which backend each client's flow is with.
struct World {
    tables: HostTables,
    /// Backend, and the tick of the last packet, by client port.
    flows: BTreeMap<u16, (u32, u32)>,
}

impl World {
    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let now = self.tables.now.get();
        match *step {
            Step::Open(port) => {
                let backend = sent(&self.tables, Kind::Syn, port);
                self.flows.remove(&port);
                // The dead accept nothing.
                if self.tables.backends.get(&backend).is_some_and(Backend::is_alive) {
                    self.flows.insert(port, (backend, now));
                }
            }
            Step::Data(port) => self.data(port, Kind::Data)?,
            Step::Close(port) => {
                self.data(port, Kind::Fin)?;
                self.flows.remove(&port);
            }
            Step::Hand(slot, owner) => self.hand(slot, owner),
            Step::Wait(ticks) => {
                self.tables.now.set(now + ticks);
                self.sweep();
            }
            Step::Kill(id) => {
                self.tables.backends.entry(id).and_modify(|b| b.flags |= BACKEND_DEAD);
                self.flows.retain(|_, (backend, _)| *backend != id);
            }
        }
        Ok(())
    }

    /// A packet of a live flow reaches its backend.
    fn data(&mut self, port: u16, kind: Kind) -> Result<(), TestCaseError> {
        let now = self.tables.now.get();
        let Some((backend, seen)) = self.flows.get_mut(&port) else { return Ok(()) };
        *seen = now;
        prop_assert_eq!(sent(&self.tables, kind, port), *backend, "port {}", port);
        Ok(())
    }

    /// As the daemon does it.
    fn hand(&self, slot: u32, owner: u32) {
        let alive = |id| self.tables.backends.get(&id).is_some_and(Backend::is_alive);
        if !alive(owner) {
            return;
        }
        self.tables.slots.borrow_mut().entry(BASE + slot).and_modify(|slot| {
            let still = Alive { owner: alive(slot.owner()), previous: alive(slot.previous()) };
            *slot = slot.handed_to(owner, still, self.tables.now.get());
        });
    }

    /// Slots settle, and flows that were idle for too long are nobody's. What is remembered stays:
    /// the daemon may be late.
    fn sweep(&mut self) {
        let now = self.tables.now.get();
        self.flows.retain(|_, (_, seen)| now - *seen < u32::from(IDLE));
        for slot in self.tables.slots.borrow_mut().values_mut() {
            *slot = slot.swept(IDLE, now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_live_flow_changes_its_backend(steps in prop::collection::vec(step(), 1..120)) {
        let tables = service(ForwardMode::Nat, Tracking::Moving);
        let mut world = World { tables, flows: BTreeMap::new() };
        for step in &steps {
            world.take(step)?;
        }
    }
}
