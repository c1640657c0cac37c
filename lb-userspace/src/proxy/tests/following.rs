//! By what requests can be found again: ids and traces, as backends and clients see them.

use std::collections::BTreeSet;

use super::{Answer, Scene, Server, pool};

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn scene(server: &Server, lines: &str) -> Scene {
    Scene::new(&format!("pool = \"web\"\n{lines}"), &pool("web", &[server], ""))
}

fn ask(scene: &Scene, lines: &str) -> Answer {
    scene.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n"))
}

/// What the server has been told last under a name.
fn told(server: &Server, name: &str) -> Option<String> {
    let prefix = format!("{name}: ");
    server.last().lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

#[test]
fn each_request_has_an_id_that_both_ends_are_told() {
    let server = Server::new(|asked| {
        asked.raw("HTTP/1.1 200 OK\r\nX-Id: mine\r\nX-Id: mine, too\r\nContent-Length: 0\r\n\r\n")
    });
    let scene = scene(&server, "request-id = \"X-Id\"");
    let mut client = scene.connect();
    let mut all = BTreeSet::new();
    for _ in 0..200 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\nX-Id: spoofed\r\n\r\n");
        let id = told(&server, "x-id").unwrap();
        assert_eq!(answer.header("x-id"), Some(&*id));
        assert_eq!(answer.head.matches("x-id").count(), 1, "{}", answer.head);
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(all.insert(id.clone()), "{id} stands twice");
    }
    // Who lists it as a matter of the connection gets it all the same, and so does who is refused.
    let answer = ask(&scene, "Connection: x-id\r\n");
    assert_eq!(answer.header("x-id"), told(&server, "x-id").as_deref());
    let answer = scene.ask("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n");
    assert_eq!((answer.status, answer.header("x-id").map(str::len)), (405, Some(32)));
}

#[test]
fn the_id_of_a_trusted_proxy_is_kept() {
    let server = Server::named("a");
    let scene = scene(&server, "request-id = \"x-request-id\"\ntrusted-proxies = \"127.0.0.1\"");
    let answer = ask(&scene, "X-Request-Id: outer/1\r\n");
    assert_eq!(answer.header("x-request-id"), Some("outer/1"));
    assert_eq!(told(&server, "x-request-id").unwrap(), "outer/1");
    let answer = ask(&scene, "X-Request-Id: a b\r\n");
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
}

#[test]
fn traces_go_on_or_begin() {
    let server = Server::named("a");
    let scene = scene(&server, "trace-context = true");
    ask(&scene, &format!("Traceparent: {GIVEN}\r\nTracestate: a=1\r\nTracestate: b=2\r\n"));
    assert_eq!(told(&server, "traceparent").unwrap(), GIVEN);
    assert_eq!(server.last().matches("tracestate: ").count(), 2);
    let mut all = BTreeSet::new();
    for lines in ["", "Traceparent: 00-0\r\nTracestate: a=1\r\n", "Tracestate: a=1\r\n"] {
        let answer = ask(&scene, lines);
        assert_eq!(answer.header("traceparent"), None);
        let parent = told(&server, "traceparent").unwrap();
        assert!(parent.starts_with("00-") && parent.ends_with("-03"), "{parent}");
        assert_eq!(told(&server, "tracestate"), None);
        assert!(all.insert(parent[3..35].to_owned()), "{parent}");
    }
}

#[test]
fn nothing_is_followed_unless_asked_for() {
    let server = Server::named("a");
    let scene = scene(&server, "");
    let answer = ask(&scene, "X-Request-Id: a\r\nTraceparent: b\r\nTracestate: c\r\n");
    assert_eq!(answer.header("x-request-id"), None);
    assert_eq!(told(&server, "x-request-id").unwrap(), "a");
    assert_eq!(told(&server, "traceparent").unwrap(), "b");
    assert_eq!(told(&server, "tracestate").unwrap(), "c");
    ask(&scene, "");
    let seen = server.last();
    assert!(!seen.contains("x-request-id") && !seen.contains("traceparent"), "{seen}");
}
