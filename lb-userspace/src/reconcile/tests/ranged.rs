//! Services with ranges of ports: how they are found, and whose replies are whose.

use std::collections::BTreeSet;

use lb_common::{
    abi::{
        BACKEND_SHARED, Endpoint, META_RANGES, META_WIDE_ORIGINS, ORIGIN_STATELESS, ORIGIN_TRACKED,
        PortRange, SERVICE_RANGE, SERVICE_RANGES,
    },
    limits::RANGES_PER_ADDRESS,
};

use super::{
    super::{Image, Op, compile::endpoint, plan},
    World, applied, id_of, name, vip_endpoint,
};
use crate::model::{Forward, Protocol};

const RANGE: &str = "192.0.2.1:8000-8099/tcp";
const ALL: &str = "192.0.2.1:*/tcp";

fn key(listen: &str) -> Endpoint {
    vip_endpoint(listen.parse().unwrap())
}

/// A pool with services of these addresses.
fn world(services: &[(&str, Forward)]) -> World {
    let world = World::empty().pool("web", &["10.0.0.1:80", "10.0.0.2:80"]);
    services.iter().fold(world, |world, (listen, forward)| {
        world.service(&listen.replace([':', '/', '*'], "-"), listen, "web", *forward)
    })
}

/// The ranges of a host that are in use, with their places.
fn row(image: &Image, listen: &str) -> Vec<(usize, PortRange)> {
    let entry = image.services[&key(listen).any_port()];
    let row = image.ranges[&entry.id].ranges.into_iter().enumerate();
    row.filter(|(_, range)| range.service != 0).collect()
}

#[test]
fn keys_of_ranges_are_never_looked_up() {
    let exact = key("192.0.2.1:8000/tcp");
    assert_eq!(exact.wide, 0);
    assert_eq!(key(RANGE), Endpoint { wide: 1, ..exact });
    let keys = ["192.0.2.1:1-80/tcp", ALL, RANGE].map(key);
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>().len(), 3);
    assert!(keys.iter().all(|key| key.wide == 1 && *key != key.any_port()));
}

#[test]
fn a_host_leads_to_its_ranges() {
    let services =
        [("192.0.2.1:8000/tcp", Forward::Nat), (RANGE, Forward::Dsr), (ALL, Forward::Dsr)];
    let image = world(&services).fresh();
    let host = image.services[&key(RANGE).any_port()];
    assert_eq!((host.flags, host.ring_mask), (SERVICE_RANGES, 0));
    let [range, all] = [RANGE, ALL].map(|listen| image.services[&key(listen)]);
    assert_eq!((range.flags, all.flags), (SERVICE_RANGE, SERVICE_RANGE));
    let expected = [
        (0, PortRange { service: range.id, first: 8000, last: 8099 }),
        (RANGES_PER_ADDRESS - 1, PortRange { service: all.id, first: 1, last: u16::MAX }),
    ];
    assert_eq!(row(&image, RANGE), expected);
    assert_eq!(image.meta, META_RANGES);
    assert_eq!(image.services[&key("192.0.2.1:8000/tcp")].flags, 0);
    let ids: BTreeSet<u32> = image.services.values().map(|service| service.id).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(world(&[("192.0.2.1:8000/tcp", Forward::Nat)]).fresh().meta, 0);
}

/// A packet may be looking at a row while it is written.
#[test]
fn what_stays_keeps_its_place() {
    let ranges: Vec<String> =
        (1..=RANGES_PER_ADDRESS).map(|it| format!("192.0.2.1:{it}00-{it}99/tcp")).collect();
    let services: Vec<_> = ranges.iter().map(|it| (it.as_str(), Forward::Dsr)).collect();
    let full = world(&services).fresh();
    assert_eq!(row(&full, RANGE).len(), RANGES_PER_ADDRESS);
    let fewer = world(&services[5..]).after(&full);
    for (place, range) in row(&fewer, RANGE) {
        assert!(row(&full, RANGE).contains(&(place, range)));
    }
    let more = world(&services[2..]).after(&fewer);
    assert!(row(&fewer, RANGE).iter().all(|it| row(&more, RANGE).contains(it)));
    // All ports come last, whoever was there.
    let mut with_all = services[1..].to_vec();
    with_all.push((ALL, Forward::Dsr));
    let all = world(&with_all).after(&full);
    let rows = row(&all, RANGE);
    assert_eq!(rows.len(), RANGES_PER_ADDRESS);
    assert_eq!(rows[RANGES_PER_ADDRESS - 1].1.last, u16::MAX);
}

