//! A small change writes little.

use lb_common::abi::{BACKEND_LEAVING, BACKEND_RESOLVED};

use super::{
    super::{Image, Op, plan},
    applied, example, id_of,
};
use crate::model::BackendState;

/// Checks that operations write slots only, each to another value; gives their number.
fn only_changed_slots(before: &Image, ops: &[Op]) -> usize {
    let mut written = 0;
    for op in ops {
        let Op::PutSlots(first, words) = op else { panic!("{op:?} is not needed") };
        let (base, ring) = before.rings.range(..=first).next_back().unwrap();
        for (old, new) in ring[(first - base) as usize..].iter().zip(words) {
            assert_ne!(old, new);
            written += 1;
        }
    }
    written
}

#[test]
fn equal_images_need_nothing() {
    let image = example().fresh();
    assert_eq!(plan(&image, &image), []);
    assert_eq!(plan(&Image::default(), &Image::default()), []);
}

#[test]
fn another_weight_writes_the_changed_slots() {
    let mut world = example();
    let before = world.fresh();
    world.backend_mut("web", "10.0.0.2:80").weight = 9.try_into().unwrap();
    let after = world.after(&before);
    let ops = plan(&before, &after);
    let written = only_changed_slots(&before, &ops);
    assert!((1..1024).contains(&written), "{written} of 4096");
    assert_eq!(applied(&ops, before), after);
}

#[test]
fn draining_writes_slots_and_marks_the_backend() {
    let mut world = example();
    let before = world.fresh();
    world.backend_mut("dns", "10.0.1.2:53").state = BackendState::Drained;
    let after = world.after(&before);
    let id = id_of(&before, "dns", "10.0.1.2:53");
    let ops = plan(&before, &after);
    let (first, slots) = ops.split_first().unwrap();
    assert_eq!(*first, Op::PutBackend(id, after.backends[&id]));
    assert_eq!(after.backends[&id].flags, before.backends[&id].flags | BACKEND_LEAVING);
    assert!(only_changed_slots(&before, slots) > 0);
    assert_eq!(after.backends.len(), before.backends.len());
    assert_eq!(after.origins, before.origins);
}

#[test]
fn a_next_hop_writes_its_backend_alone() {
    let unknown = example();
    let known = example().resolved("10.0.0.2");
    let before = unknown.fresh();
    let after = known.after(&before);
    let id = id_of(&before, "web", "10.0.0.2:80");
    assert_eq!(after.backends[&id].flags, BACKEND_RESOLVED);
    assert_eq!(plan(&before, &after), [Op::PutBackend(id, after.backends[&id])]);
    assert_eq!(plan(&after, &before), [Op::PutBackend(id, before.backends[&id])]);
}

#[test]
fn an_interface_writes_itself_alone() {
    let mut world = example();
    let before = world.fresh();
    world.interfaces = [3].into();
    let after = world.after(&before);
    assert_eq!(plan(&before, &after), [Op::PutInterface(3), Op::DeleteInterface(2)]);
}

#[test]
fn what_is_referred_to_comes_first_and_goes_last() {
    let image = example().fresh();
    let kinds = |ops: &[Op]| {
        let mut kinds: Vec<&str> = ops.iter().map(kind).collect();
        kinds.dedup();
        kinds.join(" ")
    };
    let backend = ["reset-backend put-backend"; 5].join(" ");
    let service = ["reset-service put-service"; 3].join(" ");
    assert_eq!(
        kinds(&plan(&Image::default(), &image)),
        format!("put-interface {backend} put-origin put-slots {service} put-vip")
    );
    assert_eq!(
        kinds(&plan(&image, &Image::default())),
        "delete-vip delete-service delete-origin delete-backend delete-interface"
    );
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::PutInterface(_) => "put-interface",
        Op::ResetBackend(_) => "reset-backend",
        Op::PutBackend(..) => "put-backend",
        Op::PutOrigin(..) => "put-origin",
        Op::PutTags(..) => "put-tags",
        Op::PutVlan(..) => "put-vlan",
        Op::PutVip(..) => "put-vip",
        Op::DeleteVip(_) => "delete-vip",
        Op::DeleteTags(_) => "delete-tags",
        Op::DeleteVlan(_) => "delete-vlan",
        Op::PutServer(..) => "put-server",
        Op::DeleteServer(_) => "delete-server",
        Op::PutSlots(..) => "put-slots",
        Op::ResetService(_) => "reset-service",
        Op::PutService(..) => "put-service",
        Op::DeleteService(_) => "delete-service",
        Op::DeleteOrigin(_) => "delete-origin",
        Op::DeleteBackend(_) => "delete-backend",
        Op::DeleteInterface(_) => "delete-interface",
        Op::PutRanges(..) => "put-ranges",
        Op::DeleteRanges(_) => "delete-ranges",
        Op::PutLimits(..) => "put-limits",
        Op::DeleteLimits(_) => "delete-limits",
        Op::PutTurns(..) => "put-turns",
        Op::PutWeight(..) => "put-weight",
        Op::DeleteWeight(_) => "delete-weight",
        Op::PutSource(..) => "put-source",
        Op::DeleteSource(..) => "delete-source",
        Op::PutFilter(..) => "put-filter",
        Op::PutMeta(_) => "put-meta",
    }
}
