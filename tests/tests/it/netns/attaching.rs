//! How the program is attached, and what is said of it.

use anyhow::{Context, Result};
use tests::{link, topology::Family};

use super::scene::{Network, Wants};

/// An interface without native XDP, beside those of the balancer.
const PLAIN: &str = "plain0";

#[test]
fn generic_mode_v4() {
    generic(Family::V4);
}

#[test]
fn generic_mode_v6() {
    generic(Family::V6);
}

fn generic(family: Family) {
    Wants { attach: "generic", ..Wants::new(family, "nat") }.scene(|scene| {
        assert_eq!(scene.daemon.status()?["interfaces"][0]["attached"], "generic");
        scene.curl()?;
        assert_eq!(scene.spread(50)?.len(), 2);
        Ok(())
    });
}

#[test]
fn auto_falls_back_to_generic_and_says_so() {
    Wants::new(Family::V4, "nat").network(|network| {
        let config = with_plain_interface(&network, "auto")?;
        network.start(&config, |scene| {
            let status = scene.daemon.status()?;
            let interfaces = status["interfaces"].as_array().context("a list")?;
            let plain = interfaces.iter().find(|i| i["name"] == PLAIN).context("not listed")?;
            assert_eq!(plain["attached"], "generic", "{plain}");
            let problems = status["problems"].to_string();
            assert!(problems.contains(PLAIN) && problems.contains("generic"), "{problems}");
            let log = scene.daemon.log();
            assert!(log.contains(PLAIN) && log.contains("falling back to generic"), "{log}");
            // The others are native.
            assert!(interfaces.iter().filter(|i| i["attached"] == "native").count() == 2);
            scene.daemon.wait_resolved()?;
            scene.curl().map(drop)
        })
    });
}

#[test]
fn native_is_refused_where_there_is_none() {
    Wants::new(Family::V4, "nat").network(|network| {
        let config = with_plain_interface(&network, "native")?;
        let said = network.refused(&config)?.stderr;
        assert!(said.contains(PLAIN) && said.contains("native"), "{said}");
        assert!(said.contains("generic"), "does not say what to do: {said}");
        for interface in [PLAIN, "client0", "backend0"] {
            let left = link::has_xdp(&network.topology.balancer, interface)?;
            assert!(!left, "a program is left on {interface}");
        }
        Ok(())
    });
}

#[test]
fn a_missing_interface_is_refused() {
    Wants::new(Family::V4, "nat").network(|network| {
        let config = network.config() + "[[interface]]\nname = \"absent0\"\n";
        let said = network.refused(&config)?.stderr;
        assert!(said.contains("absent0") && said.contains("client0"), "{said}");
        Ok(())
    });
}

fn with_plain_interface(network: &Network, mode: &str) -> Result<String> {
    let balancer = &network.topology.balancer;
    balancer.ip(&format!("link add {PLAIN} link client0 type macvlan mode bridge"))?;
    balancer.ip(&format!("link set {PLAIN} up"))?;
    Ok(network.config() + &format!("[[interface]]\nname = {PLAIN:?}\nmode = {mode:?}\n"))
}
