//! Who answers echo requests: the program, for addresses of services, at a bounded rate.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lb_common::limits::{ICMP_BURST, ICMP_INTERVAL};
use tests::{
    ping::{burst, ping},
    topology::{Family, Host},
    wait,
};

use super::scene::{Scene, Wants};

const BOUND: Duration = Duration::from_secs(20);
const REQUESTS: u32 = 2_000;

#[test]
fn an_address_that_nobody_holds_answers_v4() {
    an_address_that_nobody_holds_answers(Family::V4);
}

#[test]
fn an_address_that_nobody_holds_answers_v6() {
    an_address_that_nobody_holds_answers(Family::V6);
}

#[test]
fn an_address_that_nobody_holds_answers_generic() {
    let wants = Wants { attach: "generic", ..Wants::new(Family::V4, "dsr") };
    routed(wants, answers_alone);
}

fn an_address_that_nobody_holds_answers(family: Family) {
    routed(Wants::new(family, "nat"), answers_alone);
}

fn answers_alone(scene: &Scene, vip: IpAddr) -> Result<()> {
    let client = &scene.network.topology.client;
    for _ in 0..10 {
        ping(client, vip)?;
    }
    ensure!(scene.counted("echo-answered")? == 10, "answered by somebody else");
    let other = elsewhere(scene.network.wants.family);
    ensure!(ping(client, other).is_err(), "{other}, of no service, answers");
    ensure!(scene.counted("echo-answered")? == 10, "answered for an address of no service");
    Ok(())
}

#[test]
fn too_many_are_dropped_v4() {
    too_many_are_dropped(Family::V4);
}

#[test]
fn too_many_are_dropped_v6() {
    too_many_are_dropped(Family::V6);
}

fn too_many_are_dropped(family: Family) {
    routed(Wants::new(family, "nat"), |scene, vip| {
        let client = &scene.network.topology.client;
        let begun = Instant::now();
        wait::until("a request to be dropped", BOUND, || {
            burst(client, vip, REQUESTS)?;
            ensure!(scene.counted("echo-limited")? > 0, "none was");
            Ok(())
        })?;
        let answered = scene.counted("echo-answered")?;
        let most = at_most(begun.elapsed())?;
        ensure!((1..=most).contains(&answered), "{answered} answered, allowed are {most}");
        // They may again as soon as time has passed.
        wait::until("an answer", BOUND, || ping(client, vip))
    });
}

/// Tests something with a VIP that is led to the balancer, and held by nobody.
fn routed(wants: Wants, check: impl FnOnce(&Scene, IpAddr) -> Result<()>) {
    let family = wants.family;
    Wants { keeps_vip: false, ..wants }.scene(|scene| {
        let topology = &scene.network.topology;
        let vip = scene.network.vip().ip();
        let balancer = topology.address(Host::BalancerFront, family);
        topology.client.ip(&format!("{} route add {vip} via {balancer}", family.flag()))?;
        let _answers = scene.client_hears_answers()?;
        // Once the client knows its neighbour, nothing waits in a queue.
        ping(&topology.client, balancer)?;
        check(scene, vip)
    });
}

/// An address that the client's default route leads to the balancer.
fn elsewhere(family: Family) -> IpAddr {
    match family {
        Family::V4 => [203, 0, 113, 9].into(),
        Family::V6 => [0x2001, 0xdb8, 9, 0, 0, 0, 0, 9].into(),
    }
}

/// Answers that so much time allows.
fn at_most(elapsed: Duration) -> Result<u64> {
    let cpus = thread::available_parallelism()?.get() as u64;
    let each = u64::try_from(elapsed.as_nanos())? / ICMP_INTERVAL;
    Ok(cpus * (ICMP_BURST + each + 1))
}
