//! Next hops behind VLAN interfaces: their tags are there before they are needed.

use lb_common::abi::{BACKEND_RESOLVED, BACKEND_TAGGED, Vlan};

use super::{
    super::{Image, Op, plan},
    applied, example, id_of,
};

const BACKEND: &str = "10.0.0.2";

#[test]
fn tags_come_before_the_backend_that_has_them_and_go_after_it() {
    let (bare, tagged) = (example().resolved(BACKEND), example().tagged(BACKEND, 7));
    let before = bare.fresh();
    let after = tagged.after(&before);
    let id = id_of(&before, "web", "10.0.0.2:80");
    assert_eq!(after.backends[&id].flags, BACKEND_RESOLVED | BACKEND_TAGGED);
    assert_eq!(after.tags, [(id, 7)].into());
    let ops = plan(&before, &after);
    assert_eq!(ops, [Op::PutTags(id, 7), Op::PutBackend(id, after.backends[&id])]);
    assert_eq!(applied(&ops, before.clone()), after);
    assert_eq!(
        plan(&after, &before),
        [Op::PutBackend(id, before.backends[&id]), Op::DeleteTags(id)]
    );
}

#[test]
fn other_tags_write_themselves_alone() {
    let before = example().tagged(BACKEND, 7).fresh();
    let after = example().tagged(BACKEND, 0x0009_0007).after(&before);
    let id = id_of(&before, "web", "10.0.0.2:80");
    assert_eq!(plan(&before, &after), [Op::PutTags(id, 0x0009_0007)]);
}

#[test]
fn a_next_hop_that_is_lost_takes_its_tags_along() {
    let before = example().tagged(BACKEND, 7).fresh();
    let after = example().after(&before);
    let id = id_of(&before, "web", "10.0.0.2:80");
    assert_eq!(after.backends[&id].flags, 0);
    assert_eq!(after.tags, [].into());
}

#[test]
fn a_backend_that_left_keeps_its_tags_until_it_is_forgotten() {
    let mut world = example().tagged(BACKEND, 7);
    let before = world.fresh();
    let id = id_of(&before, "web", "10.0.0.2:80");
    let pool = world.desired.pools.get_mut(&super::name("web")).unwrap();
    pool.backends.remove(&"10.0.0.2:80".parse().unwrap());
    let left = world.after(&before);
    assert_ne!(left.backends[&id].flags & BACKEND_TAGGED, 0);
    assert_eq!(left.tags, [(id, 7)].into());
    world.desired.pools.clear();
    world.desired.services.clear();
    world.unreferenced = [id].into();
    let forgotten = world.after(&left);
    assert!(!forgotten.backends.contains_key(&id));
    let ops = plan(&left, &forgotten);
    assert_eq!(ops[ops.len() - 2..], [Op::DeleteBackend(id), Op::DeleteTags(id)]);
}

#[test]
fn a_vlan_interface_comes_after_the_one_below_it_and_goes_before() {
    let mut world = example();
    let before = world.fresh();
    let vlan = Vlan { ifindex: 3, tags: 7 };
    world.interfaces.insert(3);
    world.vlans.insert(4, vlan);
    let after = world.after(&before);
    let ops = plan(&before, &after);
    assert_eq!(ops, [Op::PutInterface(3), Op::PutVlan(4, vlan)]);
    assert_eq!(applied(&ops, before.clone()), after);
    assert_eq!(plan(&after, &before), [Op::DeleteVlan(4), Op::DeleteInterface(3)]);
    assert_eq!(applied(&plan(&after, &Image::default()), after), Image::default());
}
