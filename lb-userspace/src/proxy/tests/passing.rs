//! What becomes of requests and answers on their way.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::Ordering::SeqCst,
};

use super::{Scene, Server, eventually, pool, resting::entry};

#[test]
fn a_request_reaches_its_backend_and_comes_back() {
    let server = Server::new(|asked| {
        asked.raw("HTTP/1.1 201 Created\r\nX-Mine: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi")
    });
    let scene = Scene::simple(&[&server], "");
    let answer = scene.ask(
        "GET /a%20b/%7Ec?d=e HTTP/1.1\r\nHost: www.example.org:81\r\nConnection: keep-alive, X-Gone\r\nX-Gone: 1\r\nX-Kept: 2\r\nX-Forwarded-For: 192.0.2.66\r\nTE: gzip\r\n\r\n",
    );
    assert_eq!((answer.status, answer.text(), answer.header("x-mine")), (201, "hi", Some("1")));
    assert_eq!((answer.header("x-hop"), answer.header("keep-alive")), (None, None));
    let seen = server.last();
    let mut lines: Vec<_> = seen.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "GET /a%20b/%7Ec?d=e HTTP/1.1");
    lines.sort_unstable();
    let port = format!("x-forwarded-port: {}", scene.at.port());
    let expected = [
        "host: www.example.org:81",
        "via: 1.1 shunt",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: www.example.org:81",
        &port,
        "x-forwarded-proto: http",
        "x-kept: 2",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn connections_are_kept_on_both_sides() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for _ in 0..50 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(answer.text(), "a");
    }
    assert_eq!((server.connections.load(SeqCst), server.requests()), (1, 50));
    let counts = scene.proxy.listener(&"edge".parse().unwrap()).unwrap();
    assert_eq!(
        (counts.connections, counts.answers, counts.routes),
        (1, [0, 50, 0, 0, 0], vec![50])
    );
    let backend = scene.proxy.backend(&"web".parse().unwrap(), server.address).unwrap();
    assert_eq!((backend.requests, backend.failures, backend.active), (50, 0, 0));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::new(|asked| {
        let path = asked.head.split(' ').nth(1).unwrap().to_owned();
        asked.ok(&path)
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer().text(), "/1");
    assert_eq!(client.answer().text(), "/2");
}

