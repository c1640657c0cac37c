//! Ids and places: kept by what stays, never shared, and refused when there are none left.

use std::collections::BTreeSet;

use lb_common::{abi::Endpoint, limits, slot::Slot};

use super::{
    super::{
        Image, Op,
        compile::{identity, vip_endpoint},
        layout::{Layout, LayoutError},
    },
    World, applied, example, name, plan,
};
use crate::model::Forward;

/// The key of the service with this number.
fn vip(number: u16) -> Endpoint {
    Endpoint { port_be: number, protocol: 6, ..Endpoint::default() }
}

/// Addresses of the owners of a ring, which unlike their ids are equal on all balancers.
fn owners(image: &Image, listen: &str) -> Vec<Option<([u32; 4], u16)>> {
    let service = &image.services[&vip_endpoint(listen.parse().unwrap())];
    let owner = |word: &u64| {
        let backend = image.backends.get(&Slot::from_word(*word).owner())?;
        Some((backend.addr_be, backend.port_be))
    };
    image.rings[&service.ring_base].iter().map(owner).collect()
}

#[test]
fn a_restart_changes_nothing() {
    let world = example();
    let image = world.fresh();
    let again = world.after(&image);
    assert_eq!(again, image);
    assert_eq!(plan(&image, &again), []);
}

#[test]
fn ids_are_kept_when_others_come_and_go() {
    let before = example().fresh();
    let mut world = World::empty().pool("web", &["10.0.0.0:80", "10.0.0.2:80"]).service(
        "renamed",
        "192.0.2.1:80/tcp",
        "web",
        Forward::Dsr,
    );
    let fewer = world.after(&before);
    let kept = identity(&name("web"), "10.0.0.2:80".parse().unwrap());
    let id = |image: &Image| {
        image.backends.iter().find(|(_, backend)| backend.identity == kept).map(|(id, _)| *id)
    };
    assert_eq!(id(&before), Some(4));
    assert_eq!(id(&fewer), Some(4));
    // Those that left keep theirs as long as there may be flows, so the new one is 6.
    assert_eq!(fewer.backends.keys().collect::<Vec<_>>(), [&1, &2, &3, &4, &5, &6]);
    let vip = vip_endpoint("192.0.2.1:80/tcp".parse().unwrap());
    assert_eq!(fewer.services[&vip], before.services[&vip]);
    // Nothing names 1 and 2 any more; slots that move name 3 and 5.
    world.unreferenced = BTreeSet::from([1, 2, 3, 5]);
    let swept = world.after(&fewer);
    assert_eq!(swept.backends.keys().collect::<Vec<_>>(), [&3, &4, &5, &6]);
    // In the next plan they are free.
    let more = example().after(&swept);
    assert_eq!(more.backends.keys().collect::<Vec<_>>(), [&1, &2, &3, &4, &5, &6]);
    assert_eq!(id(&more), Some(4));
}

#[test]
fn owners_depend_on_addresses_alone() {
    let addresses = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
    let reversed = ["10.0.0.3:80", "10.0.0.2:80", "10.0.0.1:80"];
    let listen = "192.0.2.1:80/tcp";
    let one = World::empty().pool("web", &addresses).service("a", listen, "web", Forward::Dsr);
    let turned = World::empty().pool("web", &reversed).service("a", listen, "web", Forward::Dsr);
    assert_eq!(one.fresh(), turned.fresh());
    // Another pool name, other ids, another place.
    let other = World::empty()
        .pool("a", &["10.0.7.1:80"])
        .pool("z", &addresses)
        .service("0", "192.0.2.0:80/tcp", "a", Forward::Nat)
        .service("z", listen, "z", Forward::Dsr)
        .fresh();
    let expected = owners(&one.fresh(), listen);
    assert!(expected.iter().all(Option::is_some));
    assert_eq!(owners(&other, listen), expected);
    // Another history, too.
    let later = one.after(&example().fresh());
    assert_eq!(owners(&later, listen), expected);
}

