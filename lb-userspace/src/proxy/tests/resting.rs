//! Connections that rest between requests.

use std::{thread, time::Duration};

use super::{Scene, Server, eventually, pool, with_limits};

/// By then a connection that is idle rests.
const AT_REST: Duration = Duration::from_millis(1800);
const ASK: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn who_rested_is_served_again() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for _ in 0..2 {
        assert_eq!(client.ask(ASK).text(), "a");
        thread::sleep(AT_REST);
    }
    // Two at once, and the second in pieces.
    client.send(format!("{ASK}GET / HTTP/1.1\r\n"));
    assert_eq!(client.answer().text(), "a");
    thread::sleep(AT_REST);
    client.send("Host: h\r\n\r\n");
    assert_eq!(client.answer().text(), "a");
    thread::sleep(AT_REST);
    client.send("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer().status, 400, "strictness does not rest");
    assert!(client.is_closed());
    assert_eq!(server.requests(), 4);
}

#[test]
fn who_rests_is_let_go_when_the_listener_ends() {
    let server = Server::named("a");
    let mut scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.ask(ASK);
    thread::sleep(AT_REST);
    let mut desired = scene.desired();
    desired.listeners.clear();
    scene.follow(&desired);
    assert!(client.is_closed());
}

#[test]
fn who_rests_for_too_long_is_let_go() {
    let server = Server::named("a");
    let listener = with_limits("keep-alive-timeout = \"3s\"");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let (mut idle, mut busy) = (scene.connect(), scene.connect());
    idle.ask(ASK);
    for _ in 0..8 {
        assert_eq!(busy.ask(ASK).text(), "a");
        thread::sleep(Duration::from_millis(600));
    }
    eventually("the idle one is let go", || idle.is_closed());
    assert_eq!(busy.ask(ASK).text(), "a");
}

/// Whoever began anew in the middle of a body would serve what the client never asked for.
#[test]
fn the_rest_of_a_body_is_no_request() {
    let server = Server::named("a");
    let early = "pool = \"web\"\n[[listener.route]]\npath = \"/early\"\nrespond = 204\n";
    let scene = Scene::new(early, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    let rest = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = 10 + rest.len();
    client.send(format!(
        "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n0123456789"
    ));
    assert_eq!(client.answer().status, 204);
    thread::sleep(AT_REST);
    client.send(rest);
    assert_eq!(client.ask(ASK).text(), "a");
    assert_eq!(server.requests(), 1);
    assert!(server.last().starts_with("GET / "), "{}", server.last());
}
