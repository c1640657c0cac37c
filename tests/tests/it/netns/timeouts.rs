//! Each timeout of a pool: what a client sees when a backend keeps it waiting.
//!
//! How long it waits follows from the settings, and is for the tests of the proxy; here it is waited for. Beside
//! each pool that must fail there is the same backend with time enough, or another that is quick.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::net::{Shutdown, shutdown};
use tests::{
    run::Finished,
    topology::{Family, Host},
    wait,
};

use super::{
    clients::{BOUND, HTTP, PLAIN, Site, run, wants},
    scene::{Network, Scene},
};

/// Ports of servers that take connections and never answer, and that stop in the middle of an answer.
const MUTE: u16 = 9101;
const STUCK: u16 = 9102;
/// A host that does not exist.
const NOBODY: u8 = 200;
/// What a pool has that is not patient.
const SHORT: &str = "300ms";
/// What the stuck server says.
const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!";
/// Exit code of curl when less came than was announced, and when the other end broke off.
const PARTIAL: i32 = 18;

#[test]
fn timeouts_v4() {
    timeouts(Family::V4);
}

#[test]
fn timeouts_v6() {
    timeouts(Family::V6);
}

fn timeouts(family: Family) {
    run(wants(family, 1), &["curl"], config, |scene, site| {
        let _mute = Listening::start(scene, MUTE, "")?;
        let _stuck = Listening::start(scene, STUCK, HALF)?;
        for (path, status) in
            [("/connect", "504"), ("/first-byte", "504"), ("/total", "504"), ("/quick", "200")]
        {
            let said = curl(scene, site, path)?.success()?;
            ensure!(said.ends_with(status), "{path}: {said} instead of {status}");
        }
        answers_that_stop_are_broken_off(scene, site)?;
        who_waits_too_long_for_a_place_is_told(scene, site)
    });
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let family = network.wants.family;
    let nobody = network.topology.address(Host::Backend(NOBODY), family);
    let somebody = network.backend(1).ip();
    let all = ["connect", "first-byte", "idle", "total", "queue"];
    let all =
        all.map(|name| format!("{name}-timeout = \"15s\"\n")).concat() + "max-connections = 9\n";
    let pools = [
        ("connect", nobody, PLAIN, format!("connect-timeout = \"{SHORT}\"")),
        ("first-byte", somebody, MUTE, format!("first-byte-timeout = \"{SHORT}\"")),
        ("total", somebody, MUTE, format!("total-timeout = \"{SHORT}\"")),
        ("idle", somebody, STUCK, format!("idle-timeout = \"{SHORT}\"")),
        ("total-of-body", somebody, STUCK, format!("total-timeout = \"{SHORT}\"")),
        ("queue", somebody, MUTE, format!("max-connections = 1\nqueue-timeout = \"{SHORT}\"")),
        ("no-queue", somebody, MUTE, "max-connections = 1\nqueue = 0".to_owned()),
        ("quick", somebody, PLAIN, all),
    ];
    let section = |(name, ip, port, http): &(&str, IpAddr, u16, String)| {
        let address = SocketAddr::new(*ip, *port);
        format!(
            "[[pool]]\nname = \"{name}\"\nbackends = [\"{address}\"]\n[pool.http]\nretries = 0\n{http}\n"
        )
    };
    let route = |(name, ..): &(&str, IpAddr, u16, String)| {
        format!("[[listener.route]]\npath = \"/{name}\"\npool = \"{name}\"\n")
    };
    let routes: Vec<_> = pools.iter().map(route).collect();
    let sections: Vec<_> = pools.iter().map(section).collect();
    Ok(sections.concat() + &site.listener("edge", HTTP, &routes.concat()))
}

/// What curl says of a path: the body and the status.
fn curl(scene: &Scene, site: &Site, path: &str) -> Result<Finished> {
    let url = format!("http://{}{path}", site.at(HTTP));
    let words = ["-sS", "-g", "--noproxy", "*", "--max-time", "15", "-w", " %{http_code}", &url];
    scene.network.topology.client.run("curl", &words)
}

/// The head was sent, so that there is nothing else to tell the client by.
fn answers_that_stop_are_broken_off(scene: &Scene, site: &Site) -> Result<()> {
    for path in ["/idle", "/total-of-body"] {
        let said = curl(scene, site, path)?;
        ensure!(said.code == Some(PARTIAL) && said.stdout == "half! 200", "{path}: {said}");
    }
    Ok(())
}

/// One request has the only place, for as long as the test wants.
fn who_waits_too_long_for_a_place_is_told(scene: &Scene, site: &Site) -> Result<()> {
    for path in ["queue", "no-queue"] {
        let mut first =
            scene.network.topology.client.enter(|| {
                TcpStream::connect_timeout(&site.at(HTTP), BOUND).context("no connection")
            })?;
        write!(first, "GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n")?;
        wait::until("the first request to have its place", BOUND, || {
            let view = scene.daemon.json(&["pool", "show", path])?;
            ensure!(view["backends"][0]["requests"]["active"] == 1, "{view}");
            Ok(())
        })?;
        let said = curl(scene, site, &format!("/{path}"))?.success()?;
        ensure!(said.ends_with("503"), "{path}: {said}");
    }
    Ok(())
}

/// A server that takes connections, says something, and no more. Dropping it ends it.
struct Listening(TcpListener);

impl Listening {
    fn start(scene: &Scene, port: u16, says: &'static str) -> Result<Self> {
        let address = SocketAddr::new(scene.network.backend(1).ip(), port);
        let listener =
            scene.network.topology.backend(1).enter(|| Ok(TcpListener::bind(address)?))?;
        let accepting = listener.try_clone()?;
        thread::spawn(move || {
            // Ends when the socket is shut down.
            while let Ok((stream, _)) = accepting.accept() {
                thread::spawn(move || hold(stream, says));
            }
        });
        Ok(Self(listener))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        _ = shutdown(&self.0, Shutdown::Both);
    }
}

/// Speaks once it is spoken to, and waits for the other end to go.
fn hold(mut stream: TcpStream, says: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut bytes = [0; 4096];
    let mut said = false;
    while stream.read(&mut bytes)? > 0 {
        if !said {
            stream.write_all(says.as_bytes())?;
            said = true;
        }
    }
    Ok(())
}
