//! What `GET /v1/flow` tells of a connection is what becomes of it, while backends change.

use std::{
    collections::BTreeSet,
    io::{BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::Value;
use tests::{
    http,
    topology::{Family, Host},
};

use super::{
    scene::{Scene, Wants, backend_name},
    tunnels::unpack,
};

/// Client ports: below those that the kernel hands out by itself.
const FIRST_PORT: u16 = 20_000;
const BATCH: u16 = 125;
const SILENCE: Duration = Duration::from_secs(5);

/// One test for each mode.
macro_rules! modes {
    ($($name:ident: $forward:literal, $family:ident, $keys:literal;)+) => {$(
        #[test]
        fn $name() {
            let wants = Wants::new(Family::$family, $forward);
            Wants { backends: 4, configured: 3, tcp_keys: $keys, ..wants }
                .scene(|scene| what_is_told_is_what_happens(scene));
        }
    )+};
}

modes! {
    nat_v4: "nat", V4, "";
    nat_v6_tracked: "nat", V6, "tracking = \"full\"";
    dsr_v6: "dsr", V6, "";
    full_nat_v4: "full-nat", V4, "";
    ipip_v4: "ipip", V4, "";
    gue_v6: "gue", V6, "";
}

fn what_is_told_is_what_happens(scene: &Scene) -> Result<()> {
    let forward = scene.network.wants.forward;
    let _unpacking = if ["ipip", "gue"].contains(&forward) { unpack(scene)? } else { Vec::new() };
    let changes: [(&str, u8, &[&str]); 7] = [
        ("add", 4, &[]),
        ("drain", 1, &[]),
        ("weight", 2, &["5"]),
        ("enable", 1, &[]),
        ("remove", 3, &[]),
        ("weight", 2, &["1"]),
        ("add", 3, &["--weight", "2"]),
    ];
    let ports = (FIRST_PORT + BATCH..).step_by(BATCH.into());
    let mut open = opened(scene, FIRST_PORT)?;
    let mut seen = BTreeSet::new();
    for ((verb, n, more), port) in changes.into_iter().zip(ports) {
        scene.backend(verb, n, more)?;
        scene.daemon.wait_resolved()?;
        let told = told(scene, open.iter().map(|it| it.client), false)?;
        seen.extend(asked(scene, &mut open, &told)?);
        open = opened(scene, port)?;
    }
    ensure!(seen.len() == 4, "only some backends were met: {seen:?}");
    Ok(())
}

/// A connection from a port that was told.
struct Open {
    client: SocketAddr,
    stream: BufReader<TcpStream>,
}

/// Connects from each client port of a batch, to the backend that was named before.
fn opened(scene: &Scene, first: u16) -> Result<Vec<Open>> {
    let network = &scene.network;
    let ip = network.topology.address(Host::Client, network.wants.family);
    let clients = (first..first + BATCH).map(|port| SocketAddr::new(ip, port));
    let told = told(scene, clients.clone(), true)?;
    let open = || clients.map(|client| connected(client, network.vip())).collect();
    let mut open: Vec<_> = network.topology.client.enter(open)?;
    asked(scene, &mut open, &told)?;
    Ok(open)
}

fn connected(client: SocketAddr, vip: SocketAddr) -> Result<Open> {
    let family = if client.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    bind(&socket, &client).with_context(|| format!("cannot send from {client}"))?;
    connect(&socket, &vip).with_context(|| format!("{client} cannot connect to {vip}"))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SILENCE))?;
    Ok(Open { client, stream: BufReader::new(stream) })
}

/// Lets each connection be answered, by the backend that was told.
fn asked(scene: &Scene, open: &mut [Open], told: &[String]) -> Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    for (Open { client, stream }, told) in open.iter_mut().zip(told) {
        http::write_request(stream.get_mut(), scene.network.vip(), "/")?;
        let reply = http::read_reply(stream).with_context(|| format!("{client}: told {told}"))?;
        ensure!(reply.backend == *told, "{client}: told {told}, got {}", reply.backend);
        seen.insert(reply.backend);
    }
    Ok(seen)
}

/// The backends that clients are said to get.
fn told(
    scene: &Scene,
    clients: impl Iterator<Item = SocketAddr>,
    opening: bool,
) -> Result<Vec<String>> {
    let network = &scene.network;
    let name = |client| {
        let address = ask(&network.files().socket, client, network.vip(), opening)?;
        let n = (1..=4).find(|n| network.backend(*n).to_string() == address);
        n.map(backend_name).with_context(|| format!("{address} is no backend"))
    };
    clients.map(name).collect()
}

/// The address of the backend that a connection of a client is said to get.
fn ask(api: &Path, client: SocketAddr, vip: SocketAddr, opening: bool) -> Result<String> {
    let mut stream = UnixStream::connect(api)?;
    stream.set_read_timeout(Some(SILENCE))?;
    let path = format!("/v1/flow?from={client}&to={vip}/tcp&opening={opening}");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shunt\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let view: Value = serde_json::from_str(body)?;
    let backend = view["backend"].as_str().filter(|_| view["reason"] == "forwarded");
    Ok(backend.with_context(|| format!("{path}: {answer}"))?.to_owned())
}