#[test]
fn a_service_is_there_before_the_row_and_goes_after_it() {
    let image = world(&[(RANGE, Forward::Nat)]).fresh();
    let at = |ops: &[Op], what: &dyn Fn(&Op) -> bool| ops.iter().position(what).unwrap();
    let put = plan(&Image::default(), &image);
    let is_key = |vip: &Endpoint| *vip == key(RANGE);
    let service = at(&put, &|op| matches!(op, Op::PutService(vip, _) if is_key(vip)));
    assert!(service < at(&put, &|op| matches!(op, Op::PutRanges(..))));
    assert!(at(&put, &|op| matches!(op, Op::PutMeta(_))) < service);
    let gone = plan(&image, &Image::default());
    let service = at(&gone, &|op| matches!(op, Op::DeleteService(vip) if is_key(vip)));
    assert!(at(&gone, &|op| matches!(op, Op::DeleteRanges(_))) < service);
    assert!(service < at(&gone, &|op| matches!(op, Op::PutMeta(0))));
    assert!(applied(&gone, image) == Image::default());
}

#[test]
fn replies_come_from_any_port() {
    for forward in [Forward::Nat, Forward::FullNat] {
        let image = world(&[(RANGE, forward)]).fresh();
        let wide = endpoint("10.0.0.1:80".parse().unwrap(), Protocol::Tcp).any_port();
        assert_eq!(image.origins.len(), 2);
        assert_eq!(image.origins[&wide].flags, ORIGIN_TRACKED);
        assert_eq!(image.meta, META_RANGES | META_WIDE_ORIGINS);
        assert!(image.backends.values().all(|backend| backend.flags & BACKEND_SHARED == 0));
    }
    assert!(world(&[(RANGE, Forward::Dsr)]).fresh().origins.is_empty());
}

/// Their flows may still be remembered.
#[test]
fn replies_of_a_backend_that_leaves_come_from_any_port() {
    let mut world = world(&[(RANGE, Forward::Nat), ("192.0.2.9:*/tcp", Forward::Nat)]);
    let before = world.fresh();
    world.desired.pools.get_mut(&name("web")).unwrap().backends.pop_first();
    let after = world.after(&before);
    let wide = endpoint("10.0.0.1:80".parse().unwrap(), Protocol::Tcp).any_port();
    assert!(after.origins.contains_key(&wide));
    assert_eq!(world.after(&after), after);
    world.desired.services.pop_first();
    assert!(world.after(&after).origins.contains_key(&wide), "of the other service");
    world.desired.services.clear();
    let none = world.after(&after);
    assert_eq!((none.origins.contains_key(&wide), none.meta), (false, 0));
}

/// A reply from a port in the range may be of either service.
#[test]
fn a_port_in_a_range_is_shared() {
    let both = ORIGIN_STATELESS | ORIGIN_TRACKED;
    let pool = |world: World| world.pool("in", &["10.0.0.1:8050"]).pool("out", &["10.0.0.1:90"]);
    for (ranged, flags, shared) in
        [(Forward::Nat, both, true), (Forward::FullNat, both, false), (Forward::Gue, 1 << 1, false)]
    {
        let image = pool(world(&[(RANGE, ranged)]))
            .service("in", "192.0.2.2:80/tcp", "in", Forward::Nat)
            .service("out", "192.0.2.2:90/tcp", "out", Forward::Nat)
            .fresh();
        let origin =
            |address: &str| image.origins[&endpoint(address.parse().unwrap(), Protocol::Tcp)].flags;
        assert_eq!(origin("10.0.0.1:8050"), flags, "{ranged:?}");
        assert_eq!(origin("10.0.0.1:90"), ORIGIN_STATELESS, "{ranged:?}");
        let is_shared = |pool, address| {
            image.backends[&id_of(&image, pool, address)].flags & BACKEND_SHARED != 0
        };
        assert_eq!(is_shared("in", "10.0.0.1:8050"), shared, "{ranged:?}");
        assert!(!is_shared("out", "10.0.0.1:90"), "{ranged:?}");
    }
}
