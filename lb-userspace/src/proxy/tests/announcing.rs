//! The PROXY protocol: proxies in front of us that name their clients, and backends that are told them.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::Ordering::SeqCst,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use super::{PATIENCE, Proxy, Scene, Server, eventually, pool};
use crate::{
    model::upstream::ProxyProtocol,
    proxy_protocol::{self, Ends, Header, Read as Found, write},
};

const TRUSTING: &str = "pool = \"web\"\nproxy-protocol = true\ntrusted-proxies = \"127.0.0.0/8\"\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const LINE: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 1000 80\r\n";

fn client_of(line: &str) -> Header {
    let Ok(Found::Done(header, _)) = proxy_protocol::read(line.as_bytes()) else {
        panic!("{line}")
    };
    header
}

fn unannounced(scene: &Scene) -> u64 {
    scene.proxy.listener(&"edge".parse().unwrap()).unwrap().unannounced
}

#[test]
fn a_trusted_proxy_names_its_client() {
    let server = Server::named("a");
    let scene = Scene::new(TRUSTING, &pool("web", &[&server], ""));
    let v6 = "PROXY TCP6 2001:db8::7 2001:db8::1 1000 80\r\n";
    let mapped = "PROXY TCP6 ::ffff:192.0.2.8 ::ffff:192.0.2.1 1000 80\r\n";
    for (line, client) in [
        (LINE, "192.0.2.7"),
        (v6, "2001:db8::7"),
        (mapped, "192.0.2.8"),
        ("PROXY UNKNOWN\r\n", "127.0.0.1"),
    ] {
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            let header = write(version, &client_of(line));
            let whole = [&header, GET.as_bytes()].concat();
            // Whatever the pieces are, the request behind the header stays what it is.
            for size in [1, 7, header.len() + 5, whole.len()] {
                let mut connection = scene.connect();
                for piece in whole.chunks(size) {
                    connection.send(piece);
                    if size > 1 {
                        thread::sleep(Duration::from_millis(2));
                    }
                }
                assert_eq!(connection.answer().text(), "a");
                let told = format!("x-forwarded-for: {client}\r\n");
                assert!(server.last().contains(&told), "{line}: {}", server.last());
                // It speaks for one client as long as it lasts.
                assert_eq!(connection.ask(GET).text(), "a");
                assert!(server.last().contains(&told), "{line}: {}", server.last());
            }
        }
    }
    assert_eq!(unannounced(&scene), 0);
}

#[test]
fn routes_go_by_the_client_that_is_named() {
    let listener = format!(
        "{TRUSTING}[[listener.route]]\nclient = \"192.0.2.0/24\"\nrespond = {{ status = 200, body = \"theirs\" }}"
    );
    let server = Server::named("ours");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    assert_eq!(scene.ask(&format!("{LINE}{GET}")).text(), "theirs");
    assert_eq!(scene.ask(&format!("PROXY UNKNOWN\r\n{GET}")).text(), "ours");
}

/// Of its own a proxy may have any number of connections.
#[test]
fn limits_are_those_of_the_client_that_is_named() {
    let server = Server::named("a");
    let listener = format!("{TRUSTING}[listener.client]\nmax-connections = 1");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let ask = |line: &str| {
        let mut client = scene.connect();
        let answer = client.ask(&format!("{line}{GET}"));
        (client, answer.status)
    };
    let unknown = "PROXY UNKNOWN\r\n";
    let first = ask(LINE);
    let others = [ask(LINE), ask(&LINE.replace("2.7", "2.8")), ask(unknown), ask(unknown)];
    assert_eq!(first.1, 200);
    assert_eq!(others.each_ref().map(|(_, status)| *status), [429, 200, 200, 200]);
    drop(first);
    eventually("the client to have gone", || ask(LINE).1 == 200);
}

