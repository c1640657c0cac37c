//! Which flows are over, and which slots have settled.

use std::collections::BTreeSet;

use lb_common::{
    abi::{
        Endpoint, Flow, FlowKey,
        FlowState::{self, Closing, Open, Opening},
        Return,
    },
    host::endpoint,
    slot::Slot,
    time::CLOSING_TICKS,
};

use super::{
    super::{
        Image, Op,
        compile::vip_endpoint,
        sweep::{Plan, flow_key, settle, way_key},
    },
    World, applied,
};
use crate::model::{BackendState, Forward};

const WEB: &str = "192.0.2.1:80/tcp";
/// When the flows of these tests were last seen, unless they say otherwise.
const SEEN: u32 = 1000;
/// As the idle timeout of TCP is 15 minutes.
const IDLE: u32 = 840;

/// Three backends, of which one is drained; so some slots move and others do not.
fn image(forward: Forward) -> Image {
    let mut world = World::empty().large_pool("web", 3).service("web", WEB, "web", forward);
    let before = world.fresh();
    world.backend_mut("web", "10.9.0.1:80").state = BackendState::Drained;
    world.after(&before)
}

fn vip() -> Endpoint {
    vip_endpoint(WEB.parse().unwrap())
}

fn key(port: u16) -> FlowKey {
    let client = endpoint(([198, 51, 100, 1], port).into(), 6);
    FlowKey {
        src_be: client.addr_be,
        dst_be: vip().addr_be,
        src_port_be: client.port_be,
        dst_port_be: vip().port_be,
        protocol: 6,
        _pad: [0; 3],
    }
}

/// Clients whose slot moves, and clients whose slot has settled, with its epoch.
fn clients(image: &Image, moving: bool) -> Vec<(FlowKey, u16)> {
    let service = &image.services[&vip()];
    let slot = |key: &FlowKey| {
        let hash = lb_common::hash::flow(
            service.seed,
            &key.src_be,
            &key.dst_be,
            key.src_port_be,
            key.dst_port_be,
            key.protocol,
        );
        Slot::from_word(image.rings[&service.ring_base][(hash & service.ring_mask) as usize])
    };
    let found = (0..60).map(key).map(|key| (key, slot(&key)));
    let found = found.filter(|(_, slot)| slot.is_moving() == moving);
    found.map(|(key, slot)| (key, slot.epoch())).collect()
}

fn flow(epoch: u16, state: FlowState) -> Flow {
    Flow::new(2, 1, SEEN, epoch, state)
}

fn way(state: FlowState, seen: u32) -> Return {
    Return {
        service: 1,
        seen,
        state: state as u8,
        vip_be: vip().addr_be,
        vip_port_be: vip().port_be,
        ..Return::default()
    }
}

#[test]
fn a_flow_is_remembered_while_its_slot_moves_and_it_is_not_silent() {
    let image = image(Forward::Dsr);
    let (key, epoch) = clients(&image, true)[0];
    let is_over = |age, epoch, state| {
        Plan::new(&image, SEEN + age).flow_is_over(&key, &flow(epoch, state), None)
    };
    for (state, limit) in [(Open, IDLE), (Closing, CLOSING_TICKS), (Opening, 30)] {
        assert!(!is_over(limit - 1, epoch, state), "{state:?}");
        assert!(is_over(limit, epoch, state), "{state:?}");
    }
    // Another epoch's flow was in the slot before it settled.
    assert!(is_over(1, epoch - 1, Open));
    for (key, epoch) in clients(&image, false) {
        let plan = Plan::new(&image, SEEN + 1);
        assert!(plan.flow_is_over(&key, &flow(epoch, Open), None));
    }
}

#[test]
fn what_came_after_the_plan_is_not_over() {
    let image = image(Forward::Dsr);
    let (key, epoch) = clients(&image, false)[0];
    for ahead in [0, 1, 500] {
        let plan = Plan::new(&image, SEEN - ahead);
        assert!(!plan.flow_is_over(&key, &flow(epoch + 1, Open), None));
        assert!(!plan.way_is_over(&way(Open, SEEN), None));
        // Even of a service that was added since.
        let plan = Plan::new(&Image::default(), SEEN - ahead);
        assert!(!plan.flow_is_over(&key, &flow(0, Open), None));
        assert!(!plan.way_is_over(&way(Open, SEEN), None));
    }
}

