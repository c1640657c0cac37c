//! Backends that fail their health checks, and come back.
//!
//! How soon a failure must be noticed follows from the settings, and is for the unit tests; here it is
//! waited for. From the report on, not one new flow may go to the backend.

mod tls;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{client::Client, servers::HttpServer, topology::Family, wait};

use self::tls::TlsServer;
use super::scene::{POOL, Scene, Wants, backend_name};

const BOUND: Duration = Duration::from_mins(1);
const CONNECTIONS: usize = 100;
/// Port of the servers that are for probes alone.
const PROBED: u16 = 9000;

const TCP: &str = "[pool.health]\ntype = \"tcp\"\ninterval = \"200ms\"\nrise = 2\nfall = 3";
const HTTP: &str =
    "[pool.health]\ntype = \"http\"\npath = \"/healthz\"\ninterval = \"200ms\"\nrise = 2\nfall = 3";
const HTTPS: &str = "[pool.health]\ntype = \"https\"\nhost = \"www.example.org\"\nport = 9000\ninterval = \"1s\"\nrise = 1\nfall = 2";
const CLOSED: &str =
    "[pool.health]\ntype = \"tcp\"\ninterval = \"200ms\"\nrise = 2\nfall = 3\nfail-open = false";
/// Probed once, for all that a test can tell: when the daemon starts.
const ONCE: &str = "[pool.health]\ntype = \"http\"\nport = 9000\ninterval = \"1h\"\ntimeout = \"10s\"\nrise = 2\nfall = 1";

fn wants(family: Family, forward: &'static str, pool_keys: &'static str) -> Wants {
    Wants { pool_keys, ..Wants::new(family, forward) }
}

#[test]
fn a_stopped_server_is_noticed_by_tcp_v4() {
    wants(Family::V4, "nat", TCP).scene(a_stopped_server);
}

#[test]
fn a_stopped_server_is_noticed_by_tcp_v6() {
    wants(Family::V6, "dsr", TCP).scene(a_stopped_server);
}

#[test]
fn a_stopped_server_is_noticed_by_http_v4() {
    wants(Family::V4, "dsr", HTTP).scene(a_stopped_server);
}

#[test]
fn a_stopped_server_is_noticed_by_http_v6() {
    wants(Family::V6, "nat", HTTP).scene(a_stopped_server);
}

#[test]
fn a_stopped_server_is_noticed_by_http_full_nat() {
    wants(Family::V4, "full-nat", HTTP).scene(a_stopped_server);
}

fn a_stopped_server(scene: &mut Scene) -> Result<()> {
    wait_for(scene, 1, "up")?;
    wait_for(scene, 2, "up")?;
    let spread = scene.spread(CONNECTIONS)?;
    assert_eq!(spread.len(), 2, "both are up: {spread:?}");

    scene.network.stop_serving(2);
    wait_for(scene, 2, "down")?;
    assert_eq!(health(scene, 2)?["result"], "connection refused");
    takes_no_new_flow(scene, 2)?;
    let problem = format!("backend {} of {POOL} is down: connection refused", backend(scene, 2));
    ensure!(problems(scene)?.contains(&problem), "not in {:?}", problems(scene)?);
    ensure!(scene.daemon.log().contains(&problem), "the log does not say so");

    scene.network.serve(2)?;
    wait_for(scene, 2, "up")?;
    let spread = scene.spread(CONNECTIONS)?;
    assert_eq!(spread.len(), 2, "both are up again: {spread:?}");
    Ok(())
}

#[test]
fn tls_is_probed_at_a_port_of_its_own_v4() {
    wants(Family::V4, "nat", HTTPS).network(tls_is_probed);
}

#[test]
fn tls_is_probed_at_a_port_of_its_own_v6() {
    wants(Family::V6, "nat", HTTPS).network(tls_is_probed);
}

/// The server that serves goes on: whatever keeps flows from it is the check alone.
fn tls_is_probed(network: super::scene::Network) -> Result<()> {
    let tls = |network: &super::scene::Network, n| {
        let address = SocketAddr::new(network.backend(n).ip(), PROBED);
        TlsServer::start(network.topology.backend(n), address)
    };
    let (_first, second) = (tls(&network, 1)?, tls(&network, 2)?);
    let config = network.config();
    network.start(&config, |scene| {
        scene.daemon.wait_resolved()?;
        wait_for(scene, 2, "up")?;
        assert_eq!(health(scene, 2)?["result"], "status 200 OK");
        drop(second);
        wait_for(scene, 2, "down")?;
        takes_no_new_flow(scene, 2)?;
        let _second = tls(&scene.network, 2)?;
        wait_for(scene, 2, "up")?;
        let spread = scene.spread(CONNECTIONS)?;
        assert_eq!(spread.len(), 2, "both are up again: {spread:?}");
        Ok(())
    })
}

