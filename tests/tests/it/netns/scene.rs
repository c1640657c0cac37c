//! What the tests share: a network with servers on the backends and a daemon on the balancer.

use std::{
    collections::BTreeMap, fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path,
};

use anyhow::{Result, ensure};
use aya::Ebpf;
use lb_common::limits::DEFAULT_PIN_DIR;
use tempfile::TempDir;
use tests::{
    daemon::{self, Daemon, Files},
    load::{self, Load},
    require,
    run::Finished,
    servers::HttpServer,
    sweep,
    topology::{Arms, BALANCER_PORT, Family, Host, Numbers, Shape, Topology, WayBack},
    udp::UdpServer,
};

pub(crate) use super::greeting::{curl, curl_from};
use super::{greeting::Greeting, passing};

/// The pool of every test.
pub(crate) const POOL: &str = "web";
/// Seed of the flow hash.
pub(crate) const SEED: u64 = 7;
/// Port of the VIP. Backends of `dsr` listen on it, too.
pub(crate) const PORT: u16 = 80;
/// Port of the backends of `nat`.
const NAT_PORT: u16 = 8080;

/// Source addresses of `full-nat`, in the backends' network: free of hosts.
const SOURCES_V4: &str = "192.0.2.64/28";
/// Packets that have room for an outer header.
const INNER_MTU: u16 = 1400;

/// What a test wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    /// Address family of the service.
    pub(crate) family: Family,
    /// Address family of the backends, which with tunnels may be another than that of the service.
    pub(crate) backend_family: Family,
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
    /// Whether backends answer datagrams; otherwise the port is the test's.
    pub(crate) serves_udp: bool,
    /// Further lines of the pool's section.
    pub(crate) pool_keys: &'static str,
    /// Further lines of the TCP service's section.
    pub(crate) tcp_keys: &'static str,
    /// Further lines of the UDP service's section.
    pub(crate) udp_keys: &'static str,
}

impl Wants {
    /// Two arms, two backends.
    pub(crate) fn new(family: Family, forward: &'static str) -> Self {
        let arms = Arms::Two;
        let attach = "auto";
        Self {
            family,
            backend_family: family,
            forward,
            arms,
            backends: 2,
            configured: 2,
            attach,
            keeps_vip: true,
            serves_udp: true,
            pool_keys: "",
            tcp_keys: "",
            udp_keys: "",
        }
    }

    /// Whether packets leave for the backend as they came: addressed to the VIP.
    fn keeps_destination(self) -> bool {
        matches!(self.forward, "dsr" | "ipip" | "gue")
    }

    fn way_back(self) -> WayBack {
        match self.forward {
            _ if self.keeps_destination() => WayBack::Direct,
            "full-nat" => WayBack::None,
            _ => WayBack::Balancer,
        }
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
    servers: Vec<Server>,
    pub(crate) topology: Topology,
    files: Files,
    _directory: TempDir,
    _passing: Option<Ebpf>,
}

/// What answers at one address of a backend.
struct Server {
    backend: u8,
    _http: HttpServer,
    _udp: Option<UdpServer>,
}

impl Network {
    fn build(wants: Wants) -> Result<Self> {
        let shape = Shape {
            arms: wants.arms,
            way_back: wants.way_back(),
            backends: wants.backends,
            numbers: Numbers::default(),
        };
        let topology = Topology::for_test(shape)?;
        let passing = match wants.arms {
            Arms::One => Some(passing::attach(&topology.switch, BALANCER_PORT)?),
            Arms::Two => None,
        };
        let directory = directory()?;
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
        network.prepare_mode()?;
        Ok(network)
    }