#[test]
fn flows_of_services_that_are_gone_are_over() {
    let image = image(Forward::Dsr);
    let (mut key, epoch) = clients(&image, true)[0];
    let gone = Plan::new(&Image::default(), SEEN + 1);
    assert!(gone.flow_is_over(&key, &flow(epoch, Open), None));
    assert!(gone.way_is_over(&way(Open, SEEN), None));
    // Its number may be another service's by now.
    let plan = Plan::new(&image, SEEN + 1);
    key.dst_port_be = 81_u16.to_be();
    assert!(plan.flow_is_over(&key, &flow(epoch, Open), None));
    let other = Return { vip_port_be: key.dst_port_be, ..way(Open, SEEN) };
    assert!(plan.way_is_over(&other, None));
}

#[test]
fn a_full_nat_flow_is_over_when_both_directions_are() {
    let image = image(Forward::FullNat);
    let plan = Plan::new(&image, SEEN + IDLE);
    let (key, flow) = (key(1), flow(0, Open));
    for (way, over) in [
        (None, true),
        (Some(way(Open, SEEN)), true),
        (Some(way(Open, SEEN + 1)), false),
        (Some(way(Closing, SEEN + IDLE - CLOSING_TICKS)), true),
    ] {
        assert_eq!(plan.flow_is_over(&key, &flow, way.as_ref()), over, "{way:?}");
    }
    let younger = Flow { seen: SEEN + 1, ..flow };
    assert!(!plan.way_is_over(&way(Open, SEEN), Some(&younger)));
    assert!(plan.way_is_over(&way(Open, SEEN), Some(&flow)));
    assert!(plan.way_is_over(&way(Open, SEEN), None));
    assert!(!plan.way_is_over(&way(Open, SEEN + 1), None));
}

#[test]
fn a_flow_and_its_way_back_find_each_other() {
    let key = key(40_000);
    let backend = endpoint(([10, 9, 0, 1], 80).into(), 6);
    let source = endpoint(([192, 0, 2, 99], 1024).into(), 6);
    let mut flow = flow(0, Open);
    (flow.backend_be, flow.backend_port_be) = (backend.addr_be, backend.port_be);
    (flow.source_be, flow.source_port_be) = (source.addr_be, source.port_be);
    let mut way = way(Open, SEEN);
    (way.client_be, way.client_port_be) = (key.src_be, key.src_port_be);
    let back = way_key(&key, &flow);
    assert_eq!((back.src_be, back.dst_port_be), (backend.addr_be, source.port_be));
    assert_eq!(flow_key(&back, &way), key);
}

#[test]
fn slots_settle_that_are_what_they_were() {
    let image = image(Forward::Dsr);
    let late = SEEN + IDLE;
    let plan = Plan::new(&image, late);
    let base = image.services[&vip()].ring_base;
    let slot = |index: u32| Slot::from_word(image.rings[&base][(index - base) as usize]);
    let moving: Vec<_> = plan.moving().collect();
    assert!(moving.len() > 1000 && moving.iter().all(|(_, idle)| u32::from(*idle) == IDLE));
    let settled: Vec<_> = moving.iter().map(|(index, _)| (*index, slot(*index))).collect();
    for (_, slot) in &settled {
        assert!(plan.has_settled(*slot, moving[0].1));
        assert!(!plan.has_settled(slot.stamped(1001), moving[0].1));
        // A packet of the tick after the plan's.
        let next = u16::try_from(late + 1).unwrap();
        assert!(!plan.has_settled(slot.stamped(next), moving[0].1));
    }
    let after = applied(&settle(&image, &settled), image.clone());
    assert!(after.rings[&base].iter().all(|word| !Slot::from_word(*word).is_moving()));
    // What has changed since it was read is left alone; another stamp alone is no change.
    let (index, read) = settled[0];
    let other = Slot::moving(read.owner() + 1, read.previous(), read.epoch(), read.stamp());
    assert_eq!(settle(&image, &[(index, other)]), []);
    assert_eq!(
        settle(&image, &[(index, read.stamped(7))]),
        [Op::PutSlots(index, vec![Slot::settled(read.owner(), read.epoch()).word()])]
    );
    assert_eq!(settle(&Image::default(), &settled), []);
}

