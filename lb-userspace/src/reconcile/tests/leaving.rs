//! Backends that are drained, removed, or dead: what becomes of their entries, slots and server ids.

use std::{collections::BTreeSet, time::Duration};

use lb_common::{
    abi::{BACKEND_DEAD, BACKEND_EXPIRED, BACKEND_LEAVING, BACKEND_LIMITED, Backend, ServerId},
    slot::Slot,
    time,
};

use super::{super::Image, World, example, id_of, name, slots_of};
use crate::model::{BackendState, Forward, Udp, quic::server_be};

const WEB: &str = "192.0.2.1:80/tcp";
const SECOND: &str = "10.0.0.2:80";

/// The example, with a drain timeout of ten ticks in its `web` pool.
fn limited() -> World {
    let mut world = example();
    let pool = world.desired.pools.get_mut(&name("web")).unwrap();
    pool.drain_timeout = Some(Duration::from_nanos(10 << 30));
    world
}

fn second(image: &Image) -> Backend {
    image.backends[&id_of(image, "web", SECOND)]
}

fn remove(world: &mut World, address: &str) {
    let pool = world.desired.pools.get_mut(&name("web")).unwrap();
    pool.backends.remove(&address.parse().unwrap());
}

/// Slots with this previous owner.
fn old_slots(image: &Image, id: u32) -> usize {
    slots_of(image, WEB).iter().filter(|slot| slot.is_moving() && slot.previous() == id).count()
}

#[test]
fn a_drained_backend_leaves_and_comes_back() {
    let mut world = example();
    let before = world.fresh();
    let id = id_of(&before, "web", SECOND);
    world.backend_mut("web", SECOND).state = BackendState::Drained;
    let drained = world.after(&before);
    assert_eq!(second(&drained).flags, BACKEND_LEAVING);
    let owned = slots_of(&before, WEB).iter().filter(|slot| slot.owner() == id).count();
    assert_eq!(old_slots(&drained, id), owned);
    assert!(slots_of(&drained, WEB).iter().all(|slot| slot.owner() != id));
    world.backend_mut("web", SECOND).state = BackendState::Enabled;
    let back = world.after(&drained);
    assert_eq!(second(&back), second(&before));
    let owners = |image: &Image| slots_of(image, WEB).iter().map(|s| s.owner()).collect::<Vec<_>>();
    assert_eq!(owners(&back), owners(&before));
    // Younger flows went to others meanwhile, so the slots move on.
    assert_eq!(old_slots(&back, id), owned);
}

#[test]
fn a_drain_limit_counts_from_when_the_backend_began_to_leave() {
    let mut world = limited();
    let mut image = world.fresh();
    let id = id_of(&image, "web", SECOND);
    let limit = time::ticks(Duration::from_nanos(10 << 30));
    assert_eq!((second(&image).flags, second(&image).drain), (BACKEND_LIMITED, limit));
    let end = world.tick + u32::from(limit);
    world.backend_mut("web", SECOND).state = BackendState::Drained;
    for tick in [world.tick, world.tick + 1, end - 1] {
        world.tick = tick;
        // That it is removed then changes nothing.
        if tick == end - 1 {
            remove(&mut world, SECOND);
        }
        image = world.after(&image);
        assert_eq!(second(&image).flags, BACKEND_LIMITED | BACKEND_LEAVING);
        assert_eq!(second(&image).drain, time::stamp(end));
        assert!(old_slots(&image, id) > 0);
    }
    let over = BACKEND_LIMITED | BACKEND_LEAVING | BACKEND_EXPIRED | BACKEND_DEAD;
    // It stays over, even when 16 bits of ticks have gone round.
    for tick in [end, end + 40_000, end + 70_000] {
        world.tick = tick;
        image = world.after(&image);
        assert_eq!(second(&image).flags, over);
        assert_eq!(old_slots(&image, id), 0);
    }
    let back = limited().after(&image);
    assert_eq!((second(&back).flags, second(&back).drain), (BACKEND_LIMITED, limit));
}

#[test]
fn the_longest_drain_limit_is_not_over_at_once() {
    let mut world = limited();
    let pool = world.desired.pools.get_mut(&name("web")).unwrap();
    pool.drain_timeout = Some(time::MAX_TIMEOUT);
    let before = world.fresh();
    world.backend_mut("web", SECOND).state = BackendState::Drained;
    assert_eq!(second(&world.after(&before)).flags, BACKEND_LIMITED | BACKEND_LEAVING);
}

#[test]
fn a_removed_backend_stays_until_neither_slot_nor_flow_names_it() {
    let mut world = example();
    let before = world.fresh();
    let id = id_of(&before, "web", SECOND);
    remove(&mut world, SECOND);
    let mut image = world.after(&before);
    assert_eq!(second(&image).flags, BACKEND_LEAVING);
    // No flow, but slots.
    world.unreferenced = BTreeSet::from([id]);
    image = world.after(&image);
    assert!(image.backends.contains_key(&id));
    // No slot, but flows.
    for word in image.rings.values_mut().flatten() {
        let slot = Slot::from_word(*word);
        *word = Slot::settled(slot.owner(), slot.epoch()).word();
    }
    world.unreferenced.clear();
    image = world.after(&image);
    assert!(image.backends.contains_key(&id));
    // Neither; but one that has come back stays.
    world.unreferenced = BTreeSet::from([id]);
    assert!(!world.after(&image).backends.contains_key(&id));
    assert!(example().after(&image).backends.contains_key(&id));
}

#[test]
fn a_backend_that_is_down_owns_no_slot_and_is_nobodys_previous_owner() {
    let mut world = example();
    let before = world.fresh();
    let id = id_of(&before, "web", SECOND);
    world.down.insert((name("web"), SECOND.parse().unwrap()));
    let down = world.after(&before);
    assert_eq!(second(&down).flags, BACKEND_DEAD);
    for (old, new) in slots_of(&before, WEB).iter().zip(slots_of(&down, WEB)) {
        assert!(new.owner() != id && new.previous() != id);
        // What was its settles at once.
        assert!(old.owner() != id || !new.is_moving());
    }
    world.down.clear();
    let up = world.after(&down);
    assert_eq!(second(&up), second(&before));
    let came_back = slots_of(&up, WEB).into_iter().filter(|slot| slot.owner() == id);
    assert!(came_back.clone().count() > 0);
    assert!(came_back.clone().all(|slot| slot.is_moving() && slot.previous() != id));
}

#[test]
fn server_ids_stay_as_long_as_their_backend_does() {
    let listen = "192.0.2.1:443/udp";
    let addresses = ["10.0.0.1:443", "10.0.0.2:443"];
    let world = |addresses: &[&str]| {
        let mut world =
            World::empty().pool("web", addresses).service("web", listen, "web", Forward::Dsr);
        world.desired.services.get_mut(&name("web")).unwrap().udp = Udp::Quic;
        world
    };
    let image = world(&addresses).fresh();
    let key =
        |address: &str| ServerId { service: 1, server_be: server_be(7, address.parse().unwrap()) };
    let expected = addresses.map(|address| (key(address), id_of(&image, "web", address)));
    assert_eq!(image.servers, expected.into());
    let mut fewer = world(&addresses[..1]);
    let mut less = fewer.after(&image);
    assert_eq!(less.servers, image.servers);
    for word in less.rings.values_mut().flatten() {
        *word = Slot::settled(Slot::from_word(*word).owner(), 1).word();
    }
    fewer.unreferenced = BTreeSet::from([expected[1].1]);
    assert_eq!(fewer.after(&less).servers, [expected[0]].into());
}