#[test]
fn rings_do_not_overlap_and_gaps_are_used() {
    let mut layout = Layout::default();
    let bases = |layout: &mut Layout, sizes: &[u32]| -> Vec<u32> {
        let numbered = (1_u16..).zip(sizes);
        numbered.map(|(n, slots)| layout.service(vip(n), *slots).unwrap().ring_base).collect()
    };
    assert_eq!(bases(&mut layout, &[4096, 8192, 4096]), [0, 4096, 12288]);
    // What a service has is large enough, or it moves behind the others; its old ring is in use.
    assert_eq!(bases(&mut layout, &[8192, 4096, 4096]), [16384, 4096, 12288]);
    assert_eq!(layout.service(vip(4), 4096).unwrap().ring_base, 24576);
    // In the next plan the gap that it left is free.
    let world =
        World::empty().large_pool("web", 3).service("a", "192.0.2.1:80/tcp", "web", Forward::Dsr);
    let mut image = world.fresh();
    let mut service = image.services.pop_first().unwrap().1;
    service.ring_base = 4096;
    image.services.insert(vip(1), service);
    let mut layout = Layout::of(&image);
    assert_eq!(layout.service(vip(2), 8192).unwrap().ring_base, 8192);
    assert_eq!(layout.service(vip(3), 4096).unwrap().ring_base, 0);
}

#[test]
fn a_ring_grows_with_its_pool_and_never_shrinks() {
    let listen = "192.0.2.1:80/tcp";
    let of = |backends| {
        World::empty().large_pool("web", backends).service("a", listen, "web", Forward::Dsr)
    };
    let key = vip_endpoint(listen.parse().unwrap());
    let place = |image: &Image| (image.services[&key].ring_base, image.services[&key].ring_mask);
    let small = of(40).fresh();
    assert_eq!(place(&small), (0, 4095));
    let large = of(41).after(&small);
    assert_eq!(place(&large), (4096, 8191));
    assert_eq!(large.services[&key].id, small.services[&key].id);
    assert_eq!(large.rings.keys().collect::<Vec<_>>(), [&4096]);
    assert_eq!(applied(&plan(&small, &large), small), large);
    let less = of(1).after(&large);
    assert_eq!(place(&less), (4096, 8191));
}

#[test]
fn service_ids_run_out() {
    let mut layout = Layout::default();
    for number in 1..=512 {
        assert_eq!(layout.service(vip(number), 4096).unwrap().id, u32::from(number));
    }
    assert_eq!(layout.service(vip(513), 4096), Err(LayoutError::Services));
    assert_eq!(layout.service(vip(512), 4096).unwrap().id, limits::MAX_SERVICES);
}

#[test]
fn backend_ids_run_out() {
    let mut layout = Layout::of(&Image::default());
    assert_eq!(layout.backend(1), Ok(1));
    let mut full = Image::default();
    for id in 1..limits::MAX_BACKENDS {
        full.backends.entry(id).or_default().identity = id.into();
    }
    let mut layout = Layout::of(&full);
    assert_eq!(layout.backend(u64::MAX), Err(LayoutError::Backends));
    assert_eq!(layout.backend(7), Ok(7));
    full.backends.remove(&7);
    assert_eq!(Layout::of(&full).backend(u64::MAX), Ok(7));
}

#[test]
fn slots_run_out() {
    let mut layout = Layout::default();
    for number in 1..=8 {
        layout.service(vip(number), limits::MAX_RING).unwrap();
    }
    let error = layout.service(vip(9), 4096).unwrap_err();
    assert_eq!(error, LayoutError::Ring { slots: 4096 });
    assert_eq!(
        error.to_string(),
        "no room for a ring of 4096 slots; remove some services in one step and add the others in a second"
    );
}

/// A plan that failed after its rings were written leaves them without services. Another ring is
/// written over them and goes again: then they must not be taken for what the slots still hold.
#[test]
fn rings_left_by_a_failed_plan_are_written_again() {
    let two = example();
    let mut image = Image::default();
    for op in plan(&image, &two.fresh()) {
        if matches!(op, Op::ResetService(_)) {
            break;
        }
        image.apply(&op);
    }
    assert_eq!(image.rings.keys().collect::<Vec<_>>(), [&0, &4096, &8192]);
    let large =
        World::empty().large_pool("web", 41).service("a", "192.0.2.1:80/tcp", "web", Forward::Dsr);
    for world in [large, World::empty()] {
        let wanted = world.after(&image);
        image = applied(&plan(&image, &wanted), image);
    }
    let ops = plan(&image, &two.after(&image));
    let written: Vec<_> = ops
        .iter()
        .filter_map(|op| match op {
            Op::PutSlots(first, words) => Some((*first, words.len())),
            _ => None,
        })
        .collect();
    assert_eq!(written, [(0, 4096), (4096, 4096), (8192, 4096)]);
}
