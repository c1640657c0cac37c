//! WebSocket through listeners of each protocol: the handshake, messages of every kind and length, and who
//! says goodbye.

pub(crate) mod ends;

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use rustls::RootCertStore;
use tests::{blob::blob, topology::Family};
use tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use self::ends::{Client, LEAVE, Server};
use super::{
    super::scene::{Network, Scene, backend_name},
    EDGE, HTTP, HTTPS, PLAIN, Site, pool, run, wants,
};

/// Where backends take them.
pub(crate) const SOCKETS: u16 = 9001;
/// A listener that passes on bytes.
const BYTES: u16 = 8082;
/// Payloads around the places where the header of a frame gets longer, and one of many segments.
const LENGTHS: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20];
const AT_ONCE: usize = 20;

#[test]
fn sockets_v4() {
    sockets(Family::V4);
}

#[test]
fn sockets_v6() {
    sockets(Family::V6);
}

fn sockets(family: Family) {
    run(wants(family, 2), &[], config, |scene, site| {
        let servers = [1, 2].map(|n| serve(&scene.network, n));
        let _servers = servers.into_iter().collect::<Result<Vec<_>>>()?;
        let roots = site.authority.roots()?;
        for (port, trusted) in [(HTTP, None), (HTTPS, Some(&roots)), (BYTES, None)] {
            let doors = Doors { scene, at: site.at(port), roots: trusted };
            messages_come_back(&doors).with_context(|| format!("port {port}"))?;
            the_server_may_leave(&doors).with_context(|| format!("port {port}"))?;
            many_at_one_time(&doors).with_context(|| format!("port {port}"))?;
            if port != BYTES {
                who_knows_no_sockets_says_so(&doors).with_context(|| format!("port {port}"))?;
            }
        }
        Ok(())
    });
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let routes = "pool = \"sockets\"
[[listener.route]]\npath-prefix = \"/plain\"\npool = \"plain\"
[[listener.route]]\npath = \"/teapot\"\nrespond = 418\n";
    Ok([
        pool(network, "plain", PLAIN, &[], ""),
        pool(network, "sockets", SOCKETS, &[], ""),
        site.listener("edge", HTTP, routes),
        site.https("tls", HTTPS, routes),
        site.listener("bytes", BYTES, "protocol = \"tcp\"\npool = \"sockets\""),
    ]
    .concat())
}

/// Starts the server of a backend.
pub(crate) fn serve(network: &Network, n: u8) -> Result<Server> {
    let address = SocketAddr::new(network.backend(n).ip(), SOCKETS);
    Server::start(network.topology.backend(n), address, &backend_name(n))
}

/// Where to connect.
struct Doors<'a> {
    scene: &'a Scene,
    at: SocketAddr,
    roots: Option<&'a RootCertStore>,
}

impl Doors<'_> {
    fn connect(&self, path: &str) -> Result<Client> {
        let connect = || Client::connect(self.at, EDGE, path, self.roots);
        self.scene.network.topology.client.enter(connect)
    }
}

fn messages_come_back(doors: &Doors<'_>) -> Result<()> {
    let mut client = doors.connect("/socket?a=b")?;
    client.echo(&Message::text("in words: \u{e4}\u{4e16}\u{1f600}"))?;
    for length in LENGTHS {
        client.echo(&Message::binary(blob(7, length)))?;
        client.echo(&Message::text("x".repeat(length)))?;
    }
    client.socket.send(Message::Ping("are you there".into()))?;
    let pong = client.socket.read()?;
    ensure!(pong == Message::Pong("are you there".into()), "{pong}");
    // Several on the way before one is read.
    let messages = ["one", "two", "three"].map(Message::text);
    messages.iter().try_for_each(|message| client.socket.send(message.clone()))?;
    for message in messages {
        ensure!(client.socket.read()? == message, "not {message}");
    }
    client.close()
}

fn the_server_may_leave(doors: &Doors<'_>) -> Result<()> {
    let mut client = doors.connect("/")?;
    client.socket.send(Message::text(LEAVE))?;
    let frame = CloseFrame { code: CloseCode::Away, reason: "as you wish".into() };
    let said = client.socket.read()?;
    ensure!(said == Message::Close(Some(frame)), "{said}");
    client.ended()
}

fn many_at_one_time(doors: &Doors<'_>) -> Result<()> {
    let mut clients = (0..AT_ONCE).map(|_| doors.connect("/")).collect::<Result<Vec<_>>>()?;
    let both = [1, 2].map(backend_name);
    let served = |name: &String| clients.iter().any(|it| it.backend == *name);
    ensure!(both.iter().all(served), "only one backend has sockets");
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.echo(&Message::text(format!("{number} in round {round}")))?;
        }
    }
    clients.iter_mut().try_for_each(Client::close)
}

/// The answer to the handshake is that of the backend, or of the route.
fn who_knows_no_sockets_says_so(doors: &Doors<'_>) -> Result<()> {
    for (path, status) in [("/plain", "200 OK"), ("/teapot", "418 I'm a teapot")] {
        let Err(error) = doors.connect(path) else { anyhow::bail!("a socket at {path}") };
        ensure!(error.to_string().contains(status), "{path}: {error}");
    }
    Ok(())
}
