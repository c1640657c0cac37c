//! Limits of new flows: a source over its own is refused while others are served.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, getpeername, socket_with},
};
use tests::{
    topology::{Family, Host},
    wait,
};

use super::scene::{Scene, Wants, curl_from};

/// A source may open so many flows at once, and one more each second.
const BURST: usize = 20;
const KEYS: &str = "new-flows-per-source = { rate = 1, burst = 20 }";
/// Connections that the greedy source tries to open.
const GREED: usize = 100;
const BOUND: Duration = Duration::from_secs(20);

#[test]
fn a_greedy_source_is_refused_v4() {
    wants(Family::V4, "nat").scene(|scene| a_greedy_source_is_refused(scene));
}

#[test]
fn a_greedy_source_is_refused_v6() {
    wants(Family::V6, "nat").scene(|scene| a_greedy_source_is_refused(scene));
}

#[test]
fn a_service_has_a_limit_of_its_own() {
    let keys = "new-flows = { rate = 1, burst = 30 }";
    Wants { tcp_keys: keys, ..Wants::new(Family::V4, "full-nat") }.scene(|scene| {
        let client = scene.network.topology.address(Host::Client, Family::V4);
        let begun = Instant::now();
        let opened = try_to_open(scene, client, GREED)?;
        refused(scene, "new-flow-limit", GREED - 30 - 10)?;
        within(30, &opened, begun)
    });
}

fn wants(family: Family, forward: &'static str) -> Wants {
    Wants { tcp_keys: KEYS, ..Wants::new(family, forward) }
}

fn a_greedy_source_is_refused(scene: &Scene) -> Result<()> {
    let topology = &scene.network.topology;
    let family = scene.network.wants.family;
    let stranger = stranger(scene)?;
    let greedy = topology.address(Host::Client, family);
    let begun = Instant::now();
    let opened = try_to_open(scene, greedy, GREED)?;
    refused(scene, "source-limit", GREED - BURST - 10)?;
    for _ in 0..5 {
        curl_from(&topology.client, scene.network.vip(), stranger)?;
    }
    within(BURST, &opened, begun)
}

/// Another client: IPv6 clients are told apart by their /64.
pub(crate) fn stranger(scene: &Scene) -> Result<IpAddr> {
    let topology = &scene.network.topology;
    let client = topology.address(Host::Client, scene.network.wants.family);
    let (stranger, flag): (IpAddr, &str) = match client {
        IpAddr::V4(_) => ("198.51.100.99".parse()?, "-4"),
        IpAddr::V6(_) => ("2001:db8:9::7".parse()?, "-6"),
    };
    let nodad = if stranger.is_ipv6() { " nodad" } else { "" };
    let bits = if stranger.is_ipv4() { 32 } else { 128 };
    topology.client.ip(&format!("addr add {stranger}/{bits} dev eth0{nodad}"))?;
    topology.balancer.ip(&format!("{flag} route add {stranger} via {client}"))?;
    Ok(stranger)
}

/// Begins connections without waiting for them.
fn try_to_open(scene: &Scene, from: IpAddr, connections: usize) -> Result<Vec<OwnedFd>> {
    let vip = scene.network.vip();
    let family = if vip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    scene.network.topology.client.enter(|| {
        let begin = |_| {
            let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
            bind(&socket, &SocketAddr::new(from, 0))?;
            match connect(&socket, &vip) {
                Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
                Err(error) => Err(error.into()),
            }
        };
        (0..connections).map(begin).collect()
    })
}

fn refused(scene: &Scene, reason: &str, least: usize) -> Result<()> {
    wait::until("flows to be refused", BOUND, || {
        let refused = scene.counted(reason)?;
        ensure!(refused >= least as u64, "{refused} by {reason}");
        Ok(())
    })
}

/// As many are open as may be, and no more than the time since has added.
fn within(burst: usize, sockets: &[OwnedFd], begun: Instant) -> Result<()> {
    let open = sockets.iter().filter(|socket| getpeername(socket).is_ok()).count();
    let seconds = usize::try_from(begun.elapsed().as_secs())? + 1;
    println!("{open} of {} are open after {seconds} s at most", sockets.len());
    ensure!((burst..=burst + seconds).contains(&open), "{open} after {seconds} s");
    Ok(())
}
