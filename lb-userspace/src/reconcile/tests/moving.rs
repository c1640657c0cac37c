//! Slots that change their owner, and rings that change their size.

use lb_common::{slot::Slot, time};

use super::{World, name, slots_of};
use crate::model::{BackendState, Forward, Udp};

const WEB: &str = "192.0.2.1:80/tcp";

fn world(backends: usize) -> World {
    World::empty().large_pool("web", backends).service("web", WEB, "web", Forward::Dsr)
}

#[test]
fn a_ring_begins_settled_in_an_epoch_of_its_own() {
    let mut first = world(3);
    assert!(slots_of(&first.fresh(), WEB).iter().all(|slot| !slot.is_moving()));
    let epoch = slots_of(&first.fresh(), WEB)[0].epoch();
    first.tick += 1;
    assert_ne!(slots_of(&first.fresh(), WEB)[0].epoch(), epoch);
}

#[test]
fn slots_whose_owner_stays_are_as_they_were() {
    let before = slots_of(&world(10).fresh(), WEB);
    let after = slots_of(&world(11).after(&world(10).fresh()), WEB);
    let mut moved = 0;
    for (old, new) in before.iter().zip(&after) {
        if old.owner() == new.owner() {
            assert_eq!(old, new);
        } else {
            let stamp = time::stamp(1000);
            assert_eq!(*new, Slot::moving(new.owner(), old.owner(), old.epoch() + 1, stamp));
            moved += 1;
        }
    }
    // The eleventh part, and what Maglev moves besides.
    assert!((4096 / 11..4096 / 11 * 2).contains(&moved), "{moved}");
}

#[test]
fn a_second_change_keeps_the_previous_owners() {
    let mut changed = world(3);
    let first = changed.fresh();
    changed.backend_mut("web", "10.9.0.1:80").state = BackendState::Drained;
    let second = changed.after(&first);
    changed.backend_mut("web", "10.9.0.2:80").state = BackendState::Drained;
    changed.tick += 5;
    let third = slots_of(&changed.after(&second), WEB);
    for ((first, second), third) in
        slots_of(&first, WEB).iter().zip(slots_of(&second, WEB)).zip(third)
    {
        if first.owner() != third.owner() {
            assert!(third.is_moving());
            assert_eq!((third.previous(), third.epoch()), (first.owner(), first.epoch() + 1));
        }
        let stamp = if second.owner() == third.owner() { second.stamp() } else { 1005 };
        assert_eq!(third.stamp(), stamp);
    }
}

#[test]
fn a_ring_that_grows_keeps_whose_flows_are_whose() {
    let small = world(40).after(&world(39).fresh());
    let mut large = world(41);
    large.tick += 7;
    let image = large.after(&small);
    let (old, new) = (slots_of(&small, WEB), slots_of(&image, WEB));
    assert_eq!((old.len(), new.len()), (4096, 8192));
    let mut moving = 0;
    for (index, new) in new.iter().enumerate() {
        let old = old[index % 4096];
        let first = if old.is_moving() { old.previous() } else { old.owner() };
        if old.is_moving() {
            // Until the service is switched over, stamps go to the old place.
            assert_eq!((new.previous(), new.epoch(), new.stamp()), (first, old.epoch(), 1007));
            moving += 1;
        } else if new.is_moving() {
            assert_eq!((new.previous(), new.epoch()), (first, old.epoch() + 1));
        } else {
            assert_eq!(*new, old);
        }
    }
    assert!(moving > 0);
}

/// Whether a balancer had more backends once must not matter.
#[test]
fn a_ring_that_was_larger_has_the_owners_of_a_new_one() {
    let used = slots_of(&world(5).after(&world(50).fresh()), WEB);
    let new = slots_of(&world(5).fresh(), WEB);
    assert_eq!((used.len(), new.len()), (8192, 4096));
    let owners = |slots: &[Slot]| slots.iter().map(|slot| slot.owner()).collect::<Vec<_>>();
    assert_eq!(owners(&used[..4096]), owners(&new));
    assert_eq!(owners(&used[4096..]), owners(&new));
}

#[test]
fn slots_of_services_that_remember_all_or_nothing_never_move() {
    for (listen, forward, udp) in [
        ("192.0.2.1:80/tcp", Forward::FullNat, Udp::Stateless),
        ("192.0.2.1:80/udp", Forward::FullNat, Udp::Quic),
        ("192.0.2.1:80/udp", Forward::Nat, Udp::Stateless),
        ("192.0.2.1:80/udp", Forward::Nat, Udp::Tracked),
    ] {
        let world = |backends| {
            let pool = World::empty().large_pool("web", backends);
            let mut world = pool.service("web", listen, "web", forward);
            world.desired.services.get_mut(&name("web")).unwrap().udp = udp;
            world
        };
        let slots = slots_of(&world(4).after(&world(3).fresh()), listen);
        assert!(slots.iter().all(|slot| !slot.is_moving()), "{forward:?} {udp:?}");
    }
}
