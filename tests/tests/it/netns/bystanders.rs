//! What is not for a service is left alone, also where it meets a backend.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tests::{
    client::{Client, End},
    ping::ping,
    servers::HttpServer,
    topology::{Family, Host},
    udp::UdpClient,
};

use super::{
    passing,
    scene::{Scene, Wants, backend_name, curl},
};

#[test]
fn replies_to_the_balancer_itself_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| the_balancer_reaches_backends(scene));
}

#[test]
fn replies_to_the_balancer_itself_v6() {
    Wants::new(Family::V6, "nat").scene(|scene| the_balancer_reaches_backends(scene));
}

/// As health checks and a proxy on the balancer do.
fn the_balancer_reaches_backends(scene: &Scene) -> Result<()> {
    let topology = &scene.network.topology;
    let own = topology.address(Host::BalancerBack, scene.network.wants.family);
    for n in [1, 2] {
        let greeting = curl(&topology.balancer, scene.network.backend(n))?;
        assert_eq!(greeting.backend, format!("backend{n}"));
        assert_eq!(greeting.client, own);
    }
    scene.curl().map(drop)
}

#[test]
fn direct_clients_of_a_backend_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| clients_reach_backends_past_the_service(scene));
}

#[test]
fn direct_clients_of_a_backend_v6() {
    Wants::new(Family::V6, "nat").scene(|scene| clients_reach_backends_past_the_service(scene));
}

fn clients_reach_backends_past_the_service(scene: &Scene) -> Result<()> {
    let topology = &scene.network.topology;
    let client = topology.address(Host::Client, scene.network.wants.family);
    for _ in 0..3 {
        for n in [1, 2] {
            let greeting = curl(&topology.client, scene.network.backend(n))?;
            assert_eq!(greeting.backend, format!("backend{n}"));
            assert_eq!(greeting.client, client);
        }
        // And by the service again, from all the ports that may have spoken directly.
        scene.curl()?;
        scene.spread(50)?;
    }
    Ok(())
}

#[test]
fn one_port_used_for_both_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| one_port_used_for_both(scene));
}

#[test]
fn one_port_used_for_both_v6() {
    Wants::new(Family::V6, "nat").scene(|scene| one_port_used_for_both(scene));
}

/// The same client port speaks now to the VIP, now to the very backend behind it; the replies must
/// come from whom it spoke to.
fn one_port_used_for_both(scene: &Scene) -> Result<()> {
    let network = &scene.network;
    for _ in 0..4 {
        let client = UdpClient::new(&network.topology.client, network.vip())?;
        let owner = client.ask(network.vip(), b"who?")?.backend;
        let direct = [1, 2].into_iter().find(|n| owner == backend_name(*n));
        let direct = network.backend(direct.context("an unknown backend")?);
        for server in [direct, network.vip(), direct, direct, network.vip(), network.vip()] {
            assert_eq!(client.ask(server, b"and now?")?.backend, owner, "asked {server}");
        }
    }
    Ok(())
}

#[test]
fn the_balancer_itself_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| the_balancer_is_reached(scene));
}

#[test]
fn the_balancer_itself_v6() {
    Wants::new(Family::V6, "nat").scene(|scene| the_balancer_is_reached(scene));
}

fn the_balancer_is_reached(scene: &Scene) -> Result<()> {
    let topology = &scene.network.topology;
    let family = scene.network.wants.family;
    let visits =
        [(&topology.client, Host::BalancerFront), (topology.backend(1), Host::BalancerBack)];
    for (netns, host) in visits {
        let address = topology.address(host, family);
        ping(netns, address)?;
        let server = SocketAddr::new(address, 9000);
        let _http = HttpServer::start(&topology.balancer, server, "balancer")?;
        assert_eq!(curl(netns, server)?.backend, "balancer");
    }
    // The address of the VIP, but another port: the kernel's to refuse. An echo request to it is answered
    // by the program.
    let vip = scene.network.vip();
    let _passing = passing::attach(&topology.client, "eth0")?;
    ping(&topology.client, vip.ip())?;
    let other = SocketAddr::new(vip.ip(), vip.port() + 1);
    let end = topology.client.enter(|| Ok(Client::connect(other).map_err(End::from).err()))?;
    assert_eq!(end, Some(End::Refused), "nothing listens at {other}");
    Ok(())
}
