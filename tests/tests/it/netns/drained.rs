//! Backends that leave: nothing new from that moment on, and how long they keep what they have.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{
    client::End,
    held::{Held, Record},
    topology::Family,
    wait,
};

use super::{
    scene::{Scene, Wants, backend_name},
    tables::Tables,
};

const CONNECTIONS: usize = 60;
const PAUSE: Duration = Duration::from_millis(100);
const LIMIT: &str = "drain-timeout = \"3s\"";
const BOUND: Duration = Duration::from_secs(40);

#[test]
fn drained_keeps_its_connections_v4() {
    Wants::new(Family::V4, "nat").backends(3).scene(|scene| keeps(scene, "drain"));
}

#[test]
fn drained_keeps_its_connections_v6() {
    Wants::new(Family::V6, "dsr").backends(3).scene(|scene| keeps(scene, "drain"));
}

#[test]
fn removed_keeps_its_connections_v4() {
    Wants::new(Family::V4, "dsr").backends(3).scene(|scene| keeps(scene, "remove"));
}

#[test]
fn removed_keeps_its_connections_v6() {
    Wants::new(Family::V6, "nat").backends(3).scene(|scene| keeps(scene, "remove"));
}

fn keeps(scene: &Scene, verb: &str) -> Result<()> {
    let held = hold(scene)?;
    scene.backend(verb, 3, &[])?;
    nothing_new(scene)?;
    held.wait_rounds(10)?;
    nothing_new(scene)?;
    let records = held.close()?;
    assert!(records.iter().all(is_whole), "broken by {verb}: {records:?}");
    assert!(records.iter().any(is_the_third_s), "no connection belonged to the third backend");
    Ok(())
}

#[test]
fn drained_keeps_them_until_its_time_is_over_v4() {
    let wants = Wants { pool_keys: LIMIT, ..Wants::new(Family::V4, "nat") };
    wants.backends(3).scene(|scene| until_its_time_is_over(scene, "drain"));
}

#[test]
fn removed_keeps_them_until_its_time_is_over_v6() {
    let wants = Wants { pool_keys: LIMIT, ..Wants::new(Family::V6, "nat") };
    wants.backends(3).scene(|scene| until_its_time_is_over(scene, "remove"));
}

#[test]
fn removed_keeps_them_until_its_time_is_over_dsr_v4() {
    let wants = Wants { pool_keys: LIMIT, ..Wants::new(Family::V4, "dsr") };
    wants.backends(3).scene(|scene| until_its_time_is_over(scene, "remove"));
}

fn until_its_time_is_over(scene: &Scene, verb: &str) -> Result<()> {
    let held = hold(scene)?;
    scene.backend(verb, 3, &[])?;
    nothing_new(scene)?;
    held.wait_rounds(5)?;
    ensure!(held.alive() == CONNECTIONS, "{verb} broke {}", CONNECTIONS - held.alive());

    let doomed = wait::until("the connections of the backend to end", BOUND, || {
        let ended = CONNECTIONS - held.alive();
        ensure!(ended > 0, "all are alive");
        Ok(ended)
    })?;
    // The others are not touched, however long one waits.
    held.wait_rounds(10)?;
    let records = held.close()?;
    for record in &records {
        if is_the_third_s(record) {
            assert_ne!(record.end, End::Whole, "outlived the time of its backend: {record:?}");
            assert!(record.backends.iter().all(|b| *b == backend_name(3)), "{record:?}");
        } else {
            assert!(is_whole(record), "{record:?}");
        }
    }
    let thirds = records.iter().filter(|record| is_the_third_s(record)).count();
    assert!(doomed > 0 && thirds > 0, "{doomed} ended of {thirds}");
    nothing_new(scene)?;
    if verb == "drain" {
        // Its time over, it is still there, and may come back.
        scene.backend("enable", 3, &[])?;
        assert!(scene.spread(100)?.contains_key(&backend_name(3)), "enabled, but not used");
    }
    Ok(())
}

#[test]
fn a_removed_backend_is_forgotten_in_the_end_v4() {
    let wants = Wants { tcp_keys: "idle-timeout = \"2s\"", ..Wants::new(Family::V4, "nat") };
    wants.backends(3).scene(|scene| {
        scene.spread(50)?;
        scene.backend("remove", 3, &[])?;
        scene.spread(50)?;
        let tables = Tables::open(&scene.network.files().pin_dir)?;
        ensure!(tables.moving()? > 0, "no slot moves");
        wait::until("everything to settle", BOUND, || {
            let (flows, moving) = (tables.flows()?.len(), tables.moving()?);
            ensure!(flows + moving == 0, "{flows} flows are remembered, {moving} slots move");
            let backends = tables.backends()?;
            ensure!(backends == 2, "{backends} backends are in the table");
            Ok(())
        })
    });
}

fn hold(scene: &Scene) -> Result<Held> {
    Held::open(&scene.network.topology.client, scene.network.vip(), CONNECTIONS, PAUSE)
}

fn nothing_new(scene: &Scene) -> Result<()> {
    let spread = scene.spread(60)?;
    assert!(!spread.contains_key(&backend_name(3)), "it takes new connections: {spread:?}");
    Ok(())
}

fn is_whole(record: &Record) -> bool {
    let first = record.backends.first();
    record.end == End::Whole && record.backends.iter().all(|backend| Some(backend) == first)
}

fn is_the_third_s(record: &Record) -> bool {
    record.backends.first() == Some(&backend_name(3))
}
