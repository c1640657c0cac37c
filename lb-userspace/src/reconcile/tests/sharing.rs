//! Backend addresses that several services send to: whose replies are whose.

use std::collections::BTreeSet;

use lb_common::abi::{BACKEND_SHARED, Endpoint, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin};

use super::{super::Image, World, id_of, name};
use crate::{
    model::{Forward, Protocol},
    reconcile::compile::{endpoint, vip_endpoint},
};

const FIRST: &str = "192.0.2.1:80/tcp";
const SECOND: &str = "192.0.2.2:80/tcp";
const BACKEND: &str = "10.0.0.1:80";
const BOTH: u16 = ORIGIN_STATELESS | ORIGIN_TRACKED;

/// A pool with services of these addresses and modes.
fn world(services: &[(&str, Forward)]) -> World {
    let world = World::empty().pool("web", &[BACKEND, "10.0.0.2:80"]);
    services.iter().fold(world, |world, (listen, forward)| {
        world.service(&listen.replace([':', '/'], "-"), listen, "web", *forward)
    })
}

fn key() -> Endpoint {
    endpoint(BACKEND.parse().unwrap(), Protocol::Tcp)
}

fn origin(image: &Image) -> Origin {
    image.origins[&key()]
}

fn is_shared(image: &Image) -> bool {
    image.backends[&id_of(image, "web", BACKEND)].flags & BACKEND_SHARED != 0
}

fn is_of(image: &Image, listen: &str) -> bool {
    let vip = vip_endpoint(listen.parse().unwrap());
    let origin = origin(image);
    (origin.vip_be, origin.port_be) == (vip.addr_be, vip.port_be)
        && origin.service == image.services[&vip].id
}

#[test]
fn what_a_backend_needs_depends_on_who_sends_to_it() {
    for (services, flags, shared) in [
        (&[(FIRST, Forward::Nat)][..], ORIGIN_STATELESS, false),
        (&[(FIRST, Forward::FullNat)], ORIGIN_TRACKED, false),
        (&[(FIRST, Forward::Nat), (SECOND, Forward::Nat)], BOTH, true),
        (&[(FIRST, Forward::Nat), (SECOND, Forward::FullNat)], BOTH, false),
        (&[(FIRST, Forward::FullNat), (SECOND, Forward::FullNat)], ORIGIN_TRACKED, false),
        (&[(FIRST, Forward::Nat), (SECOND, Forward::Ipip)], ORIGIN_STATELESS, false),
    ] {
        let world = world(services);
        let image = world.fresh();
        assert_eq!((origin(&image).flags, is_shared(&image)), (flags, shared), "{services:?}");
        assert_eq!(world.after(&image), image, "{services:?}");
    }
    assert!(!world(&[(FIRST, Forward::Dsr)]).fresh().origins.contains_key(&key()));
}

#[test]
fn replies_that_nobody_remembers_are_of_who_was_there_first() {
    let both = world(&[(FIRST, Forward::Nat), (SECOND, Forward::Nat)]);
    assert!(is_of(&both.fresh(), FIRST));
    let alone = world(&[(SECOND, Forward::Nat)]).fresh();
    let mut image = both.after(&alone);
    assert!(is_of(&image, SECOND) && is_shared(&image));
    image = both.after(&image);
    assert!(is_of(&image, SECOND));
    // When it goes, they are of the other.
    image = world(&[(FIRST, Forward::Nat)]).after(&image);
    assert!(is_of(&image, FIRST));
}

#[test]
fn a_removed_backend_is_still_known_to_be_shared() {
    for forward in [Forward::Nat, Forward::FullNat] {
        let mut world = world(&[(FIRST, Forward::Nat), (SECOND, forward)]);
        let before = world.fresh();
        let pool = world.desired.pools.get_mut(&name("web")).unwrap();
        pool.backends.remove(&BACKEND.parse().unwrap());
        let mut image = before.clone();
        for _ in 0..2 {
            image = world.after(&image);
            assert_eq!(origin(&image), origin(&before));
            assert_eq!(is_shared(&image), is_shared(&before));
        }
    }
}

#[test]
fn a_removed_backend_still_answers_the_service_that_remains() {
    for (forward, shared) in [(Forward::Nat, true), (Forward::FullNat, false)] {
        let mut world = world(&[(FIRST, Forward::Nat), (SECOND, forward)]);
        let mut image = world.fresh();
        let pool = world.desired.pools.get_mut(&name("web")).unwrap();
        pool.backends.remove(&BACKEND.parse().unwrap());
        image = world.after(&image);
        world.desired.services.pop_first();
        for _ in 0..2 {
            image = world.after(&image);
            assert_eq!((origin(&image).flags, is_shared(&image)), (ORIGIN_TRACKED, shared));
        }
    }
}

#[test]
fn a_service_that_turns_to_another_pool_is_still_answered_by_the_old_one() {
    let before = world(&[(FIRST, Forward::Nat)]).fresh();
    let mut turned = world(&[(FIRST, Forward::Nat)]).pool("other", &["10.0.1.1:80"]);
    turned.desired.services.values_mut().next().unwrap().pool = name("other");
    let image = turned.after(&before);
    assert_eq!(origin(&image), origin(&before));
    assert_eq!(image.origins.len(), 3);
}

#[test]
fn an_origin_goes_with_its_backend_or_its_service() {
    let mut world = world(&[(FIRST, Forward::Nat)]);
    let image = world.fresh();
    let mut without = world.clone();
    without.desired.services.clear();
    assert!(without.after(&image).origins.is_empty());
    world.desired.pools.get_mut(&name("web")).unwrap().backends.clear();
    let mut left = world.after(&image);
    assert_eq!(left.origins, image.origins);
    left.rings.values_mut().flatten().for_each(|word| *word = 0);
    world.unreferenced = BTreeSet::from([1, 2]);
    assert!(world.after(&left).origins.is_empty());
}
