//! What the tests share: a network with servers on the backends and a daemon on the balancer.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use lb_common::limits::DEFAULT_PIN_DIR;
use tempfile::TempDir;
use tests::{
    daemon::{self, Daemon, Files},
    load::{self, Load},
    netns::Netns,
    require,
    run::Finished,
    servers::HttpServer,
    sweep,
    topology::{Arms, BALANCER_PORT, Family, Host, Numbers, Shape, Topology},
    udp::UdpServer,
};

use super::passing;

/// The pool of every test.
pub(crate) const POOL: &str = "web";
/// Seed of the flow hash.
pub(crate) const SEED: u64 = 7;
/// Port of the VIP. Backends of `dsr` listen on it, too.
pub(crate) const PORT: u16 = 80;
/// Port of the backends of `nat`.
const NAT_PORT: u16 = 8080;

/// What a test wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    /// Address family of service and backends.
    pub(crate) family: Family,
    /// Forwarding mode.
    pub(crate) forward: &'static str,
    /// Interfaces of the balancer.
    pub(crate) arms: Arms,
    /// Backends that exist.
    pub(crate) backends: u8,
    /// How many of them the configuration has.
    pub(crate) configured: u8,
    /// How the program is attached.
    pub(crate) attach: &'static str,
    /// Whether the daemon keeps the address of the VIP.
    pub(crate) keeps_vip: bool,
}

impl Wants {
    /// Two arms, two backends.
    pub(crate) fn new(family: Family, forward: &'static str) -> Self {
        let arms = Arms::Two;
        let attach = "auto";
        Self { family, forward, arms, backends: 2, configured: 2, attach, keeps_vip: true }
    }

    pub(crate) fn one_arm(self) -> Self {
        Self { arms: Arms::One, ..self }
    }

    pub(crate) fn backends(self, backends: u8) -> Self {
        Self { backends, configured: backends, ..self }
    }

    /// Tests something with the network alone, if the machine can have it.
    pub(crate) fn network(self, check: impl FnOnce(Network) -> Result<()>) {
        if require::met(&require::balancer()) {
            Network::build(self).and_then(check).unwrap_or_else(|error| panic!("{error:?}"));
        }
    }

    /// Tests something with the daemon running and every next hop known.
    pub(crate) fn scene(self, check: impl FnOnce(&mut Scene) -> Result<()>) {
        self.network(|network| {
            let config = network.config();
            network.start(&config, |scene| {
                scene.daemon.wait_resolved()?;
                check(scene)
            })
        });
    }
}

/// A network with servers, and a place for a daemon.
pub(crate) struct Network {
    pub(crate) wants: Wants,
    servers: Vec<(HttpServer, UdpServer)>,
    pub(crate) topology: Topology,
    files: Files,
    _directory: TempDir,
    _passing: Option<Ebpf>,
}

impl Network {
    fn build(wants: Wants) -> Result<Self> {
        let shape = Shape {
            arms: wants.arms,
            direct_return: wants.forward == "dsr",
            backends: wants.backends,
            numbers: Numbers::default(),
        };
        let topology = Topology::for_test(shape)?;
        let passing = match wants.arms {
            Arms::One => Some(passing::attach(&topology.switch, BALANCER_PORT)?),
            Arms::Two => None,
        };
        let directory = tempfile::Builder::new().prefix(&(sweep::unique() + "-")).tempdir()?;
        let files = files(&directory)?;
        let mut network = Self {
            wants,
            servers: Vec::new(),
            topology,
            files,
            _directory: directory,
            _passing: passing,
        };
        for n in 1..=wants.backends {
            network.serve(n)?;
        }
        Ok(network)
    }

    fn serve(&mut self, n: u8) -> Result<()> {
        let netns = self.topology.backend(n);
        let name = backend_name(n);
        // Replies of `dsr` come from the VIP, which is one of several addresses.
        let hosts = [Host::Backend(n), Host::Vip];
        let addresses = if self.wants.forward == "dsr" { &hosts[..] } else { &hosts[..1] };
        for host in addresses {
            let ip = self.topology.address(*host, self.wants.family);
            let address = SocketAddr::new(ip, self.backend_port());
            let http = HttpServer::start(netns, address, &name)?;
            self.servers.push((http, UdpServer::start(netns, address, &name)?));
        }
        Ok(())
    }

    fn backend_port(&self) -> u16 {
        if self.wants.forward == "dsr" { PORT } else { NAT_PORT }
    }

    pub(crate) fn vip(&self) -> SocketAddr {
        SocketAddr::new(self.topology.address(Host::Vip, self.wants.family), PORT)
    }

    pub(crate) fn backend(&self, n: u8) -> SocketAddr {
        let ip = self.topology.address(Host::Backend(n), self.wants.family);
        SocketAddr::new(ip, self.backend_port())
    }