#[test]
fn a_trusted_proxy_that_names_nobody_is_not_served() {
    let server = Server::named("a");
    let scene = Scene::new(TRUSTING, &pool("web", &[&server], ""));
    let cases = [
        GET.to_owned(),
        LINE.replace("TCP4", "TCP5") + GET,
        LINE.replace('\r', "") + GET,
        LINE.replace("1000", "01000") + GET,
        format!("\r\n{LINE}{GET}"),
        "x".repeat(200),
    ];
    for (nth, said) in (1..).zip(&cases) {
        let mut client = scene.connect();
        client.send(said);
        let mut heard = Vec::new();
        // What it has said beyond is thrown away unread, which resets the connection.
        _ = client.stream.read_to_end(&mut heard);
        assert_eq!(heard, b"", "{said:?}");
        eventually("the refusal to be counted", || unannounced(&scene) == nth);
    }
    assert_eq!(server.requests(), 0);
    // To look whether somebody listens is no fault; to leave in the middle is one.
    drop(scene.connect());
    let mut client = scene.connect();
    client.send("PROXY TCP4 192");
    drop(client);
    let expected = cases.len() as u64 + 1;
    eventually("the last to be counted", || unannounced(&scene) == expected);
    assert_eq!(scene.ask(&format!("{LINE}{GET}")).text(), "a");
    assert_eq!(unannounced(&scene), expected);
}

#[test]
fn a_header_must_come_in_time() {
    let server = Server::named("a");
    for (protocol, key) in [("http", "head-timeout"), ("tcp", "handshake-timeout")] {
        let listener =
            format!("protocol = \"{protocol}\"\n{TRUSTING}[listener.client]\n{key} = \"200ms\"");
        let scene = Scene::new(&listener, &pool("web", &[&server], ""));
        let mut client = scene.connect();
        client.send("PROXY TCP4 ");
        assert!(client.is_closed(), "{protocol}");
        assert_eq!(unannounced(&scene), 1, "{protocol}");
    }
}

/// What anybody could say is worth nothing.
#[test]
fn nobody_else_is_believed() {
    let server = Server::named("a");
    let listener = TRUSTING.replace("127.0.0.0/8", "192.0.2.0/24");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        let mut client = scene.connect();
        client.send(write(version, &client_of(LINE)));
        client.send(GET);
        assert_eq!(client.answer().status, 400);
    }
    assert_eq!((server.requests(), unannounced(&scene)), (0, 0));
    assert_eq!(scene.ask(GET).text(), "a");
    assert!(server.last().contains("x-forwarded-for: 127.0.0.1\r\n"));
}

/// The first line that a backend hears on a connection from this client.
fn line(client: SocketAddr, listener: SocketAddr) -> String {
    let (from, to) = (client.port(), listener.port());
    format!("PROXY TCP4 {} {} {from} {to}\r\n", client.ip(), listener.ip())
}

#[test]
fn backends_are_told_whom_a_connection_is_for() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "proxy-protocol = \"v1\"");
    let mut clients = [scene.connect(), scene.connect()];
    for (before, client) in clients.iter_mut().enumerate() {
        let at = client.stream.get_ref().local_addr().unwrap();
        assert_eq!(client.ask(GET).text(), "a");
        let begin = line(at, scene.at) + "GET / HTTP/1.1\r\n";
        assert!(server.last().starts_with(&begin), "{}", server.last());
        assert_eq!(server.connections.load(SeqCst), before + 1, "each has one of its own");
    }
    // Which is kept, and told no more.
    for client in &mut clients {
        for _ in 0..10 {
            assert_eq!(client.ask(GET).text(), "a");
            assert!(server.last().starts_with("GET / HTTP/1.1\r\n"), "{}", server.last());
        }
    }
    assert_eq!(server.connections.load(SeqCst), 2);
}

#[test]
fn a_change_of_protocol_has_a_header_too() {
    let server = Server::new(|asked| {
        asked.raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    });
    let scene = Scene::simple(&[&server], "proxy-protocol = \"v1\"");
    let mut client = scene.connect();
    let at = client.stream.get_ref().local_addr().unwrap();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    assert!(server.last().starts_with(&(line(at, scene.at) + "GET ")), "{}", server.last());
}