    /// What a forwarding mode asks of the network.
    fn prepare_mode(&self) -> Result<()> {
        let Topology { balancer, client, .. } = &self.topology;
        match self.wants.forward {
            // Answers are led to the balancer, which says that the addresses are its own.
            "full-nat" => balancer.ip(&format!("route add local {SOURCES_V4} dev lo")).map(drop),
            "ipip" | "gue" => {
                let vip = self.vip().ip();
                let flag = self.wants.family.flag();
                client.ip(&format!("{flag} route add {vip} dev eth0 mtu {INNER_MTU}")).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Starts the servers of a backend.
    pub(crate) fn serve(&mut self, n: u8) -> Result<()> {
        let netns = self.topology.backend(n);
        let name = backend_name(n);
        // The VIP is one of several addresses: a socket of its own answers from it.
        let hosts = [Host::Backend(n), Host::Vip];
        let addresses = if self.wants.keeps_destination() { &hosts[..] } else { &hosts[..1] };
        for host in addresses {
            let ip = self.topology.address(*host, self.wants.family);
            let address = SocketAddr::new(ip, self.backend_port());
            let http = HttpServer::start(netns, address, &name)?;
            let udp = || UdpServer::start(netns, address, &name);
            let udp = self.wants.serves_udp.then(udp).transpose()?;
            self.servers.push(Server { backend: n, _http: http, _udp: udp });
        }
        Ok(())
    }

    /// Stops the servers of a backend, and thereby its connections.
    pub(crate) fn stop_serving(&mut self, n: u8) {
        self.servers.retain(|server| server.backend != n);
    }

    fn backend_port(&self) -> u16 {
        if self.wants.keeps_destination() { PORT } else { NAT_PORT }
    }

    pub(crate) fn vip(&self) -> SocketAddr {
        SocketAddr::new(self.topology.address(Host::Vip, self.wants.family), PORT)
    }

    pub(crate) fn backend(&self, n: u8) -> SocketAddr {
        let ip = self.topology.address(Host::Backend(n), self.wants.backend_family);
        SocketAddr::new(ip, self.backend_port())
    }

    /// Where `full-nat` takes source addresses from.
    fn sources(&self) -> String {
        match self.wants.family {
            Family::V4 => SOURCES_V4.to_owned(),
            Family::V6 => self.topology.address(Host::BalancerBack, Family::V6).to_string(),
        }
    }

    /// Where the daemon's files are.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// The configuration that is wanted: services `web` (TCP) and `echo` (UDP) at the VIP, both
    /// sending to pool `web`.
    pub(crate) fn config(&self) -> String {
        let Wants { arms, attach, configured, pool_keys, tcp_keys, udp_keys, .. } = self.wants;
        let Files { socket, pin_dir, state_dir, .. } = &self.files;
        let daemon = [("admin", socket), ("pin-dir", pin_dir), ("state-dir", state_dir)]
            .map(|(key, path)| format!("{key} = \"{}\"\n", path.display()));
        let interface = |name| format!("[[interface]]\nname = \"{name}\"\nmode = \"{attach}\"\n");
        let interfaces: String = arms.interfaces().iter().map(interface).collect();
        let backends: Vec<_> = (1..=configured).map(|n| self.backend(n).to_string()).collect();
        [
            format!("[daemon]\nseed = {SEED}\n{}", daemon.concat()),
            interfaces,
            format!("[[pool]]\nname = \"{POOL}\"\nbackends = {backends:?}\n{pool_keys}\n"),
            self.service("web", "tcp") + tcp_keys + "\n",
            self.service("echo", "udp") + udp_keys + "\n",
        ]
        .concat()
    }

    fn service(&self, name: &str, protocol: &str) -> String {
        let Wants { arms, forward, keeps_vip, .. } = self.wants;
        let listen = self.vip();
        let kept = format!("vip-interface = \"{}\"\n", arms.front());
        let kept = if keeps_vip { &kept } else { "" };
        let source = match forward {
            "full-nat" => format!("source = \"{}\"\n", self.sources()),
            _ => String::new(),
        };
        format!(
            "[[service]]\nname = \"{name}\"\nlisten = \"{listen}/{protocol}\"\npool = \"{POOL}\"\nforward = \"{forward}\"\n{source}{kept}"
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

    /// Packets counted under a reason so far.
    pub(crate) fn counted(&self, reason: &str) -> Result<u64> {
        Ok(self.daemon.status()?["packets"][reason]["packets"].as_u64().unwrap_or(0))
    }

    /// Lets what the balancer sends back to the client arrive (see [`passing`]), until what is
    /// returned is dropped.
    pub(crate) fn client_hears_answers(&self) -> Result<Ebpf> {
        passing::attach(&self.network.topology.client, "eth0")
    }

    /// Makes short connections to the VIP, all of which must succeed; how many each backend got.
    pub(crate) fn spread(&self, connections: usize) -> Result<BTreeMap<String, usize>> {
        let server = self.network.vip();
        let load = Load { server, connections, at_once: 16, bytes: None };
        load::spread(&load.run(&self.network.topology.client, |_| true)?)
    }
}

/// Name of a backend, counted from 1.
pub(crate) fn backend_name(n: u8) -> String {
    format!("backend{n}")
}

/// A directory for the files of a daemon.
pub(crate) fn directory() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix(&(sweep::unique() + "-")).tempdir()?)
}

/// Where a daemon's files are, in a directory of the test's own.
pub(crate) fn files(directory: &TempDir) -> Result<Files> {
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
