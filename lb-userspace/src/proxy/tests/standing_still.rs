//! Connections that are not HTTP, or not any more, and stand still.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{GRAIN, PATIENCE, Scene, Server, pool};

const UPGRADE: &str =
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const HTTP: &str = "tunnel-timeout = \"1500ms\"";

/// Changes the protocol, or passes for a server of another one, and repeats what it hears.
fn echo() -> Server {
    Server::new(|asked| {
        asked.raw(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        let mut byte = [0];
        while asked.stream.read(&mut byte).is_ok_and(|read| read > 0) {
            asked.stream.write_all(&byte).unwrap();
        }
        false
    })
}

/// Talks for longer than a tunnel may stand still, then falls silent. How long until it is cut off?
fn silence(scene: &Scene) -> Duration {
    let mut client = scene.connect();
    client.send(UPGRADE);
    client.head();
    for _ in 0..20 {
        client.send("x");
        let mut byte = [0];
        client.stream.read_exact(&mut byte).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    let since = Instant::now();
    assert!(client.is_closed());
    since.elapsed()
}

#[test]
fn a_tunnel_ends_when_nothing_has_moved_for_its_time() {
    let server = echo();
    for listener in ["pool = \"web\"", "protocol = \"tcp\"\npool = \"web\""] {
        let scene = Scene::new(listener, &pool("web", &[&server], HTTP));
        let silent = silence(&scene);
        let range = Duration::from_secs(1)..Duration::from_secs(10);
        assert!(range.contains(&(silent + GRAIN)), "{listener}: {silent:?}");
        let backend = || scene.proxy.backend(&"web".parse().unwrap(), server.address).unwrap();
        super::eventually("its place is free", || backend().active == 0);
    }
}

#[test]
fn who_names_no_server_is_not_waited_for() {
    let server = echo();
    let listener = "protocol = \"tls-passthrough\"\npool = \"web\"\n[listener.client]\nhandshake-timeout = \"300ms\"";
    let scene = Scene::new(listener, &pool("web", &[&server], ""));
    let since = Instant::now();
    let mut stream = TcpStream::connect(scene.at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"\x16\x03\x01").unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0)));
    assert!(since.elapsed() >= Duration::from_millis(300));
}