#[test]
fn a_pool_that_is_down_fails_open() {
    let keys = "[pool.health]\ntype = \"tcp\"\nport = 9000\ninterval = \"200ms\"";
    // Nothing listens on that port: the check is wrong, and the servers are right.
    wants(Family::V4, "nat", keys).scene(|scene| {
        wait_for(scene, 1, "down")?;
        wait_for(scene, 2, "down")?;
        let spread = scene.spread(CONNECTIONS)?;
        assert_eq!(spread.len(), 2, "as if none were down: {spread:?}");
        let problem = format!("pool {POOL} fails open: all its enabled backends are down");
        let says = |text: &str| text.contains(&problem);
        ensure!(problems(scene)?.iter().any(|text| says(text)), "not in {:?}", problems(scene)?);
        ensure!(says(&scene.daemon.log()), "the log does not say so");

        // One that rises is one that is known to work, and the other is not.
        let address = SocketAddr::new(backend(scene, 1).ip(), PROBED);
        let netns = scene.network.topology.backend(1);
        let _probed = HttpServer::start(netns, address, &backend_name(1))?;
        wait_for(scene, 1, "up")?;
        takes_no_new_flow(scene, 2)
    });
}

#[test]
fn a_pool_that_is_down_drops_if_told_so() {
    wants(Family::V4, "nat", CLOSED).scene(|scene| {
        wait_for(scene, 1, "up")?;
        for n in [1, 2] {
            scene.network.stop_serving(n);
        }
        for n in [1, 2] {
            wait_for(scene, n, "down")?;
        }
        let vip = scene.network.vip();
        let dropped = || -> Result<u64> {
            let status = scene.daemon.status()?;
            Ok(status["packets"]["no-backend"]["packets"].as_u64().unwrap_or(0))
        };
        let before = dropped()?;
        let refused = scene.network.topology.client.enter(|| Ok(Client::connect(vip).is_err()))?;
        assert!(refused, "somebody answers");
        assert!(dropped()? > before, "no packet was dropped for want of a backend");
        let problem = format!("all enabled backends of pool {POOL} are down");
        let found = problems(scene)?;
        ensure!(found.iter().any(|text| text.starts_with(&problem)), "not in {found:?}");

        scene.network.serve(1)?;
        wait_for(scene, 1, "up")?;
        takes_no_new_flow(scene, 2)
    });
}

#[test]
fn what_was_down_before_a_restart_is_down_after_it() {
    wants(Family::V4, "nat", ONCE).network(|network| {
        let probed = |network: &super::scene::Network, n| {
            let address = SocketAddr::new(network.backend(n).ip(), PROBED);
            HttpServer::start(network.topology.backend(n), address, &backend_name(n))
        };
        let _first = probed(&network, 1)?;
        let config = network.config();
        network.start(&config, |scene| {
            scene.daemon.wait_resolved()?;
            wait_for(scene, 2, "down")?;
            takes_no_new_flow(scene, 2)?;
            scene.daemon.kill()?;
            let _second = probed(&scene.network, 2)?;
            scene.daemon.restart()?;
            assert_eq!(health(scene, 2)?["state"], "down");
            takes_no_new_flow(scene, 2)?;
            // Its first probe succeeds, and it needs two.
            wait::until("the first probe", BOUND, || {
                ensure!(health(scene, 2)?["result"] == "status 200 OK");
                Ok(())
            })?;
            assert_eq!(health(scene, 2)?["state"], "down");
            takes_no_new_flow(scene, 2)
        })
    });
}

fn backend(scene: &Scene, n: u8) -> SocketAddr {
    scene.network.backend(n)
}

/// What `shunt status` says of a backend.
fn view(scene: &Scene, n: u8) -> Result<Value> {
    let status = scene.daemon.status()?;
    let backends = status["pools"][0]["backends"].as_array().context("no backends")?;
    let address = backend(scene, n).to_string();
    let found = backends.iter().find(|backend| backend["address"] == address.as_str());
    found.cloned().with_context(|| format!("{address} is not in {status}"))
}

fn health(scene: &Scene, n: u8) -> Result<Value> {
    Ok(view(scene, n)?["health"].clone())
}

fn problems(scene: &Scene) -> Result<Vec<String>> {
    Ok(serde_json::from_value(scene.daemon.status()?["problems"].clone())?)
}

fn wait_for(scene: &Scene, n: u8, state: &str) -> Result<()> {
    wait::until(&format!("backend {n} to be {state}"), BOUND, || {
        let health = health(scene, n)?;
        ensure!(health["state"] == state, "it is {health}");
        Ok(())
    })
}

/// Makes connections, none of which may go to a backend; not even a packet of them.
fn takes_no_new_flow(scene: &Scene, n: u8) -> Result<()> {
    let sent = || -> Result<Value> { Ok(view(scene, n)?["sent"]["packets"].clone()) };
    let before = sent()?;
    let spread = scene.spread(CONNECTIONS)?;
    assert_eq!(spread.get(&backend_name(n)), None, "{spread:?}");
    assert_eq!(sent()?, before, "packets went to it");
    Ok(())
}
