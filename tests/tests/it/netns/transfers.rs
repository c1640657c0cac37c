//! Much data at once arrives as it was sent.

use anyhow::Result;
use tests::{
    load::{self, Load},
    topology::Family,
};

use super::scene::{Scene, Wants};

const TRANSFERS: usize = 200;
const BYTES: usize = 1 << 20;

#[test]
fn nat_v4() {
    Wants::new(Family::V4, "nat").backends(4).scene(|scene| arrive_intact(scene));
}

#[test]
fn nat_v6() {
    Wants::new(Family::V6, "nat").backends(4).scene(|scene| arrive_intact(scene));
}

#[test]
fn dsr_v4() {
    Wants::new(Family::V4, "dsr").backends(4).scene(|scene| arrive_intact(scene));
}

#[test]
fn dsr_v6() {
    Wants::new(Family::V6, "dsr").backends(4).scene(|scene| arrive_intact(scene));
}

fn arrive_intact(scene: &Scene) -> Result<()> {
    let server = scene.network.vip();
    let load = Load { server, connections: TRANSFERS, at_once: TRANSFERS, bytes: Some(BYTES) };
    let records = load.run(&scene.network.topology.client, |_| true)?;
    let spread = load::spread(&records)?;
    assert_eq!(spread.values().sum::<usize>(), TRANSFERS);
    assert_eq!(spread.len(), 4, "of four backends only some were used: {spread:?}");
    Ok(())
}
