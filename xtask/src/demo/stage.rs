//! The network of the demo, its servers and its daemon.

use std::{net::SocketAddr, path::Path};

use anyhow::Result;
use tests::{
    daemon::{Daemon, Files},
    netns::Netns,
    servers::HttpServer,
    topology::{Arms, Family, Host, Numbers, Shape, Topology},
};

use super::{NAME, PIN_DIR, SOCKET, STATE_DIR, report};

/// Backends of the classic nginx example, and the port of the first; the others follow.
const BACKENDS: u8 = 4;
const FIRST_PORT: u16 = 1001;

/// Everything that runs. Dropped in the order of its fields: daemon, servers, network.
pub(super) struct Stage {
    pub(super) daemon: Daemon,
    _servers: Vec<HttpServer>,
    network: Topology,
    _log: tempfile::TempDir,
}

impl Stage {
    /// Builds the network, starts servers and daemon.
    pub(super) fn build(config: &Path, binary: &Path) -> Result<Self> {
        report::heading("The network");
        let shape = Shape {
            arms: Arms::Two,
            direct_return: false,
            backends: BACKENDS,
            numbers: Numbers { front: [192, 0, 2], back: [172, 17, 0] },
        };
        let network = Topology::named(NAME, shape)?;
        let servers = (1..=BACKENDS)
            .map(|n| {
                let address = backend(&network, n);
                HttpServer::start(network.backend(n), address, &address.to_string())
            })
            .collect::<Result<Vec<_>>>()?;
        print!("{PICTURE}");

        report::heading("The configuration");
        report::without_comments(config)?;

        report::heading("The daemon");
        let log = tempfile::tempdir()?;
        let files = Files {
            binary: binary.to_owned(),
            config: config.to_owned(),
            socket: SOCKET.into(),
            pin_dir: PIN_DIR.into(),
            state_dir: STATE_DIR.into(),
            log: log.path().join("shunt.log"),
        };
        println!("$ shunt run --config {}", super::EXAMPLE);
        let daemon = Daemon::start(&network.balancer, files)?;
        daemon.wait_resolved()?;
        for line in daemon.log().lines().filter(|line| line.contains("attached to")) {
            println!("{}", line.split_once("INFO ").map_or(line, |(_, message)| message));
        }
        Ok(Self { daemon, _servers: servers, network, _log: log })
    }

    /// The namespace that connections are made from.
    pub(super) fn client(&self) -> &Netns {
        &self.network.client
    }

    /// The service.
    pub(super) fn vip(&self) -> SocketAddr {
        SocketAddr::new(self.network.address(Host::Vip, Family::V4), 80)
    }

    /// A backend, counted from 1.
    pub(super) fn backend(&self, n: u8) -> SocketAddr {
        backend(&self.network, n)
    }

    /// Runs a command of `shunt`, shown as a person would type it; prints what it says.
    pub(super) fn shunt(&self, args: &[&str]) -> Result<()> {
        println!("$ shunt {}", args.join(" "));
        print!("{}", self.daemon.ok(args)?);
        Ok(())
    }
}

fn backend(network: &Topology, n: u8) -> SocketAddr {
    let port = FIRST_PORT + u16::from(n) - 1;
    SocketAddr::new(network.address(Host::Backend(n), Family::V4), port)
}

const PICTURE: &str = "
  client                    balancer                      backends (HTTP servers)
  192.0.2.2                 shunt, XDP on both sides      172.17.0.4:1001
     |                        |              |            172.17.0.5:1002
     +------- client0 --------+              +- backend0 -172.17.0.6:1003
              VIP 192.0.2.10:80/tcp                       172.17.0.7:1004
";
