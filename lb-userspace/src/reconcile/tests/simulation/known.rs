//! Sequences that each rule of tracking is there for: random ones come upon some of them rarely.

use std::collections::BTreeSet;

use super::{
    KINDS,
    events::Event,
    scene::{Change, Setup},
    simulate,
};
use crate::model::{Forward, Protocol, Udp};

const IDLE: u16 = 100;

/// Runs a sequence for every kind of service whose flows are tracked while slots move.
fn holds(events: &[Event]) {
    for (kind, what) in KINDS.iter().enumerate() {
        let moving = what.protocol == Protocol::Tcp || what.udp == Udp::Quic;
        if !moving || what.forward == Forward::FullNat {
            continue;
        }
        let setup = Setup {
            v6: false,
            services: BTreeSet::from([kind]),
            idle: IDLE,
            drain: [None, None],
            fail_open: false,
            room: 0,
        };
        simulate(&setup, events).unwrap_or_else(|failed| panic!("{what:?}: {failed}"));
    }
}

fn packets(number: u16) -> Event {
    Event::Packets { number, seed: u64::from(number) }
}

fn change(change: Change) -> Event {
    Event::Change { changes: vec![change], crash: None, seed: 7 }
}

const SWEEP: Event = Event::Sweep(6);

/// Flows go on for longer than the idle time while their slots move.
fn time_goes_by() -> impl Iterator<Item = Event> {
    (0..5).flat_map(|step| [Event::Ticks(IDLE / 3), packets(300 + step), SWEEP])
}

#[test]
fn a_flow_outlives_its_slots_move() {
    for pool in [0, 1] {
        let mut events = vec![packets(200), change(Change::Drain(pool, 0)), packets(100)];
        events.extend(time_goes_by());
        holds(&events);
    }
}

#[test]
fn flows_of_several_moves_stay_apart() {
    for pool in [0, 1] {
        let mut events = vec![packets(200)];
        for host in 3..7 {
            events.extend([change(Change::Add(pool, host)), packets(150)]);
        }
        for host in 0..5 {
            events.extend([change(Change::Drain(pool, host)), packets(150), SWEEP]);
            events.extend([Event::Restart, change(Change::Enable(pool, host)), packets(100)]);
        }
        events.extend(time_goes_by());
        holds(&events);
    }
}

/// A slot settles with its owner's flows still in the table; the owner fails, and is back before
/// they are swept. Meanwhile their clients have used the same ports for flows to others.
#[test]
fn a_port_used_again_does_not_meet_its_ancestor() {
    for pool in [0, 1] {
        let mut events = vec![packets(200), change(Change::Drain(pool, 0)), packets(400)];
        events.extend((0..4).flat_map(|step| [Event::Ticks(IDLE / 3), packets(300 + step)]));
        events.extend([SWEEP, change(Change::Fail(pool, 1)), packets(400)]);
        events.extend([change(Change::Recover(pool, 1)), packets(400)]);
        holds(&events);
    }
}

#[test]
fn a_dead_backend_gets_nothing_though_slots_and_flows_name_it() {
    for pool in [0, 1] {
        let mut events = vec![packets(200), change(Change::Drain(pool, 0)), packets(200)];
        for host in [1, 0, 2] {
            events.extend([change(Change::Fail(pool, host)), packets(200)]);
            events.extend([change(Change::Add(pool, host + 3)), packets(200)]);
        }
        holds(&events);
    }
}

#[test]
fn a_ring_grows_and_shrinks_under_its_flows() {
    for pool in [0, 1] {
        let mut events = vec![packets(200)];
        for _ in 0..2 {
            events.extend([change(Change::Add(pool, 3)), packets(100)]);
            events.extend([change(Change::Grow(pool)), packets(200)]);
            events.extend([change(Change::Shrink(pool)), packets(200)]);
            events.extend(time_goes_by());
        }
        holds(&events);
    }
}
