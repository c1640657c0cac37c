//! Several balancers behind a router with equal-cost routes: a flow may move from one to another.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tests::{
    client::End,
    daemon::{Daemon, Files},
    fleet::Fleet,
    held::{Held, Record},
    load::{self, Load},
    require,
    servers::HttpServer,
    topology::{BACKEND_SIDE, CLIENT_SIDE, Family, Host},
};

use super::scene::{POOL, PORT, SEED, backend_name, directory, files};

const BALANCERS: u8 = 2;
const BACKENDS: u8 = 4;
/// Backends that the configuration begins with.
const CONFIGURED: u8 = 3;
const CONNECTIONS: usize = 150;
const PAUSE: Duration = Duration::from_millis(100);

#[test]
fn a_killed_balancer_breaks_no_flow_v4() -> Result<()> {
    a_killed_balancer_breaks_no_flow(Family::V4)
}

#[test]
fn a_killed_balancer_breaks_no_flow_v6() -> Result<()> {
    a_killed_balancer_breaks_no_flow(Family::V6)
}

fn a_killed_balancer_breaks_no_flow(family: Family) -> Result<()> {
    if !require::met(&require::balancer()) {
        return Ok(());
    }
    let mut scene = Scene::new(family)?;
    // Where the daemons' logs are printed if it fails.
    scenario(&mut scene).unwrap_or_else(|error| panic!("{error:?}"));
    Ok(())
}

fn scenario(scene: &mut Scene) -> Result<()> {
    let held = Held::open(&scene.fleet.client, scene.vip, CONNECTIONS, PAUSE)?;
    held.wait_rounds(2)?;
    for n in 1..=BALANCERS {
        let forwarded = scene.forwarded(n)?;
        ensure!(forwarded > 100, "balancer {n} forwarded {forwarded} packets only");
    }

    scene.daemon(2).kill()?;
    scene.fleet.fail(2)?;
    go_on(&held, "one of two balancers was killed")?;
    scene.new_connections()?;

    scene.fleet.heal(2)?;
    scene.daemon(2).restart()?;
    scene.daemon(2).wait_resolved()?;
    let before = scene.forwarded(2)?;
    go_on(&held, "it came back")?;
    ensure!(scene.forwarded(2)? > before, "nothing goes by the balancer that came back");

    // Flows that are older than a change are not in anybody's table, and yet at home everywhere.
    let added = scene.backend(CONFIGURED + 1).to_string();
    for n in 1..=BALANCERS {
        scene.daemon(n).ok(&["backend", "add", POOL, &added])?;
        scene.daemon(n).wait_resolved()?;
    }
    go_on(&held, "a backend was added")?;
    scene.daemon(1).kill()?;
    scene.fleet.fail(1)?;
    go_on(&held, "the other balancer was killed while slots moved")?;

    let broken: Vec<_> = held.close()?.into_iter().filter(is_broken).collect();
    assert!(broken.is_empty(), "{} of {CONNECTIONS} are broken: {broken:?}", broken.len());
    let spread = scene.new_connections()?;
    assert_eq!(spread, usize::from(CONFIGURED) + 1, "backends that get new connections");
    Ok(())
}

fn go_on(held: &Held, what: &str) -> Result<()> {
    held.wait_rounds(3).with_context(|| what.to_owned())?;
    let alive = held.alive();
    ensure!(alive == CONNECTIONS, "{what}: of {CONNECTIONS} connections {alive} are alive");
    Ok(())
}

fn is_broken(record: &Record) -> bool {
    let first = record.backends.first();
    record.end != End::Whole || record.backends.iter().any(|backend| Some(backend) != first)
}

/// A fleet with servers on the backends and a daemon on each balancer.
struct Scene {
    // Dropped first: they must detach while their namespaces have names.
    daemons: Vec<Daemon>,
    _servers: Vec<HttpServer>,
    directories: Vec<TempDir>,
    fleet: Fleet,
    family: Family,
    vip: SocketAddr,
}

impl Scene {
    fn new(family: Family) -> Result<Self> {
        let fleet = Fleet::for_test(BALANCERS, BACKENDS)?;
        let vip = SocketAddr::new(fleet.address(Host::Vip, family), PORT);
        let server = |(n, netns)| HttpServer::start(netns, vip, &backend_name(n));
        let servers = (1..).zip(&fleet.backends).map(server).collect::<Result<_>>()?;
        let (daemons, directories) = (Vec::new(), Vec::new());
        let mut scene = Self { daemons, _servers: servers, directories, fleet, family, vip };
        for netns in &scene.fleet.balancers {
            let directory = directory()?;
            let files = files(&directory)?;
            fs::write(&files.config, scene.config(&files))?;
            let daemon = Daemon::start(netns, files)?;
            daemon.wait_resolved()?;
            scene.daemons.push(daemon);
            scene.directories.push(directory);
        }
        Ok(scene)
    }

    fn config(&self, files: &Files) -> String {
        let Files { socket, pin_dir, state_dir, .. } = files;
        let daemon = [("admin", socket), ("pin-dir", pin_dir), ("state-dir", state_dir)]
            .map(|(key, path)| format!("{key} = \"{}\"\n", path.display()));
        let interfaces =
            [CLIENT_SIDE, BACKEND_SIDE].map(|name| format!("[[interface]]\nname = \"{name}\"\n"));
        let backends: Vec<_> = (1..=CONFIGURED).map(|n| self.backend(n).to_string()).collect();
        [
            format!("[daemon]\nseed = {SEED}\n"),
            daemon.concat(),
            interfaces.concat(),
            format!("[[pool]]\nname = \"{POOL}\"\nbackends = {backends:?}\n"),
            format!("[[service]]\nname = \"web\"\nlisten = \"{}/tcp\"\n", self.vip),
            format!("pool = \"{POOL}\"\nforward = \"dsr\"\n"),
        ]
        .concat()
    }

    fn backend(&self, n: u8) -> SocketAddr {
        SocketAddr::new(self.fleet.address(Host::Backend(n), self.family), PORT)
    }

    /// The daemon of a balancer, counted from 1.
    fn daemon(&mut self, n: u8) -> &mut Daemon {
        &mut self.daemons[usize::from(n) - 1]
    }

    /// Packets that a balancer has sent to backends.
    fn forwarded(&self, n: u8) -> Result<u64> {
        let service = self.daemons[usize::from(n) - 1].json(&["service", "show", "web"])?;
        Ok(service["packets"]["forwarded"]["packets"].as_u64().unwrap_or(0))
    }

    /// Makes new connections, all of which must succeed; how many backends got some.
    fn new_connections(&self) -> Result<usize> {
        let load = Load { server: self.vip, connections: 100, at_once: 16, bytes: None };
        Ok(load::spread(&load.run(&self.fleet.client, |_| true)?)?.len())
    }
}
