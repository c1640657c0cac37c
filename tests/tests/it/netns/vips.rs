//! Whose the address of a VIP is: the daemon's, the operator's, or nobody's.

use std::path::Path;

use anyhow::Result;
use tests::topology::{Family, Host};

use super::scene::{Network, Wants};

#[test]
fn kept_by_the_daemon_v4() {
    Wants::new(Family::V4, "nat").scene(|scene| assert_present(&scene.network, true));
}

#[test]
fn kept_by_the_daemon_v6() {
    Wants::new(Family::V6, "nat").scene(|scene| assert_present(&scene.network, true));
}

#[test]
fn kept_by_nobody_but_routed_v4() {
    kept_by_nobody_but_routed(Family::V4);
}

#[test]
fn kept_by_nobody_but_routed_v6() {
    kept_by_nobody_but_routed(Family::V6);
}

fn kept_by_nobody_but_routed(family: Family) {
    Wants { keeps_vip: false, ..Wants::new(family, "nat") }.scene(|scene| {
        assert_present(&scene.network, false)?;
        // Nobody answers for it, so the client is told where it is.
        let topology = &scene.network.topology;
        let balancer = topology.address(Host::BalancerFront, family);
        let vip = scene.network.vip().ip();
        topology.client.ip(&format!("{} route add {vip} via {balancer}", family.flag()))?;
        scene.curl()?;
        scene.spread(50).map(drop)
    });
}

#[test]
fn an_address_of_the_operator_is_left_alone() {
    Wants::new(Family::V4, "nat").network(|network| {
        let vip = network.vip().ip();
        network.topology.balancer.ip(&format!("addr add {vip}/24 dev client0"))?;
        let config = network.config();
        network.start(&config, |scene| {
            scene.daemon.detach()?;
            assert_present(&scene.network, true)
        })
    });
}

#[test]
fn an_ended_daemon_leaves_it_to_detach() {
    Wants::new(Family::V6, "nat").scene(|scene| {
        scene.daemon.stop()?;
        assert_present(&scene.network, true)?;
        scene.daemon.detach()?;
        assert!(!Path::new(&scene.network.files().pin_dir).exists());
        assert_present(&scene.network, false)
    });
}

fn assert_present(network: &Network, expected: bool) -> Result<()> {
    let addresses = network.topology.balancer.ip("addr show dev client0")?;
    let present = addresses.contains(&format!("{}/", network.vip().ip()));
    assert_eq!(present, expected, "{} on client0:\n{addresses}", network.vip().ip());
    Ok(())
}
