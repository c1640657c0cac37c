//! The network of the demo, its servers and its daemon.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::{
    daemon::{Daemon, Files},
    netns::Netns,
    servers::HttpServer,
    topology::{Arms, Family, Host, Numbers, Shape, Topology, WayBack},
};

use super::{
    claim::{Claim, NAME, PIN_DIR, SOCKET, STATE_DIR},
    config, report,
};
use crate::process::Spec;

/// Backends of the classic nginx example, and the port of the first; the others follow.
const BACKENDS: u8 = 4;
const FIRST_PORT: u16 = 1001;
/// The service in the configuration.
pub(super) const SERVICE: &str = "web";
/// The pool in the configuration.
pub(super) const POOL: &str = "backend";

/// Everything that runs. Dropped in the order of its fields: daemon, servers, network.
pub(super) struct Stage {
    pub(super) daemon: Daemon,
    _servers: Vec<HttpServer>,
    network: Topology,
}

/// A backend and its part of the ring.
pub(super) struct Share {
    pub(super) backend: String,
    pub(super) weight: u64,
    /// Of the slots, from 0 to 1.
    pub(super) part: f64,
}

impl Stage {
    /// Builds the network, starts servers and daemon.
    pub(super) fn build(config: &Path, binary: &Path, claim: &Claim) -> Result<Self> {
        report::heading("The network");
        let network = network()?;
        let servers = (1..=BACKENDS).map(|n| {
            let address = backend(&network, n);
            HttpServer::start(network.backend(n), address, &address.to_string())
        });
        let servers = servers.collect::<Result<_>>()?;
        print!("{}", report::PICTURE);

        report::heading(&format!("The configuration: {}", super::EXAMPLE));
        report::indented(&config::plain(&read(config)?));

        report::heading("The daemon");
        println!("$ shunt run --config {}", super::EXAMPLE);
        let files = Files {
            binary: binary.to_owned(),
            config: config.to_owned(),
            socket: SOCKET.into(),
            pin_dir: PIN_DIR.into(),
            state_dir: STATE_DIR.into(),
            log: claim.file("log"),
        };
        let daemon = Daemon::start(&network.balancer, files)?;
        daemon.wait_resolved()?;
        for line in daemon.log().lines().filter_map(|line| line.split_once(" INFO ")) {
            println!("  {}", line.1);
        }
        Ok(Self { daemon, _servers: servers, network })
    }

    /// The namespace that connections are made from.
    pub(super) fn client(&self) -> &Netns {
        &self.network.client
    }

    /// The service.
    pub(super) fn vip(&self) -> SocketAddr {
        self.listener(80)
    }

    /// A port of the VIP.
    pub(super) fn listener(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.network.address(Host::Vip, Family::V4), port)
    }

    /// The address that the balancer has among the backends, and that of the client.
    pub(super) fn own_addresses(&self) -> (IpAddr, IpAddr) {
        let [balancer, client] =
            [Host::BalancerBack, Host::Client].map(|host| self.network.address(host, Family::V4));
        (balancer, client)
    }

    /// A backend, counted from 1.
    pub(super) fn backend(&self, n: u8) -> SocketAddr {
        backend(&self.network, n)
    }

    /// The namespace of a backend, counted from 1.
    pub(super) fn backend_netns(&self, n: u8) -> &Netns {
        self.network.backend(n)
    }

    /// The share of each backend, by the ring that the daemon has made.
    pub(super) fn shares(&self) -> Result<Vec<Share>> {
        let ask =
            |args: &[&str]| -> Result<Value> { Ok(serde_json::from_str(&self.daemon.ok(args)?)?) };
        let service = ask(&["service", "show", SERVICE, "--json"])?;
        let pool = ask(&["pool", "show", POOL, "--json"])?;
        let slots = service["slots"].as_f64().context("the service has no `slots`")?;
        let share = |backend: &Value| {
            let address = backend["address"].as_str()?;
            let owned = service["owners"][address].as_f64().unwrap_or(0.0);
            let weight = backend["weight"].as_u64()?;
            Some(Share { backend: address.to_owned(), weight, part: owned / slots })
        };
        let backends = pool["backends"].as_array().context("the pool has no `backends`")?;
        backends.iter().map(|backend| share(backend).context("an incomplete backend")).collect()
    }

    /// Shows what a configuration has beyond one that is known, and applies it.
    pub(super) fn apply(&self, path: &str, known: &str) -> Result<()> {
        println!("  What it has beyond {known}:\n");
        report::indented(&config::beyond(&read(Path::new(path))?, &read(Path::new(known))?));
        println!();
        self.shunt(&["apply", path])?;
        self.daemon.wait_resolved()
    }

    /// Runs a command of `shunt`, shown as a person would type it; prints what it says.
    pub(super) fn shunt(&self, args: &[&str]) -> Result<()> {
        println!("$ {}", shown(args));
        report::indented(&self.daemon.ok(args)?);
        Ok(())
    }

    /// The same of a command that must be refused; what it complains of.
    pub(super) fn shunt_refuses(&self, args: &[&str]) -> Result<String> {
        println!("$ {}", shown(args));
        let finished = self.daemon.cli(args)?;
        report::indented(&finished.stderr);
        ensure!(finished.code == Some(1), "that should have been refused: {finished}");
        Ok(finished.stderr)
    }
}

fn shown(args: &[&str]) -> Spec {
    Spec::new(&[&["shunt"], args].concat())
}

/// Reads a file, its path from the root of the workspace.
fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn network() -> Result<Topology> {
    let shape = Shape {
        arms: Arms::Two,
        way_back: WayBack::Balancer,
        backends: BACKENDS,
        numbers: Numbers { front: [192, 0, 2], back: [172, 17, 0] },
    };
    Topology::named(NAME, shape)
}

fn backend(network: &Topology, n: u8) -> SocketAddr {
    let port = FIRST_PORT + u16::from(n) - 1;
    SocketAddr::new(network.address(Host::Backend(n), Family::V4), port)
}