#[test]
fn only_leaving_backends_can_be_let_go() {
    let plan = Plan::new(&image(Forward::Dsr), SEEN);
    assert_eq!(plan.unreferenced(&BTreeSet::new()), BTreeSet::from([1]));
    assert_eq!(plan.unreferenced(&BTreeSet::from([2])), BTreeSet::from([1]));
    assert_eq!(plan.unreferenced(&BTreeSet::from([1, 2])), BTreeSet::new());
}

/// Flows of a range have any of its ports.
#[test]
fn a_flow_of_a_range_is_that_of_its_service() {
    let mut world = World::empty().large_pool("web", 3).service(
        "web",
        "192.0.2.1:80-90/tcp",
        "web",
        Forward::Nat,
    );
    let service = world.desired.services.get_mut(&super::name("web")).unwrap();
    service.tracking = crate::model::Tracking::Full;
    let image = world.fresh();
    let id = image.services.values().find(|entry| entry.flags == 1).unwrap().id;
    let plan = Plan::new(&image, SEEN + 1);
    for (port, over) in [(79_u16, true), (80, false), (85, false), (90, false), (91, true)] {
        let mut key = key(1);
        key.dst_port_be = port.to_be();
        let flow = Flow { service: id, ..flow(0, Open) };
        assert_eq!(plan.flow_is_over(&key, &flow, None), over, "{port}");
        let way = Return { service: id, vip_port_be: port.to_be(), ..way(Open, SEEN) };
        assert_eq!(plan.way_is_over(&way, None), over, "{port}");
    }
}

#[test]
fn with_affinity_a_flow_is_in_the_slot_of_its_client() {
    let mut image = image(Forward::Dsr);
    let entry = image.services.get_mut(&vip()).unwrap();
    entry.flags |= lb_common::abi::SERVICE_AFFINITY;
    let (seed, mask, base) = (entry.seed, entry.ring_mask, entry.ring_base);
    let slot = |key: &FlowKey| {
        let place = lb_common::hash::client(seed, &key.src_be) & mask;
        Slot::from_word(image.rings[&base][place as usize])
    };
    let of = |last: u8| {
        let client = endpoint(([198, 51, 100, last], 1).into(), 6);
        FlowKey { src_be: client.addr_be, ..key(1) }
    };
    let moving = (1..=200).map(of).find(|key| slot(key).is_moving()).unwrap();
    let plan = Plan::new(&image, SEEN + 1);
    for port in [1_u16, 2, 3] {
        let key = FlowKey { src_port_be: port.to_be(), ..moving };
        assert!(!plan.flow_is_over(&key, &flow(slot(&moving).epoch(), Open), None));
    }
}

#[test]
fn flows_are_counted_where_their_number_matters() {
    let mut world = World::empty().large_pool("web", 2).service("web", WEB, "web", Forward::Dsr);
    let none = Plan::new(&world.fresh(), SEEN);
    assert!(none.counted().is_empty() && !none.counts(&flow(0, Open)));
    let service = world.desired.services.get_mut(&super::name("web")).unwrap();
    service.tracking = crate::model::Tracking::Full;
    service.scheduler = crate::model::Scheduler::LeastFlows;
    let plan = Plan::new(&world.fresh(), SEEN);
    assert_eq!(plan.counted(), &BTreeSet::from([1, 2]));
    let counts = [Opening, Open, Closing].map(|state| plan.counts(&flow(0, state)));
    assert_eq!(counts, [true, true, false]);
    assert!(!plan.counts(&Flow { service: 9, ..flow(0, Open) }));
}
