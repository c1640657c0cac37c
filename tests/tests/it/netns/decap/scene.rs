//! A backend, and next to it who sends to it.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lb_common::limits::decap::DEFAULT_PIN_DIR;
use serde_json::Value;
use tempfile::TempDir;
use tests::{
    daemon, interrupt,
    link::{self, End},
    netns::Netns,
    run::Finished,
    sweep,
    topology::Family,
    turn::Turn,
    udp::UdpServer,
    wait,
};

use super::tunnel::{Client, Way};

/// Interface of both.
pub(super) const ETH: &str = "eth0";
/// How long something may take that has to happen.
pub(super) const BOUND: Duration = Duration::from_secs(20);
/// How long an answer may take until the question is put again, or taken to have no answer.
const PATIENCE: Duration = Duration::from_millis(500);

const SENDER: [&str; 2] = ["192.0.2.1", "2001:db8:2::1"];
const BACKEND: [&str; 2] = ["192.0.2.4", "2001:db8:2::4"];
const CLIENT: [&str; 2] = ["198.51.100.7", "2001:db8:1::7"];
const VIP: [&str; 2] = ["198.51.100.10", "2001:db8:1::10"];

/// The address of a family.
fn of(family: Family, [v4, v6]: [&str; 2]) -> IpAddr {
    let text = match family {
        Family::V4 => v4,
        Family::V6 => v6,
    };
    text.parse().expect("an address")
}

/// Address of the backend, to which tunnelled packets are sent.
pub(super) fn tunnel_end(family: Family) -> IpAddr {
    of(family, BACKEND)
}

/// Packets counted for a reason.
pub(super) fn packets(status: &Value, reason: &str) -> u64 {
    status["packets"][reason]["packets"].as_u64().unwrap_or_default()
}

/// Both namespaces.
pub(super) struct Scene {
    pub(super) backend: Netns,
    pub(super) pin_dir: PathBuf,
    sender: Netns,
    servers: Vec<UdpServer>,
    clients: Vec<(Family, Client)>,
    asked: AtomicU32,
    directory: TempDir,
    _turn: Turn,
}

impl Scene {
    pub(super) fn build() -> Result<Self> {
        let turn = Turn::take();
        interrupt::listen();
        sweep::once();
        let name = sweep::unique();
        let mut scene = Self {
            backend: Netns::new(&format!("{name}-backend"))?,
            sender: Netns::new(&format!("{name}-sender"))?,
            pin_dir: Path::new(DEFAULT_PIN_DIR).with_file_name(&name),
            servers: Vec::new(),
            clients: Vec::new(),
            asked: AtomicU32::new(0),
            directory: tempfile::Builder::new().prefix(&(name + "-")).tempdir()?,
            _turn: turn,
        };
        for family in Family::ALL {
            let (bits, nodad) = (family.bits(), nodad(family));
            let (client, vip) = (of(family, CLIENT), of(family, VIP));
            scene.sender.ip(&format!("addr add {client}/{bits} dev lo{nodad}"))?;
            scene.backend.ip(&format!("addr add {vip}/{bits} dev lo{nodad}"))?;
            let vip = SocketAddr::new(vip, 53);
            scene.servers.push(UdpServer::start(&scene.backend, vip, "backend")?);
            scene.clients.push((family, Client::new(&scene.sender, client, vip)?));
        }
        scene.connect()?;
        Ok(scene)
    }

    /// Joins the two by a new pair of interfaces.
    pub(super) fn connect(&self) -> Result<()> {
        link::veth(End(&self.sender, ETH), End(&self.backend, ETH))?;
        for (netns, addresses) in [(&self.sender, SENDER), (&self.backend, BACKEND)] {
            for family in Family::ALL {
                let length = if family == Family::V4 { 24 } else { 64 };
                let (address, nodad) = (of(family, addresses), nodad(family));
                netns.ip(&format!("addr add {address}/{length} dev {ETH}{nodad}"))?;
            }
        }
        for family in Family::ALL {
            let (client, via) = (of(family, CLIENT), of(family, SENDER));
            self.backend.ip(&format!("route add {client}/{} via {via}", family.bits()))?;
        }
        Ok(())
    }