#[test]
fn routes_answer_redirect_rewrite_and_edit() {
    let server = Server::named("a");
    let listener = r#"
[[listener.route]]
path-prefix = "/api"
pool = "web"
rewrite-prefix = "/v2"
rewrite-host = "inner.example.org"
set-request-headers = { x-edge = "1" }
remove-request-headers = ["x-secret"]
add-response-headers = { x-shunt = "yes" }
remove-response-headers = ["content-type"]
[[listener.route]]
path-regex = "^/old/"
pool = "web"
rewrite-regex = { match = "^/old/(.*)$", to = "/new/$1" }
[[listener.route]]
path-prefix = "/moved"
redirect = { to = "https://{host}{uri}", status = 308 }
[[listener.route]]
path = "/teapot"
respond = { status = 418, body = "short and stout\n" }
"#;
    let scene = Scene::new(listener, &pool("web", &[&server], ""));
    let answer = scene.ask("GET /api/x?y=1 HTTP/1.1\r\nHost: h\r\nX-Secret: 1\r\n\r\n");
    assert_eq!((answer.status, answer.header("x-shunt")), (200, Some("yes")));
    let seen = server.last();
    assert!(seen.starts_with("GET /v2/x?y=1 HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("host: inner.example.org\r\n") && seen.contains("x-edge: 1\r\n"),
        "{seen}"
    );
    assert!(seen.contains("x-forwarded-host: h\r\n") && !seen.contains("x-secret"), "{seen}");

    scene.get("/old/a/b?c");
    assert!(server.last().starts_with("GET /new/a/b?c HTTP/1.1\r\n"), "{}", server.last());

    let answer = scene.get("/moved/x?y");
    let place = answer.header("location");
    assert_eq!((answer.status, place), (308, Some("https://www.example.org/moved/x?y")));
    let answer = scene.get("/teapot");
    assert_eq!((answer.status, answer.text()), (418, "short and stout\n"));
    assert_eq!(scene.get("/elsewhere").status, 404);
    assert_eq!(server.requests(), 2);
}

#[test]
fn head_and_old_clients_are_served() {
    let server = Server::new(|asked| asked.raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.head().contains("content-length: 5\r\n"));
    let server = Server::named("old");
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(answer.text(), "old");
    assert!(client.is_closed());
    let head = server.last().to_lowercase();
    assert!(head.contains(&format!("\r\nhost: {}\r\n", server.address)), "{head}");
    assert!(!head.contains("x-forwarded-host"), "{head}");
    let scene = Scene::simple(&[&Server::absent(), &server], "retries = 1");
    for _ in 0..4 {
        assert_eq!(scene.ask("GET / HTTP/1.0\r\n\r\n").text(), "old");
        assert!(server.last().contains(&server.address.to_string()), "the other was tried before");
    }
    scene.ask("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    assert!(server.last().to_lowercase().contains("\r\nhost: h\r\n"));
}

#[test]
fn a_change_of_protocol_passes_bytes_both_ways() {
    let server = Server::new(|asked| {
        if !asked.head.to_lowercase().contains("upgrade: websocket") {
            return asked.ok("plain");
        }
        asked.raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello");
        let mut bytes = [0; 5];
        while asked.stream.read_exact(&mut bytes).is_ok() {
            bytes.reverse();
            asked.stream.write_all(&bytes).unwrap();
        }
        false
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket\r\n"), "{head}");
    let mut bytes = [0; 5];
    client.stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    for _ in 0..3 {
        client.send("abcde");
        client.stream.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"edcba");
    }
    let answer = scene.ask("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(answer.text(), "plain", "not asked for by `Connection`");
}

/// To speak HTTP/2 with a backend behind the proxy's back would be to get past its routes.
#[test]
fn nobody_changes_to_http_again() {
    let server = Server::named("plain");
    let scene = Scene::simple(&[&server], "");
    let ask = |protocols: &str| {
        let answer = scene.ask(&format!(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocols}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        ));
        assert_eq!(answer.text(), "plain");
        server.last().to_lowercase()
    };
    for protocols in ["h2c", "H2C", "HTTP/2.0", "TLS/1.2, HTTP/1.1", ""] {
        let seen = ask(protocols);
        assert!(!seen.contains("upgrade") && !seen.contains("http2-settings"), "{seen}");
    }
    let seen = ask("h2c, websocket");
    assert!(seen.contains("upgrade: websocket\r\n"), "{seen}");
}

#[test]
fn a_change_of_protocol_that_nobody_asked_for_is_refused() {
    let server = Server::new(|asked| {
        asked.raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    });
    let scene = Scene::simple(&[&server], "retries = 0");
    assert_eq!(scene.get("/").status, 502);
    let asked = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(scene.ask(asked).status, 502, "to another protocol than was asked for");
}

#[test]
fn who_speaks_first_may_change() {
    // States of a connection in `/proc/net/tcp`: the second is what a client takes for established, and we do not yet.
    const ESTABLISHED: &str = "01";
    const RECEIVED: &str = "03";
    let server = Server::named("web");
    let mut scene = Scene::simple(&[&server], "");
    let http = scene.text.clone();
    let number = |scene: &Scene| scene.proxy.bound.values().next().unwrap().number;
    let first = number(&scene);
    for (protocol, state) in [
        ("http", RECEIVED),
        ("tls-passthrough", RECEIVED),
        ("tcp", ESTABLISHED),
        ("http", RECEIVED),
    ] {
        scene.text = format!("{http}\nprotocol = \"{protocol}\"");
        scene.follow(&scene.desired());
        assert_eq!(number(&scene), first, "{protocol}: nobody is lost between two sockets");
        eventually(protocol, || {
            let silent = TcpStream::connect(scene.at).unwrap();
            entry(scene.at, silent.local_addr().unwrap())[3] == state
        });
        if protocol != "tls-passthrough" {
            // Requests are passed on as well as anything else.
            assert_eq!(scene.get("/").text(), "web", "{protocol}");
        }
    }
}
