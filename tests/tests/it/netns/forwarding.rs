//! What the product is for: connections to the VIP reach the backends and come back.

use std::collections::BTreeSet;

use anyhow::Result;
use tests::{
    topology::{Family, Host},
    udp,
};

use super::scene::{Scene, Wants};

#[test]
fn nat_v4() {
    traffic(Wants::new(Family::V4, "nat"));
}

#[test]
fn nat_v6() {
    traffic(Wants::new(Family::V6, "nat"));
}

#[test]
fn dsr_v4() {
    traffic(Wants::new(Family::V4, "dsr"));
}

#[test]
fn dsr_v6() {
    traffic(Wants::new(Family::V6, "dsr"));
}

#[test]
fn nat_v4_one_arm() {
    traffic(Wants::new(Family::V4, "nat").one_arm());
}

#[test]
fn nat_v6_one_arm() {
    traffic(Wants::new(Family::V6, "nat").one_arm());
}

#[test]
fn dsr_v4_one_arm() {
    traffic(Wants::new(Family::V4, "dsr").one_arm());
}

#[test]
fn dsr_v6_one_arm() {
    traffic(Wants::new(Family::V6, "dsr").one_arm());
}

fn traffic(wants: Wants) {
    wants.scene(|scene| {
        curl_sees_a_backend_that_sees_the_client(scene)?;
        every_backend_gets_connections(scene)?;
        udp_is_echoed(scene)
    });
}

fn curl_sees_a_backend_that_sees_the_client(scene: &Scene) -> Result<()> {
    let greeting = scene.curl()?;
    assert!(greeting.backend.starts_with("backend"), "{greeting:?}");
    let topology = &scene.network.topology;
    let client = topology.address(Host::Client, scene.network.wants.family);
    assert_eq!(greeting.client, client, "the backend must see the client's own address");
    Ok(())
}

fn every_backend_gets_connections(scene: &Scene) -> Result<()> {
    let spread = scene.spread(100)?;
    assert_eq!(spread.len(), 2, "of two backends only some got connections: {spread:?}");
    Ok(())
}

fn udp_is_echoed(scene: &Scene) -> Result<()> {
    let client = &scene.network.topology.client;
    let mut backends = BTreeSet::new();
    for n in 0..40 {
        let payload = vec![n; 1 + usize::from(n) * 30];
        let echo = udp::ask(client, scene.network.vip(), &payload)?;
        assert_eq!(
            echo.payload,
            payload,
            "a datagram of {} bytes came back changed",
            payload.len()
        );
        assert_eq!(echo.client.port(), echo.local.port(), "the backend saw another port");
        assert_eq!(echo.client.ip(), echo.local.ip(), "the backend saw another address");
        backends.insert(echo.backend);
    }
    assert_eq!(backends.len(), 2, "of two backends only some got datagrams: {backends:?}");
    Ok(())
}
