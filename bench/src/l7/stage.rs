//! Everything that is measured on: networks, backends, proxies.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use lb_common::limits::DEFAULT_PIN_DIR;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tests::{
    daemon::{self, Daemon, Files},
    netns::Netns,
    sweep, wait,
};

use super::{
    case::{Case, Who},
    configs,
    load::{Load, Seen},
    network::{BACKENDS, BALANCER, Network, VIP},
    process::{Cpus, Server, cpu_time, own_cpu_time, packet_threads},
};

/// How long a server may take to start.
const BOUND: Duration = Duration::from_secs(20);

/// What is measured on.
pub(crate) struct Stage {
    // Dropped in this order: what is in the namespaces goes before them.
    listeners: Daemon,
    service: Daemon,
    nginx: Server,
    haproxy: Server,
    backends: [Server; 2],
    certificate: CertificateDer<'static>,
    packet_threads: Vec<u32>,
    /// Where the proxies are.
    plain: Network,
    /// Where the service of layer 4 is.
    fast: Network,
    _directory: TempDir,
}

/// CPU time that one measurement took, and what clients saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Of the proxy; none if there is none.
    pub(crate) proxy: Option<Duration>,
    /// Of everybody together: clients, proxy, backends, and the kernel for them.
    pub(crate) all: Duration,
    pub(crate) seen: Seen,
}

impl Stage {
    /// Builds the networks and starts all servers.
    pub(crate) fn build(cpus: Cpus) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix(&(sweep::unique() + "-")).tempdir()?;
        let place = Place(directory.path());
        let made = rcgen::generate_simple_self_signed(vec![configs::NAME.to_owned()])?;
        let certificate = place.write("edge.pem", &made.cert.pem())?;
        let key = place.write("edge.key", &made.signing_key.serialize_pem())?;
        let both =
            place.write("both.pem", &(made.cert.pem() + &made.signing_key.serialize_pem()))?;
        fs::write(directory.path().join(&configs::LARGE[1..]), vec![b'x'; configs::LARGE_BYTES])?;

