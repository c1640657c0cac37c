//! A flood of SYNs costs nobody a connection, and leaves nothing behind.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tests::{
    client::End,
    flood::{self, Flood},
    held::Held,
    require::{self, Need},
    topology::{BALANCER_PORT, Family},
    wait,
};

use super::{
    scene::{Scene, Wants},
    tables::Tables,
};

const BOUND: Duration = Duration::from_mins(5);
const CONNECTIONS: usize = 100;
const PAUSE: Duration = Duration::from_millis(500);
const THREADS: u8 = 2;
/// Between two looks at the counters.
const STEP: Duration = Duration::from_millis(200);

#[test]
fn leaves_nothing_behind_v4() {
    flood(Wants::new(Family::V4, "nat"), 5_000_000);
}

#[test]
fn leaves_nothing_behind_v6() {
    flood(Wants::new(Family::V6, "dsr"), 1_000_000);
}

/// `syns` must have come through the balancer.
fn flood(wants: Wants, syns: u64) {
    if require::met(&[Need::Program("nft")]) {
        wants.scene(|scene| leaves_nothing_behind(scene, syns));
    }
}

fn leaves_nothing_behind(scene: &Scene, syns: u64) -> Result<()> {
    let network = &scene.network;
    let family = network.wants.family;
    stop_behind_the_balancer(scene, flood::sources(family))?;
    let held = Held::open(&network.topology.client, network.vip(), CONNECTIONS, PAUSE)?;
    let tables = Tables::open(&network.files().pin_dir)?;
    ensure!(tables.moving()? == 0, "slots move before anything has changed");

    let begun = Instant::now();
    let flood = Flood::start(&network.topology.client, network.vip(), THREADS)?;
    wait::until("the flood to be forwarded", BOUND, || {
        thread::sleep(STEP);
        let forwarded = dropped(scene)?;
        ensure!(forwarded >= syns, "{forwarded} of {syns}, {} were sent", flood.sent());
        // While it goes on, too.
        ensure!(held.alive() == CONNECTIONS, "it broke {}", CONNECTIONS - held.alive());
        Ok(())
    })?;
    let remembered = (tables.flows()?.len(), tables.ways_back()?);
    assert_eq!(remembered, (0, 0), "flows and ways back that a flood left");
    let sent = flood.finish()?;
    println!("{sent} SYNs sent in {:.1} s", begun.elapsed().as_secs_f32());

    held.wait_rounds(2)?;
    let records = held.close()?;
    let broken: Vec<_> = records.iter().filter(|record| record.end != End::Whole).collect();
    assert!(broken.is_empty(), "of {CONNECTIONS} broken: {broken:?}");
    let remembered = (tables.flows()?.len(), tables.ways_back()?);
    assert_eq!(remembered, (0, 0), "flows and ways back after the flood");
    scene.spread(50).map(drop)
}

/// What the flood is sent to must not melt: its segments go no further than the switch.
fn stop_behind_the_balancer(scene: &Scene, sources: &str) -> Result<()> {
    let switch = &scene.network.topology.switch;
    let protocol = if sources.contains(':') { "ip6" } else { "ip" };
    for words in [
        "add table netdev flood".to_owned(),
        format!(
            "add chain netdev flood in {{ type filter hook ingress device \"{BALANCER_PORT}\" priority 0 ; }}"
        ),
        format!("add rule netdev flood in {protocol} saddr {sources} counter drop"),
    ] {
        switch.run("nft", &[&words])?.success()?;
    }
    Ok(())
}

/// SYNs that came through the balancer.
fn dropped(scene: &Scene) -> Result<u64> {
    let switch = &scene.network.topology.switch;
    let listed = switch.run("nft", &["list", "table", "netdev", "flood"])?.success()?;
    let (_, counted) = listed.split_once("packets ").context("no counter")?;
    Ok(counted.split(' ').next().unwrap_or_default().parse()?)
}
