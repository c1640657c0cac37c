//! Much data at once arrives as it was sent, both ways, in every forwarding mode.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Result, anyhow};
use tests::{
    load::{self, Load},
    topology::{BALANCER_PORT, Family, Host},
    udp::{self, UdpClient},
};

use super::{
    passing,
    scene::{POOL, Scene, Wants},
};

const TRANSFERS: usize = 100;
const BYTES: usize = 1 << 20;
const DATAGRAMS: u8 = 60;

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

#[test]
fn full_nat_v4() {
    full_nat(Family::V4);
}

#[test]
fn full_nat_v6() {
    full_nat(Family::V6);
}

/// The backends know neither clients nor VIP, and have no way back but to their neighbours.
fn full_nat(family: Family) {
    Wants::new(family, "full-nat").backends(4).scene(|scene| {
        arrive_intact(scene)?;
        let own = scene.network.topology.address(Host::Client, family);
        let greeting = scene.curl()?;
        assert_ne!(greeting.client, own, "the backend saw the client's own address");
        // By now everything has been closed; what is remembered of it must not be in the way.
        scene.spread(200).map(drop)
    });
}

#[test]
fn hairpin_v4() {
    hairpin(Family::V4);
}

#[test]
fn hairpin_v6() {
    hairpin(Family::V6);
}

/// A backend that is a client of its own VIP, of itself among others.
fn hairpin(family: Family) {
    Wants::new(family, "full-nat").scene(|scene| {
        let topology = &scene.network.topology;
        let vip = scene.network.vip();
        let balancer = topology.address(Host::BalancerBack, family);
        let backend = topology.backend(1);
        backend.ip(&format!("{} route add {} via {balancer}", family.flag(), vip.ip()))?;
        // Its packets leave by the interface they came in by.
        let _passing = passing::attach(&topology.switch, BALANCER_PORT)?;
        let load = Load { server: vip, connections: 40, at_once: 10, bytes: Some(BYTES) };
        let spread = load::spread(&load.run(backend, |_| true)?)?;
        assert_eq!(spread.len(), 2, "a backend among its own clients: {spread:?}");
        let echoes: Result<BTreeSet<_>> =
            (0..40).map(|n| Ok(udp::ask(backend, vip, &[n; 100])?.backend)).collect();
        assert_eq!(echoes?.len(), 2, "of two backends only some got datagrams");
        Ok(())
    });
}

#[test]
fn two_services_with_the_same_backends_v4() {
    two_services_with_the_same_backends(Family::V4);
}

#[test]
fn two_services_with_the_same_backends_v6() {
    two_services_with_the_same_backends(Family::V6);
}

/// Whose replies they are, is told by the flow, as the backend's address does not.
fn two_services_with_the_same_backends(family: Family) {
    Wants::new(family, "nat").backends(4).network(|network| {
        let second = SocketAddr::new(network.vip().ip(), network.vip().port() + 1);
        let service = |protocol| {
            format!(
                "[[service]]\nname = \"second-{protocol}\"\nlisten = \"{second}/{protocol}\"\npool = \"{POOL}\"\n"
            )
        };
        let config = network.config() + &service("tcp") + &service("udp");
        network.start(&config, |scene| {
            scene.daemon.wait_resolved()?;
            let first = scene.network.vip();
            let scene = &*scene;
            std::thread::scope(|scope| {
                let one = scope.spawn(|| arrive_intact_from(scene, first));
                // A datagram has no end: a port that one service was spoken to from is not free for
                // the other at once.
                let _ports = arrive_intact_from(scene, second)?;
                one.join().map_err(|_| anyhow!("the first service: panicked"))?.map(drop)
            })
        })
    });
}

pub(crate) fn arrive_intact(scene: &Scene) -> Result<()> {
    arrive_intact_from(scene, scene.network.vip()).map(drop)
}

/// The clients of the datagrams keep their ports as long as one keeps them.
fn arrive_intact_from(scene: &Scene, server: SocketAddr) -> Result<Vec<UdpClient>> {
    let client = &scene.network.topology.client;
    let load = Load { server, connections: TRANSFERS, at_once: TRANSFERS, bytes: Some(BYTES) };
    let spread = load::spread(&load.run(client, |_| true)?)?;
    assert_eq!(spread.values().sum::<usize>(), TRANSFERS);
    assert_eq!(spread.len(), 4, "of four backends only some were used: {spread:?}");

    let (mut clients, mut backends) = (Vec::new(), BTreeSet::new());
    for n in 0..DATAGRAMS {
        let payload = vec![n; 1 + usize::from(n) * 20];
        let client = UdpClient::new(client, server)?;
        let echo = client.ask(server, &payload)?;
        assert_eq!(echo.payload, payload, "a datagram of {} bytes changed", payload.len());
        backends.insert(echo.backend);
        clients.push(client);
    }
    assert_eq!(backends.len(), 4, "of four backends only some got datagrams: {backends:?}");
    Ok(clients)
}