    /// Where the daemon's files are.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// The configuration that is wanted: services `web` (TCP) and `echo` (UDP) at the VIP, both
    /// sending to pool `web`.
    pub(crate) fn config(&self) -> String {
        let Wants { arms, attach, configured, .. } = self.wants;
        let Files { socket, pin_dir, state_dir, .. } = &self.files;
        let daemon = [("admin", socket), ("pin-dir", pin_dir), ("state-dir", state_dir)]
            .map(|(key, path)| format!("{key} = \"{}\"\n", path.display()));
        let interface = |name| format!("[[interface]]\nname = \"{name}\"\nmode = \"{attach}\"\n");
        let interfaces: String = arms.interfaces().iter().map(interface).collect();
        let backends: Vec<_> = (1..=configured).map(|n| self.backend(n).to_string()).collect();
        [
            format!("[daemon]\nseed = {SEED}\n{}", daemon.concat()),
            interfaces,
            format!("[[pool]]\nname = \"{POOL}\"\nbackends = {backends:?}\n"),
            self.service("web", "tcp"),
            self.service("echo", "udp"),
        ]
        .concat()
    }

    fn service(&self, name: &str, protocol: &str) -> String {
        let Wants { arms, forward, keeps_vip, .. } = self.wants;
        let listen = self.vip();
        let kept = format!("vip-interface = \"{}\"\n", arms.front());
        let kept = if keeps_vip { &kept } else { "" };
        format!(
            "[[service]]\nname = \"{name}\"\nlisten = \"{listen}/{protocol}\"\npool = \"{POOL}\"\nforward = \"{forward}\"\n{kept}"
        )
    }

    /// Writes the configuration, starts the daemon with it, and tests something.
    pub(crate) fn start(
        self,
        config: &str,
        check: impl FnOnce(&mut Scene) -> Result<()>,
    ) -> Result<()> {
        fs::write(&self.files.config, config)?;
        let daemon = Daemon::start(&self.topology.balancer, self.files.clone())?;
        let mut scene = Scene { daemon, network: self };
        // While the scene exists, so that the daemon's log is printed.
        check(&mut scene).unwrap_or_else(|error| panic!("{error:?}"));
        Ok(())
    }

    /// Writes the configuration and runs a daemon that is expected to refuse it.
    pub(crate) fn refused(&self, config: &str) -> Result<Finished> {
        fs::write(&self.files.config, config)?;
        let path = self.files.config.to_string_lossy();
        let binary = &self.files.binary;
        let finished = self.topology.balancer.run(binary, &["run", "--config", &path])?;
        ensure!(finished.code == Some(1), "not refused: {finished}");
        Ok(finished)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // What a daemon left that was refused half-way.
        if let Err(error) = sweep::remove_directory(&self.files.pin_dir) {
            eprintln!("{error:#}");
        }
    }
}

/// A network with the daemon running in it.
pub(crate) struct Scene {
    // Dropped first: it must detach while its namespace has a name.
    pub(crate) daemon: Daemon,
    pub(crate) network: Network,
}

impl Scene {
    /// What the backend says to a client that asks the VIP by curl.
    pub(crate) fn curl(&self) -> Result<Greeting> {
        curl(&self.network.topology.client, self.network.vip())
    }

    /// Runs `shunt backend VERB POOL BACKEND...`, which must succeed.
    pub(crate) fn backend(&self, verb: &str, n: u8, more: &[&str]) -> Result<String> {
        let address = self.network.backend(n).to_string();
        self.daemon.ok(&[&["backend", verb, POOL, &address], more].concat())
    }

    /// Makes short connections to the VIP, all of which must succeed; how many each backend got.
    pub(crate) fn spread(&self, connections: usize) -> Result<BTreeMap<String, usize>> {
        let server = self.network.vip();
        let load = Load { server, connections, at_once: 16, bytes: None };
        load::spread(&load.run(&self.network.topology.client, |_| true)?)
    }
}

/// The greeting of a backend, by curl.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// Who answered.
    pub(crate) backend: String,
    /// The client that it saw.
    pub(crate) client: IpAddr,
}

/// Asks a server for its greeting, by curl, from inside a namespace.
pub(crate) fn curl(netns: &Netns, server: SocketAddr) -> Result<Greeting> {
    let url = format!("http://{server}/");
    let said = netns.run("curl", &["-sS", "--noproxy", "*", "--max-time", "5", &url])?.success()?;
    let (backend, client) = said
        .trim_end()
        .split_once(" serves ")
        .with_context(|| format!("{url} answers {said:?}, which is no greeting of a backend"))?;
    let client: SocketAddr = client.parse()?;
    Ok(Greeting { backend: backend.to_owned(), client: client.ip() })
}

/// Name of a backend, counted from 1.
pub(crate) fn backend_name(n: u8) -> String {
    format!("backend{n}")
}

fn files(directory: &TempDir) -> Result<Files> {
    let path = |name| directory.path().join(name);
    // Found by who has no rights at all, so that it is the socket that refuses them.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    Ok(Files {
        binary: daemon::binary()?,
        config: path("shunt.toml"),
        socket: path("admin.sock"),
        pin_dir: Path::new(DEFAULT_PIN_DIR).with_file_name(sweep::unique()),
        state_dir: path("state"),
        log: path("log"),
    })
}
