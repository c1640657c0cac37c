//! The daemon ends, is killed, comes back and goes: the packet path has a life of its own.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use anyhow::{Result, ensure};
use tests::{
    client::{Client, End},
    held::Held,
    link,
    topology::Family,
};

use super::scene::{Scene, Wants};

#[test]
fn traffic_survives_a_killed_daemon_v4() {
    Wants::new(Family::V4, "nat").scene(traffic_survives_a_killed_daemon);
}

#[test]
fn traffic_survives_a_killed_daemon_v6() {
    Wants::new(Family::V6, "dsr").scene(traffic_survives_a_killed_daemon);
}

fn traffic_survives_a_killed_daemon(scene: &mut Scene) -> Result<()> {
    let client = &scene.network.topology.client;
    let held = Held::open(client, scene.network.vip(), 50, Duration::from_millis(20))?;
    scene.daemon.kill()?;
    ensure!(has_programs(scene)? == [true, true], "the programs went with the daemon");
    scene.spread(50)?;
    let counted = forwarded_before_restart(scene)?;
    held.wait_rounds(3)?;
    scene.daemon.wait_resolved()?;
    held.wait_rounds(3)?;
    for record in held.close()? {
        assert_eq!(record.end, End::Whole, "broken by the end or the return of the daemon");
    }
    // Counters are not lost with the daemon.
    assert!(counted > 100, "only {counted} packets counted after the return");
    scene.spread(50)?;
    nothing_is_left_after_detach(scene)
}

/// Starts the daemon again; the packets forwarded so far, by its account.
fn forwarded_before_restart(scene: &mut Scene) -> Result<u64> {
    scene.daemon.restart()?;
    Ok(scene.daemon.status()?["packets"]["forwarded"]["packets"].as_u64().unwrap_or(0))
}

#[test]
fn traffic_survives_a_stopped_daemon() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let status = scene.daemon.stop()?;
        assert!(status.success() && status.signal().is_none(), "SIGTERM: {status}");
        scene.spread(50)?;
        nothing_is_left_after_detach(scene)
    });
}

#[test]
fn detach_ends_a_running_daemon() {
    Wants::new(Family::V6, "nat").scene(nothing_is_left_after_detach);
}

#[test]
fn changes_survive_a_restart() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        scene.backend("remove", 2, &[])?;
        scene.daemon.kill()?;
        scene.daemon.restart()?;
        let spread = scene.spread(50)?;
        assert_eq!(spread.get("backend1"), Some(&50), "backend2 was removed: {spread:?}");
        Ok(())
    });
}

#[test]
fn a_second_daemon_is_refused() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let said = scene.network.refused(&scene.network.config())?.stderr;
        assert!(said.contains("daemon"), "does not say that another daemon runs: {said}");
        scene.curl().map(drop)
    });
}

fn has_programs(scene: &Scene) -> Result<Vec<bool>> {
    let topology = &scene.network.topology;
    let interfaces = topology.shape.arms.interfaces();
    interfaces.iter().map(|interface| link::has_xdp(&topology.balancer, interface)).collect()
}

/// No program, no pins, no address: the network is as if there had been no daemon.
fn nothing_is_left_after_detach(scene: &mut Scene) -> Result<()> {
    let vip = scene.network.vip();
    let said = scene.daemon.detach()?;
    assert!(!said.trim().is_empty(), "detach does not say what it did");
    assert_eq!(has_programs(scene)?, [false, false], "detach left a program; it said:\n{said}");
    let pins = &scene.network.files().pin_dir;
    assert!(!pins.exists(), "detach left {}; it said:\n{said}", pins.display());
    let topology = &scene.network.topology;
    let addresses = topology.balancer.ip("addr show dev client0")?;
    assert!(!addresses.contains(&format!("{}/", vip.ip())), "detach left the VIP:\n{addresses}");
    let gone = topology.client.enter(|| Ok(Client::connect(vip).is_err()))?;
    assert!(gone, "somebody still answers at {vip}");
    Ok(())
}