    /// Asks the server until it answers; how many questions that took.
    pub(super) fn ask(&self, inner: Family, outer: Family, way: Way) -> Result<u64> {
        let mut sent = 0;
        wait::until("an answer through the tunnel", BOUND, || {
            sent += 1;
            ensure!(self.answers(inner, outer, way)?, "no answer");
            Ok(())
        })?;
        Ok(sent)
    }

    /// Asks the server once; whether it answers. The answer must be to this very question, come from
    /// the VIP, and say that the server saw the client's own address.
    pub(super) fn answers(&self, inner: Family, outer: Family, way: Way) -> Result<bool> {
        self.answers_within(PATIENCE, inner, outer, way)
    }

    /// As [`answers`](Self::answers), for questions that must not get lost.
    pub(super) fn answers_within(
        &self,
        patience: Duration,
        inner: Family,
        outer: Family,
        way: Way,
    ) -> Result<bool> {
        let of_family = |(family, _): &&(Family, Client)| *family == inner;
        let (_, client) = self.clients.iter().find(of_family).context("no client")?;
        let question = format!("question {}", self.asked.fetch_add(1, Ordering::Relaxed));
        client.send(way, tunnel_end(outer), question.as_bytes())?;
        let expected = format!("backend {} {question}", client.address()?);
        while let Some((from, answer)) = client.answer(patience) {
            ensure!(from == SocketAddr::new(of(inner, VIP), 53), "an answer from {from}");
            if answer == expected.as_bytes() {
                return Ok(true);
            }
            // An answer to an earlier question, which came too late for it.
        }
        Ok(false)
    }

    /// Runs `shunt decap INTERFACE ARGS` in a namespace.
    pub(super) fn run_in(&self, netns: &Netns, interface: &str, args: &[&str]) -> Result<Finished> {
        let pin_dir = self.pin_dir.to_string_lossy();
        let default = ["--pin-dir", &pin_dir];
        let default = if args.contains(&"--pin-dir") { &[][..] } else { &default[..] };
        netns.run(daemon::binary()?, &[&["decap", interface], default, args].concat())
    }

    /// Runs `shunt decap INTERFACE ARGS` on the backend.
    pub(super) fn run(&self, interface: &str, args: &[&str]) -> Result<Finished> {
        self.run_in(&self.backend, interface, args)
    }

    /// Runs `shunt decap eth0 ARGS` on the backend, which must succeed; what it prints.
    pub(super) fn ok(&self, args: &[&str]) -> Result<String> {
        self.run(ETH, args)?.success()
    }

    /// `shunt decap eth0 --status --json`.
    pub(super) fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.ok(&["--status", "--json"])?)?)
    }

    /// Runs `shunt decap eth0 ARGS`, which must be refused in one line with these words.
    pub(super) fn refused(&self, args: &[&str], words: &[&str]) -> Result<()> {
        self.refused_on(ETH, args, words)
    }

    /// As [`refused`](Self::refused), on another interface.
    pub(super) fn refused_on(&self, interface: &str, args: &[&str], words: &[&str]) -> Result<()> {
        let refused = self.run(interface, args)?;
        ensure!(refused.code == Some(1), "not refused: {refused}");
        ensure!(refused.stderr.lines().count() == 1, "not one line: {refused}");
        ensure!(refused.stdout.is_empty(), "an error belongs on standard error: {refused}");
        for word in words {
            ensure!(refused.stderr.contains(word), "`{word}` is missing: {refused}");
        }
        Ok(())
    }

    /// The binary where everybody may run it, which is not so of every build directory.
    pub(super) fn binary_for_everybody(&self) -> Result<PathBuf> {
        fs::set_permissions(self.directory.path(), fs::Permissions::from_mode(0o755))?;
        let path = self.directory.path().join("shunt");
        fs::copy(daemon::binary()?, &path)?;
        Ok(path)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Err(error) = sweep::remove_directory(&self.pin_dir) {
            eprintln!("{error:#}");
        }
    }
}

fn nodad(family: Family) -> &'static str {
    match family {
        Family::V4 => "",
        Family::V6 => " nodad",
    }
}