/// Says what each connection begins with, and what follows that.
fn listening() -> (SocketAddr, Receiver<(Header, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut said = Vec::new();
                let mut piece = [0; 64];
                loop {
                    let read = stream.read(&mut piece).unwrap_or(0);
                    said.extend_from_slice(&piece[..read]);
                    if let Ok(Found::Done(header, length)) = proxy_protocol::read(&said)
                        && (said[length..].ends_with(b"\n") || read == 0)
                    {
                        tell.send((header, said.split_off(length))).unwrap();
                        said.clear();
                    }
                    if read == 0 {
                        return;
                    }
                    if said.is_empty() {
                        _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                    }
                }
            });
        }
    });
    (at, told)
}

fn scene_of(at: SocketAddr, listener: &str, http: &str) -> Scene {
    Scene::new(
        listener,
        &format!("[[pool]]\nname = \"web\"\nbackends = [\"{at}\"]\n[pool.http]\n{http}\n"),
    )
}

#[test]
fn what_was_told_is_told_on() {
    for protocol in ["http", "tcp"] {
        for version in ["v1", "v2"] {
            let (at, told) = listening();
            let listener = format!("protocol = \"{protocol}\"\n{TRUSTING}");
            let http = format!("proxy-protocol = \"{version}\"");
            let scene = scene_of(at, &listener, &http);
            // Mixed families become one.
            let ends = Ends::new(
                "[2001:db8::7]:1000".parse().unwrap(),
                "198.51.100.1:80".parse().unwrap(),
            );
            for header in [client_of(LINE), Header::Proxied(ends)] {
                let mut client = scene.connect();
                client.send([&write(ProxyProtocol::V2, &header), GET.as_bytes()].concat());
                let (heard, rest) = told.recv_timeout(PATIENCE).unwrap();
                assert_eq!(heard, header, "{protocol} {version}");
                assert!(rest.starts_with(b"GET / HTTP/1.1\r\n"), "{}", rest.escape_ascii());
            }
            // Who has no client to name is the client.
            let mut client = scene.connect();
            let own = client.stream.get_ref().local_addr().unwrap();
            client.send(format!("PROXY UNKNOWN\r\n{GET}"));
            let (heard, _) = told.recv_timeout(PATIENCE).unwrap();
            assert_eq!(heard, Header::Proxied(Ends::new(own, scene.at)), "{protocol} {version}");
        }
    }
}

/// The listener's address is that which the client has connected to, even if it listens on all.
#[test]
fn a_listener_on_all_addresses_tells_the_one_it_was() {
    let (at, told) = listening();
    let free = super::free_port();
    let text = format!(
        "[[pool]]\nname = \"web\"\nbackends = [\"{at}\"]\n[pool.http]\nproxy-protocol = \"v2\"\n[[listener]]\nname = \"edge\"\nlisten = \"0.0.0.0:{}\"\npool = \"web\"",
        free.port()
    );
    let mut scene = Scene { proxy: Proxy::new(1), text, at: free };
    scene.follow(&scene.desired());
    for ip in ["127.0.0.1", "127.0.0.2"] {
        let at = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), free.port());
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(GET.as_bytes()).unwrap();
        let (heard, _) = told.recv_timeout(PATIENCE).unwrap();
        let ends = Ends::new(stream.local_addr().unwrap(), at);
        assert_eq!(heard, Header::Proxied(ends));
    }
}

/// A connection that nobody else may use is of no use when its client has gone.
#[test]
fn the_connection_goes_with_its_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scene =
        scene_of(listener.local_addr().unwrap(), "pool = \"web\"", "proxy-protocol = \"v1\"");
    let mut client = scene.connect();
    client.send(GET);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = vec![0; 4096];
    let mut length = 0;
    while !said[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut said[length..]).unwrap();
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
    assert_eq!(client.answer().text(), "hi");
    super::resting::rests(scene.at, client.stream.get_ref().local_addr().unwrap());
    stream.set_nonblocking(true).unwrap();
    assert!(stream.read(&mut said).is_err(), "it is kept as long as the client is there");
    stream.set_nonblocking(false).unwrap();
    drop(client);
    // Much sooner than connections are closed that nobody uses.
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(stream.read(&mut said).unwrap(), 0);
}