        let (plain, fast) = (Network::build()?, Network::build()?);
        let serve = |network: &Network, name: &str| {
            place.nginx(&network.backends, name, &configs::backends(directory.path()))
        };
        let backends = [serve(&plain, "backends")?, serve(&fast, "backends-l4")?];
        let files = [place.files("listeners")?, place.files("service")?];
        let [of_listeners, of_service] = files;
        fs::write(&of_listeners.config, configs::listeners(&of_listeners, &certificate, &key))?;
        fs::write(&of_service.config, configs::service(&of_service))?;
        // What is started there stays there.
        let (nginx, haproxy, listeners, service) = cpus.of_the_proxy(|| {
            let haproxy = place.write("haproxy.cfg", &configs::haproxy(&both))?;
            let mut command = until_we_end(&plain.balancer, "haproxy");
            command.arg("-f").arg(&haproxy).arg("-db");
            Ok((
                place.nginx(&plain.balancer, "nginx", &configs::nginx(&certificate, &key))?,
                Server::start(&mut command, place.0.join("haproxy.log"))?,
                Daemon::start(&plain.balancer, of_listeners)?,
                Daemon::start(&fast.balancer, of_service)?,
            ))
        })?;
        service.wait_resolved()?;
        let stage = Self {
            listeners,
            service,
            nginx,
            haproxy,
            backends,
            certificate: made.cert.der().clone(),
            packet_threads: packet_threads()?,
            plain,
            fast,
            _directory: directory,
        };
        stage.wait()?;
        Ok(stage)
    }

    /// Waits until everybody answers.
    fn wait(&self) -> Result<()> {
        Case::all().try_for_each(|case| {
            let once = || self.run(case, 1).map(drop);
            wait::until(&format!("{case} to answer"), BOUND, once)
                .with_context(|| format!("the servers say: {}", self.complaints()))
        })
    }

    fn complaints(&self) -> String {
        let [one, other] = &self.backends;
        [&self.nginx, &self.haproxy, one, other].map(Server::log).concat()
    }

    /// Process of the proxy that a case is about.
    pub(crate) fn pid(&self, who: Who) -> Result<Option<u32>> {
        Ok(match who {
            Who::Direct | Who::ShuntL4 => None,
            Who::Shunt | Who::ShuntRoutes | Who::ShuntManyRoutes | Who::ShuntLogged => {
                Some(self.listeners.pid().context("the daemon has ended")?)
            }
            Who::NginxStream | Who::Nginx | Who::NginxLogged => Some(self.nginx.pid()),
            Who::Haproxy => Some(self.haproxy.pid()),
        })
    }

    /// Where clients of a case are.
    pub(crate) fn client(&self, who: Who) -> &Netns {
        if who == Who::ShuntL4 { &self.fast.client } else { &self.plain.client }
    }

    /// The address that a case is about.
    pub(crate) fn address(case: Case) -> SocketAddr {
        match case.who {
            Who::Direct => BACKENDS[0],
            Who::ShuntL4 => SocketAddr::new(VIP, case.who.port(case.work)),
            _ => SocketAddr::new(BALANCER, case.who.port(case.work)),
        }
    }

    /// Makes so many requests of a case.
    pub(crate) fn run(&self, case: Case, requests: u32) -> Result<Seen> {
        let (at, path) = (Self::address(case), configs::path(case));
        let load = Load { work: case.work, at, path, requests };
        load.run(self.client(case.who), &self.certificate).with_context(|| case.to_string())
    }

    /// Makes so many requests of a case, and says what they cost.
    pub(crate) fn measure(&self, case: Case, requests: u32) -> Result<Measured> {
        let pid = self.pid(case.who)?;
        let cost = || pid.map(cpu_time).transpose();
        let (before, others) = (cost()?, self.others()?);
        let seen = self.run(case, requests)?;
        let proxy = cost()?.zip(before).map(|(after, before)| after.saturating_sub(before));
        let all = self.others()?.saturating_sub(others) + proxy.unwrap_or_default();
        Ok(Measured { proxy, all, seen })
    }

    /// CPU time of everybody but the proxies so far. The daemon of layer 4 does nothing for a request.
    fn others(&self) -> Result<Duration> {
        let backends = self.backends.iter().map(Server::pid);
        let pids = backends.chain(self.packet_threads.iter().copied());
        pids.map(cpu_time).chain([own_cpu_time()]).sum()
    }

    /// Says of the daemon of layer 4 that it forwarded what it was sent.
    pub(crate) fn forwarded(&self) -> Result<u64> {
        let status = self.service.status()?;
        let packets = &status["packets"]["forwarded"]["packets"];
        packets.as_u64().context("the daemon counts nothing")
    }
}

/// A directory for files of all servers.
#[derive(Clone, Copy)]
struct Place<'a>(&'a Path);

impl Place<'_> {
    fn write(self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Starts nginx with a directory of its own.
    fn nginx(self, netns: &Netns, name: &str, config: &str) -> Result<Server> {
        let directory = self.0.join(name);
        fs::create_dir(&directory)?;
        fs::write(directory.join("nginx.conf"), config)?;
        let mut command = until_we_end(netns, "nginx");
        command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(&directory);
        Server::start(&mut command, self.0.join(format!("{name}.log")))
    }

    /// Where the files of a daemon are.
    fn files(self, name: &str) -> Result<Files> {
        let directory = self.0.join(name);
        fs::create_dir(&directory)?;
        Ok(Files {
            binary: daemon::binary()?,
            config: directory.join("shunt.toml"),
            socket: directory.join("admin.sock"),
            pin_dir: Path::new(DEFAULT_PIN_DIR).with_file_name(sweep::unique()),
            state_dir: directory.join("state"),
            log: directory.join("log"),
        })
    }
}

/// A command in a namespace that ends with us, even if we are killed.
fn until_we_end(netns: &Netns, program: &str) -> Command {
    let mut command = netns.command("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}
