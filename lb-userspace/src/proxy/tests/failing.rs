//! Backends that fail, and what clients see of it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    thread,
    time::Duration,
};

use super::{Scene, Server, eventually};

fn counts(scene: &Scene, server: &Server) -> super::super::BackendCounts {
    scene.proxy.backend(&"web".parse().unwrap(), server.address).unwrap()
}

#[test]
fn a_kept_connection_that_was_closed_costs_no_request() {
    // Says nothing of closing, and closes.
    let server = Server::new(|asked| {
        asked.ok("a");
        false
    });
    let scene = Scene::simple(&[&server], "retries = 0");
    let mut client = scene.connect();
    for _ in 0..30 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    }
    assert_eq!(counts(&scene, &server).failures, 0);
}

#[test]
fn a_kept_connection_that_the_request_finds_closed_is_tried_anew() {
    // Takes a second request on each connection, and closes without an answer.
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    let server = Server::new(move |asked| {
        let client = asked.stream.peer_addr().unwrap();
        answered.lock().unwrap().insert(client) && asked.ok("a")
    });
    let scene = Scene::simple(&[&server], "retries = 0");
    let mut client = scene.connect();
    for _ in 0..10 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    }
    assert_eq!(counts(&scene, &server).failures, 0);
}

#[test]
fn who_cannot_be_reached_is_passed_over() {
    let (absent, server) = (Server::absent(), Server::named("a"));
    let scene = Scene::simple(&[&absent, &server], "eject-after = 0");
    for _ in 0..10 {
        // Nothing was sent, so that even what must not be sent twice may be.
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(scene.ask(head).status, 200);
    }
    assert!(counts(&scene, &absent).failures >= 4);
    let scene = Scene::simple(&[&absent], "");
    assert_eq!(scene.get("/").status, 502);
}

#[test]
fn an_answer_of_which_only_the_head_has_come_can_be_had_elsewhere() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
    let dies = Server::new(move |asked| {
        asked.raw(head);
        // So that it is not read together with the end of the connection.
        thread::sleep(Duration::from_millis(20));
        false
    });
    let slow = Server::new(move |asked| {
        asked.raw(head);
        thread::sleep(Duration::from_millis(20));
        asked.raw("some")
    });
    let scene = Scene::simple(&[&dies, &slow], "eject-after = 0");
    for _ in 0..10 {
        assert_eq!(scene.get("/").text(), "some");
    }
    // Each worker takes turns of its own.
    assert!(counts(&scene, &dies).failures > 0);
    let scene = Scene::simple(&[&dies], "");
    assert_eq!(scene.get("/").status, 502);
}

#[test]
fn the_head_of_an_answer_is_not_held_back_where_nothing_can_be_gained() {
    let answer = |head: &'static str| {
        Server::new(move |asked| {
            asked.raw(head);
            thread::sleep(Duration::from_secs(30));
            false
        })
    };
    // Its body may come at any time, such as events do.
    let events = answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    let scene = Scene::simple(&[&events], "");
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 200"));
    // Nobody else can be asked.
    let posted = answer("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
    let scene = Scene::simple(&[&posted], "");
    let mut client = scene.connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    assert!(client.head().starts_with("HTTP/1.1 200"));
}

#[test]
fn only_what_may_be_sent_twice_is() {
    let broken = Server::new(|_| false);
    let server = Server::named("a");
    let scene = Scene::simple(&[&broken, &server], "eject-after = 0");
    for _ in 0..6 {
        assert_eq!(scene.get("/").status, 200);
    }
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
    let before = server.requests();
    let statuses: Vec<_> = (0..8).map(|_| scene.ask(head).status).collect();
    let bad = statuses.iter().filter(|status| **status == 502).count();
    assert!(bad >= 3, "{statuses:?}");
    assert_eq!(server.requests() - before, 8 - bad, "none was sent twice");
}

