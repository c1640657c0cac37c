//! Backends whose next hop is not known, yet or any more.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{daemon, topology::Family, wait};

use super::scene::{Scene, Wants};

/// A MAC address that no interface is given by the kernel.
const MAC: &str = "02:00:00:00:00:77";
const BOUND: Duration = Duration::from_secs(20);

#[test]
fn an_absent_backend_is_reported_and_used_when_it_appears_v4() {
    an_absent_backend(Family::V4);
}

#[test]
fn an_absent_backend_is_reported_and_used_when_it_appears_v6() {
    an_absent_backend(Family::V6);
}

fn an_absent_backend(family: Family) {
    Wants::new(family, "nat").network(|network| {
        network.topology.switch.ip("link set backend2 nomaster")?;
        let config = network.config();
        network.start(&config, |scene| {
            only_the_second_is_unresolved(scene)?;
            scene.network.topology.switch.ip("link set backend2 master br0")?;
            scene.daemon.wait_resolved()?;
            let spread = scene.spread(100)?;
            assert_eq!(spread.len(), 2, "resolved, but not used: {spread:?}");
            Ok(())
        })
    });
}

fn only_the_second_is_unresolved(scene: &Scene) -> Result<()> {
    let second = scene.network.backend(2);
    wait::until("one backend to be resolved", BOUND, || {
        let open = daemon::unresolved(&scene.daemon.status()?);
        ensure!(open.len() == 1, "not resolved: {open:?}");
        ensure!(open[0].contains(&second.to_string()), "the wrong one is open: {open:?}");
        ensure!(open[0].contains("no answer"), "the reason does not help: {open:?}");
        Ok(())
    })?;
    let words = scene.daemon.ok(&["status"])?;
    assert!(words.contains(&second.ip().to_string()), "not mentioned in:\n{words}");
    Ok(())
}

#[test]
fn a_backend_with_another_mac_address_is_found_again() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        scene.curl()?;
        let backend = scene.network.topology.backend(1);
        // It announces the new address, as does a machine that takes over another's.
        backend.sysctl("ipv4/conf/eth0/arp_notify", "1")?;
        backend.ip(&format!("link set eth0 address {MAC}"))?;
        wait::until("the new address to be used", BOUND, || {
            let status = scene.daemon.status()?;
            let hop = &status["pools"][0]["backends"][0]["next_hop"];
            ensure!(hop["mac"] == MAC, "{hop}");
            Ok(())
        })?;
        assert_eq!(scene.spread(100)?.len(), 2);
        Ok(())
    });
}
