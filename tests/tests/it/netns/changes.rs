//! Backends change while traffic flows.

use std::time::Duration;

use anyhow::Result;
use tests::{
    client::End,
    held::{Held, Record},
    topology::Family,
};

use super::{
    ring::Ring,
    scene::{Scene, Wants, backend_name},
};

const CONNECTIONS: usize = 150;
const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn an_added_backend_breaks_nothing_v4() {
    three_backends_of_which_two_are_used(Family::V4).scene(|scene| an_added_backend(scene));
}

#[test]
fn an_added_backend_breaks_nothing_v6() {
    three_backends_of_which_two_are_used(Family::V6).scene(|scene| an_added_backend(scene));
}

fn three_backends_of_which_two_are_used(family: Family) -> Wants {
    Wants { backends: 3, ..Wants::new(family, "nat") }
}

fn an_added_backend(scene: &Scene) -> Result<()> {
    let network = &scene.network;
    let backends = [1, 2, 3].map(|n| network.backend(n));
    let before = Ring::new(network.vip(), &backends[..2]);
    let after = Ring::new(network.vip(), &backends);

    let held = hold(scene)?;
    scene.backend("add", 3, &[])?;
    scene.daemon.wait_resolved()?;
    held.wait_rounds(10)?;
    let records = held.close()?;

    let moved = |record: &&Record| before.owner(record.client) != after.owner(record.client);
    let moved = records.iter().filter(moved).count();
    assert!(moved > 10 && moved < CONNECTIONS - 10, "{moved} of {CONNECTIONS} moved");
    for record in records {
        let owner = owner_name(&before, &record);
        let faithful = record.end == End::Whole && record.backends.iter().all(|b| *b == owner);
        assert!(faithful, "should have stayed with {owner} from first to last: {record:?}");
    }
    assert!(scene.spread(200)?.contains_key("backend3"), "the new backend gets no connections");
    Ok(())
}

#[test]
fn a_removed_backend_gets_nothing_new_v4() {
    Wants::new(Family::V4, "nat").backends(3).scene(|scene| a_removed_backend(scene));
}

#[test]
fn a_removed_backend_gets_nothing_new_v6() {
    Wants::new(Family::V6, "nat").backends(3).scene(|scene| a_removed_backend(scene));
}

fn a_removed_backend(scene: &Scene) -> Result<()> {
    let network = &scene.network;
    let backends = [1, 2, 3].map(|n| network.backend(n));
    let before = Ring::new(network.vip(), &backends);

    let held = hold(scene)?;
    scene.backend("remove", 3, &[])?;
    held.wait_rounds(10)?;
    for record in held.close()? {
        let owner = owner_name(&before, &record);
        assert!(record.backends.iter().all(|b| *b == owner), "answered by a stranger: {record:?}");
        assert!(record.end == End::Whole, "{owner} keeps what it has: {record:?}");
    }
    let spread = scene.spread(100)?;
    assert!(!spread.contains_key("backend3"), "a removed backend gets connections: {spread:?}");
    Ok(())
}

#[test]
fn a_drained_backend_gets_nothing_new_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| a_drained_backend(scene));
}

#[test]
fn a_drained_backend_gets_nothing_new_v6() {
    Wants::new(Family::V6, "nat").scene(|scene| a_drained_backend(scene));
}

fn a_drained_backend(scene: &Scene) -> Result<()> {
    scene.backend("drain", 1, &[])?;
    let spread = scene.spread(100)?;
    assert_eq!(spread.get("backend2"), Some(&100), "drained backend1, and yet: {spread:?}");
    scene.backend("enable", 1, &[])?;
    let spread = scene.spread(100)?;
    assert_eq!(spread.len(), 2, "enabled backend1, and yet: {spread:?}");
    Ok(())
}

#[test]
fn weights_are_respected_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| weights(scene));
}

#[test]
fn weights_are_respected_v6() {
    Wants::new(Family::V6, "dsr").scene(|scene| weights(scene));
}

fn weights(scene: &Scene) -> Result<()> {
    scene.backend("weight", 1, &["3"])?;
    let spread = scene.spread(800)?;
    // Of 800, 600 are due; the standard deviation of independent choices is 12.
    let got = spread.get("backend1").copied().unwrap_or(0);
    assert!((540..=660).contains(&got), "with weights 3 and 1: {spread:?}");
    Ok(())
}

fn hold(scene: &Scene) -> Result<Held> {
    let client = &scene.network.topology.client;
    Held::open(client, scene.network.vip(), CONNECTIONS, PAUSE)
}

fn owner_name(ring: &Ring, record: &Record) -> String {
    backend_name(u8::try_from(ring.owner(record.client)).expect("few backends"))
}
