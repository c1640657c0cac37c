//! Layer 7 under load while everything changes: no request fails, and nothing that was open breaks.
//!
//! For half a minute the configuration is applied anew each second and the certificates are replaced on disk;
//! then, in another test, backends are killed and come back. The traffic is that of [`traffic`]: each kind of
//! client that listeners have, kept connections and new ones.

mod requests;
mod sockets;
mod steps;
mod traffic;

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tests::{run::run, topology::Family, wait};

use self::{
    steps::{Checks, Step, certify},
    traffic::{Kinds, Traffic},
};
use super::{
    clients::{self, BOUND, Site, wants, websocket::serve},
    scene::Scene,
};

/// For how many seconds things change, unless the environment says otherwise.
const SECONDS: u64 = 30;
const SECONDS_VARIABLE: &str = "SHUNT_TEST_RELOAD_SECONDS";
const BACKENDS: u8 = 3;
/// How often each backend is killed.
const KILLS: usize = 2;
/// Requests of each client before and after.
const ROUNDS: u64 = 15;

#[test]
fn changes_break_nothing_v4() {
    changes(Family::V4);
}

#[test]
fn changes_break_nothing_v6() {
    changes(Family::V6);
}

#[test]
fn killed_backends_cost_no_request_v4() {
    kills(Family::V4, Checks::None);
}

#[test]
fn killed_backends_cost_no_request_v6() {
    kills(Family::V6, Checks::None);
}

#[test]
fn killed_backends_cost_no_request_amid_changes_v4() {
    kills(Family::V4, Checks::Quick);
}

#[test]
fn killed_backends_cost_no_request_amid_changes_v6() {
    kills(Family::V6, Checks::Quick);
}

fn seconds() -> Result<u64> {
    match env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().with_context(|| format!("{SECONDS_VARIABLE}={text}")),
        Err(_) => Ok(SECONDS),
    }
}

fn changes(family: Family) {
    scene(family, Checks::None, Kinds::All, |scene, site, traffic| {
        let last = change(scene, site, traffic)?;
        wait::until("the last certificate to be shown", BOUND, || traffic.saw(last))?;
        traffic.wait_more(2)
    });
}

/// Tests something while clients are at work, none of whom may fail.
fn scene(
    family: Family,
    checks: Checks,
    kinds: Kinds,
    test: impl FnOnce(&Scene, &mut Site, &Traffic) -> Result<()>,
) {
    let config = |network: &_, site: &Site| {
        certify(site, 0)?;
        Ok(Step { number: 0, checks }.config(network, site))
    };
    clients::run(wants(family, BACKENDS), &["curl"], config, |scene, site| {
        let servers = (1..=BACKENDS).map(|n| serve(&scene.network, n));
        let _servers = servers.collect::<Result<Vec<_>>>()?;
        let traffic = Traffic::start(&scene.network.topology.client, site, kinds)?;
        test(scene, site, &traffic)?;
        traffic.finish()
    });
}

/// Changes something each second; the number of the last change.
fn change(scene: &Scene, site: &Site, traffic: &Traffic) -> Result<u64> {
    let (begun, seconds) = (Instant::now(), seconds()?);
    for number in 1..=seconds {
        let step = Step { number, checks: Checks::None };
        certify(site, number)?;
        step.apply(scene, site).with_context(|| format!("change {number}"))?;
        step.holds(scene, site).with_context(|| format!("change {number}"))?;
        traffic.check().with_context(|| format!("change {number}"))?;
        wait::pause(Duration::from_secs(number).saturating_sub(begun.elapsed()))?;
    }
    Ok(seconds)
}

/// Kills one backend after the other. With health checks, something else changes at the same time; without, a
/// backend that is back is found out by requests, which takes a while, and the others must be there.
fn kills(family: Family, checks: Checks) {
    scene(family, checks, Kinds::Repeatable, |scene, site, traffic| {
        let mut number = 0;
        let mut change = |site: &Site| {
            number += 1;
            match checks {
                Checks::None => Ok(()),
                Checks::Quick => Step { number, checks }.apply(scene, site),
            }
        };
        for n in (1..=BACKENDS).cycle().take(KILLS * usize::from(BACKENDS)) {
            site.backends[usize::from(n) - 1].kill()?;
            change(site)?;
            traffic.wait_more(ROUNDS).with_context(|| format!("without backend {n}"))?;
            site.backends[usize::from(n) - 1].restart(scene.network.topology.backend(n))?;
            change(site)?;
            traffic.wait_more(ROUNDS).with_context(|| format!("backend {n} is back"))?;
        }
        Ok(())
    });
}

/// What curl says of a path of a listener without TLS.
fn curl(scene: &Scene, site: &Site, port: u16, path: &str) -> Result<String> {
    let url = format!("http://{}{path}", site.at(port));
    let mut command = scene.network.topology.client.command("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "20", &url]);
    run(&mut command, BOUND)?.success()
}