#[test]
fn each_timeout_has_its_answer() {
    let silent = Server::new(|_| {
        thread::sleep(Duration::from_secs(30));
        false
    });
    let scene = Scene::simple(&[&silent], "first-byte-timeout = \"100ms\"\nretries = 0");
    assert_eq!(scene.get("/").status, 504);
    let scene = Scene::simple(&[&silent], "total-timeout = \"100ms\"");
    assert_eq!(scene.get("/").status, 504);

    // A client that stops in the middle of its request.
    let scene = Scene::simple(&[&silent], "idle-timeout = \"100ms\"");
    let mut client = scene.connect();
    let answer = client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(answer.status, 408);
    assert_eq!(counts(&scene, &silent).failures, 0, "it was the client's fault");

    // A backend that stops in the middle of its answer.
    let half = Server::new(|asked| {
        asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        thread::sleep(Duration::from_secs(30));
        false
    });
    let scene = Scene::simple(&[&half], "idle-timeout = \"100ms\"");
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    let mut rest = Vec::new();
    _ = std::io::Read::read_to_end(&mut client.stream, &mut rest);
    assert_eq!(rest, b"half");
}

#[test]
fn a_connection_has_its_timeout() {
    // A backlog that is full takes no connection and refuses none.
    let listener = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&listener, &any).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = std::net::TcpListener::from(listener.try_clone().unwrap()).local_addr().unwrap();
    let _fill: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)))
        .collect();
    let full = Server { address, ..Server::absent() };
    let scene = Scene::simple(&[&full], "connect-timeout = \"100ms\"\nretries = 0");
    assert_eq!(scene.get("/").status, 504);
}

#[test]
fn who_fails_again_and_again_is_out_for_a_while() {
    let (absent, server) = (Server::absent(), Server::named("a"));
    let http = "eject-after = 2\neject-time = \"1h\"";
    let scene = Scene::simple(&[&absent, &server], http);
    for _ in 0..20 {
        assert_eq!(scene.get("/").status, 200);
    }
    assert!(counts(&scene, &absent).ejected);
    assert_eq!(counts(&scene, &absent).failures, 2);
}

#[test]
fn when_all_are_out_none_is() {
    let server = Server::new(|asked| asked.head.starts_with("GET /good") && asked.ok("a"));
    let scene = Scene::simple(&[&server], "eject-after = 1\neject-time = \"1h\"\nretries = 0");
    assert_eq!(scene.get("/bad").status, 502);
    assert!(counts(&scene, &server).ejected);
    assert_eq!(scene.get("/good").status, 200);
}

#[test]
fn who_answers_when_all_are_out_is_back() {
    let server = Server::new(|asked| asked.head.starts_with("GET /good") && asked.ok("a"));
    let absent = Server::absent();
    let http = "eject-after = 1\neject-time = \"1h\"";
    let scene = Scene::simple(&[&absent, &server], http);
    assert_eq!(scene.get("/bad").status, 502);
    assert!(counts(&scene, &server).ejected && counts(&scene, &absent).ejected);
    // Far more than there are retries.
    for _ in 0..200 {
        assert_eq!(scene.get("/good").status, 200);
    }
    assert!(!counts(&scene, &server).ejected && counts(&scene, &absent).ejected);
}

#[test]
fn retries_end_when_the_budget_does() {
    let servers = [Server::new(|_| false), Server::new(|_| false)];
    let scene = Scene::simple(&[&servers[0], &servers[1]], "eject-after = 0\nretries = 1");
    for _ in 0..60 {
        assert_eq!(scene.get("/").status, 502);
    }
    let sent = servers.iter().map(Server::requests).sum::<usize>();
    assert!((80..=92).contains(&sent), "60, 20 saved up, and a fifth: {sent}");
}

#[test]
fn a_pool_without_backends_is_unavailable() {
    let server = Server::named("a");
    let mut scene = Scene::simple(&[&server], "");
    assert_eq!(scene.get("/").status, 200);
    let down = [("web".parse().unwrap(), server.address)].into();
    scene.proxy.follow(&scene.desired(), &down).unwrap();
    assert_eq!(scene.get("/").status, 503);
    // Connections to it are not kept.
    eventually("its connection is closed", || server.connections.load(SeqCst) == 1);
    scene.follow(&scene.desired());
    assert_eq!(scene.get("/").status, 200);
}
