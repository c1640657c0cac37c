//! Tests of the server over a real socket, with requests as bytes so that nothing of our own
//! client is taken for granted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;
mod trace;

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as Stream},
    path::Path,
    time::Instant,
};

use serde_json::{Value, json};

use super::*;
use crate::{
    admin::fixture::{self, address, name, weight},
    model::{BackendState, Change},
};

/// An answer in parts.
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn error(&self) -> &str {
        self.body["errors"][0].as_str().unwrap()
    }
}

/// Sends bytes and reads until the server closes.
async fn raw(socket: &Path, request: impl Into<Vec<u8>>) -> String {
    let (socket, request) = (socket.to_owned(), request.into());
    let exchange = move || {
        let mut stream = Stream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // The server may refuse before it has read everything.
        _ = stream.write_all(&request);
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

async fn call(socket: &Path, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    parse(&raw(socket, request).await)
}

fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap(),
    }
}

#[tokio::test]
async fn reads_come_from_the_status() {
    let daemon = fixture::daemon();
    let whole = serde_json::to_value(fixture::status()).unwrap();
    let cases = [
        ("/v1/status", whole.clone()),
        ("/v1/services", whole["services"].clone()),
        ("/v1/services/web", whole["services"][1].clone()),
        ("/v1/services/%77eb", whole["services"][1].clone()),
        ("/v1/pools", whole["pools"].clone()),
        ("/v1/pools/web", whole["pools"][2].clone()),
        ("/v1/pools/web?pretty", whole["pools"][2].clone()),
        ("/v1/pools/web/backends", whole["pools"][2]["backends"].clone()),
    ];
    for (path, expected) in cases {
        let answer = call(&daemon.socket, "GET", path, "").await;
        assert_eq!((answer.status, answer.body), (200, expected), "{path}");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    }
}

#[tokio::test]
async fn writes_become_changes() {
    let mut daemon = fixture::daemon();
    let (web, dns) = (name("web"), name("dns"));
    let (v4, v6) = (address("172.17.0.4:1001"), address("[2001:db8::4]:53"));
    let new = address("172.17.0.8:1005");
    let add = |weight| Change::AddBackend { pool: web.clone(), address: new, weight };
    let set_weight = |weight| Change::SetWeight { pool: web.clone(), address: v4, weight };
    let state =
        |pool: &_, address, state| Change::SetState { pool: Clone::clone(pool), address, state };
    let remove = Change::RemoveBackend { pool: dns.clone(), address: v6 };
    let list = vec![set_weight(weight(7)), remove.clone()];
    let list_body = serde_json::to_string(&list).unwrap();
    let cases = [
        (
            "POST",
            "/v1/pools/web/backends",
            r#"{"address": "172.17.0.8:1005"}"#,
            vec![add(weight(1))],
        ),
        (
            "POST",
            "/v1/pools/web/backends",
            r#"{"address": "172.17.0.8:1005", "weight": 9}"#,
            vec![add(weight(9))],
        ),
        (
            "PATCH",
            "/v1/pools/web/backends/172.17.0.4:1001",
            r#"{"weight": 3, "state": "enabled"}"#,
            vec![set_weight(weight(3)), state(&web, v4, BackendState::Enabled)],
        ),
        (
            "PATCH",
            "/v1/pools/dns/backends/[2001:db8::4]:53",
            r#"{"state": "drained"}"#,
            vec![state(&dns, v6, BackendState::Drained)],
        ),
        ("DELETE", "/v1/pools/dns/backends/%5B2001:db8::4%5d%3A53", "", vec![remove]),
        ("POST", "/v1/changes", &list_body, list),
    ];
    for (method, path, body, expected) in cases {
        let answer = call(&daemon.socket, method, path, body).await;
        assert_eq!(answer.body, json!({"operations": ["done"]}), "{method} {path}");
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(daemon.changes.recv().await.unwrap(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn refusals_say_where_and_what_to_do() {
    let daemon = fixture::daemon();
    let backends = "/v1/pools/web/backends";
    let one = "/v1/pools/web/backends/172.17.0.4:1001";
    let unknown = r#"[{"change": "remove-backend", "pool": "nope", "address": "172.17.0.4:1001"}]"#;
    let unusable =
        r#"[{"change": "add-backend", "pool": "web", "address": "0.0.0.0:80", "weight": 1}]"#;
    let cases = [
        ("GET", "/v1/pools/w%zzb", "", 400, "malformed percent escape"),
        ("GET", "/v1/pools/w%2", "", 400, "malformed percent escape"),
        ("GET", "/v1/pools/w%+5b", "", 400, "malformed percent escape"),
        ("GET", "/v1/pools/%ff", "", 400, "malformed percent escape"),
        ("GET", "/v1/pools/a%2Fb", "", 400, "name of the pool in the path: `a/b` is not a name"),
        ("GET", "/v1/services/-", "", 400, "name of the service in the path"),
        ("DELETE", "/v1/pools/web/backends/web:80", "", 400, "backend in the path: `web:80`"),
        ("DELETE", "/v1/pools/web/backends/0.0.0.0:80", "", 400, "one host"),
        ("POST", backends, "{", 400, "the body is not a backend to add: EOF"),
        ("POST", backends, "{}", 400, "missing field `address` at line 1 column 2"),
        ("POST", backends, r#"{"address": "web"}"#, 400, "invalid socket address"),
        ("POST", backends, r#"{"address": "10.0.0.1:0"}"#, 400, "`address`: `10.0.0.1:0`"),
        ("POST", backends, r#"{"address": "10.0.0.1:1", "wait": 1}"#, 400, "unknown field `wait`"),
        ("POST", backends, r#"{"address": "10.0.0.1:1", "weight": 0}"#, 400, "use 1 to 1000"),
        ("PATCH", one, "{}", 400, "it changes nothing"),
        ("PATCH", one, r#"{"state": "off"}"#, 400, "`enabled` or `drained`"),
        ("POST", "/v1/changes", "{}", 400, "expected a sequence"),
        ("POST", "/v1/changes", r#"[{"change": "explode"}]"#, 400, "unknown variant `explode`"),
        ("POST", "/v1/changes", unusable, 400, "`address` of change 1"),
        ("POST", "/v1/apply", "", 400, "send such as {\"file\""),
        ("GET", "/", "", 404, "there is nothing at /; docs/api.md"),
        ("GET", "/v1/status/", "", 404, "there is nothing at /v1/status/"),
        ("GET", "/v2/status", "", 404, "there is nothing at /v2/status"),
        ("GET", "/v1/services/nope", "", 404, "there is no service `nope`"),
        ("GET", "/v1/pools/nope", "", 404, "there is no pool `nope`"),
        ("GET", "/v1/pools/nope/backends", "", 404, "there is no pool `nope`"),
        ("POST", "/v1/changes", unknown, 404, "there is no pool `nope`"),
        ("POST", backends, r#"{"address": "172.17.0.4:1001"}"#, 409, "already"),
        ("POST", "/v1/apply", r#"{"file": "f", "text": "invalid"}"#, 422, "f:1:1: this is wrong"),
        ("POST", "/v1/apply", r#"{"file": "f", "text": "failed"}"#, 500, "the kernel says no"),
    ];
    for (method, path, body, status, message) in cases {
        let answer = call(&daemon.socket, method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
        assert!(answer.error().contains(message), "{method} {path} {body}: {}", answer.body);
    }
    let answer =
        call(&daemon.socket, "POST", "/v1/apply", r#"{"file": "f", "text": "invalid"}"#).await;
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_work() {
    let daemon = fixture::daemon();
    let cases = [
        ("POST", "/v1/status", "GET"),
        ("PUT", "/v1/services/web", "GET"),
        ("DELETE", "/v1/pools/web", "GET"),
        ("PATCH", "/v1/pools/web/backends", "GET, POST"),
        ("GET", "/v1/pools/web/backends/10.0.0.1:1", "PATCH, DELETE"),
        ("GET", "/v1/apply", "POST"),
        ("BREW", "/v1/changes", "POST"),
        ("GET", "/v1/detach", "POST"),
        ("GET", "/v1/logs/reopen", "POST"),
    ];
    for (method, path, allowed) in cases {
        let answer = call(&daemon.socket, method, path, "").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        let header = format!("allow: {}", allowed.to_ascii_lowercase());
        assert!(answer.head.lines().any(|line| line == header), "{}", answer.head);
        let expected =
            format!("{method} is not possible here; use {}", allowed.replace(", ", " or "));
        assert_eq!(answer.error(), expected);
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let daemon = fixture::daemon();
    let too_large = crate::admin::BODY_LIMIT + 1;
    let announced =
        format!("POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: {too_large}\r\n\r\n");
    let mut chunked = format!(
        "POST /v1/apply HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{too_large:x}\r\n"
    )
    .into_bytes();
    chunked.resize(chunked.len() + too_large, b' ');
    for request in [announced.into_bytes(), chunked] {
        let answer = parse(&raw(&daemon.socket, request).await);
        assert_eq!(answer.status, 413);
        assert!(answer.error().contains("larger than 16 MiB"), "{}", answer.body);
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
    }
    let largest = format!(r#"{{"file": "f", "text": "{}"}}"#, "x".repeat(too_large - 26));
    assert_eq!(largest.len(), crate::admin::BODY_LIMIT);
    assert_eq!(call(&daemon.socket, "POST", "/v1/apply", &largest).await.status, 200);
}

#[tokio::test]
async fn detach_is_answered_before_the_daemon_ends() {
    let daemon = fixture::daemon();
    let answer = call(&daemon.socket, "POST", "/v1/detach", "").await;
    assert_eq!(answer.body, json!({"operations": ["detached the program from eth0"]}));
    // The fixture's event loop has ended, and with it, soon, the server.
    let deadline = Instant::now() + Duration::from_secs(10);
    while Stream::connect(&daemon.socket).is_ok() {
        assert!(Instant::now() < deadline, "the server goes on without an event loop");
        time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server whose event loop is in the hands of the test.
fn bare(
    patience: Patience,
) -> (tempfile::TempDir, mpsc::Receiver<Request>, tokio::task::JoinHandle<()>) {
    let directory = tempfile::tempdir().unwrap();
    let listener = bind(&directory.path().join("s")).unwrap();
    let (sender, requests) = mpsc::channel(1);
    (directory, requests, tokio::spawn(serve_with(listener, sender, patience)))
}

#[tokio::test]
async fn a_request_that_the_event_loop_drops_is_unavailable() {
    let (directory, mut requests, _server) = bare(Patience::default());
    let socket = directory.path().join("s");
    let asking = tokio::spawn(async move { call(&socket, "GET", "/v1/status", "").await });
    drop(requests.recv().await.unwrap());
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.error().starts_with("the daemon is ending"), "{}", answer.body);
}

#[tokio::test]
async fn the_server_ends_with_the_event_loop_and_answers_first() {
    let (directory, mut requests, server) = bare(Patience::default());
    let socket = directory.path().join("s");
    let idle = Stream::connect(&socket).unwrap();
    let asking = tokio::spawn(async move { call(&socket, "GET", "/v1/status", "").await });
    let Some(Request::Status { reply }) = requests.recv().await else { panic!("not a status") };
    drop(requests);
    reply.send(Box::new(fixture::status())).unwrap();
    assert_eq!(asking.await.unwrap().status, 200);
    time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn clients_that_stop_in_the_middle_are_cut_off() {
    let short = Duration::from_millis(50);
    let patience = Patience { head: short, body: short, ..Patience::default() };
    let (directory, _requests, _server) = bare(patience);
    let socket = directory.path().join("s");
    assert_eq!(raw(&socket, "").await, "");
    let half_a_head = raw(&socket, "GET /v1/status HTTP/1.1\r\nHo").await;
    assert!(!half_a_head.contains("200"), "{half_a_head}");
    let half_a_body = "POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    let answer = parse(&raw(&socket, half_a_body).await);
    assert_eq!(answer.status, 408);
    assert!(answer.error().contains("did not arrive"), "{}", answer.body);
}

#[tokio::test]
async fn connections_do_not_last_for_ever() {
    let short = Duration::from_millis(50);
    let patience = Patience { connection: short, farewell: short, ..Patience::default() };
    let (directory, mut requests, _server) = bare(patience);
    let socket = directory.path().join("s");
    let asking =
        tokio::spawn(
            async move { raw(&socket, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").await },
        );
    let unanswered = requests.recv().await.unwrap();
    assert_eq!(asking.await.unwrap(), "");
    drop(unanswered);
}

#[tokio::test]
async fn the_socket_is_for_owner_and_group() {
    let directory = tempfile::tempdir().unwrap();
    let parent = directory.path().join("a/b");
    let path = parent.join("admin.sock");
    let _listener = bind(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(&parent), 0o755);
    let mut left: Vec<_> =
        fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["admin.sock", "admin.sock.lock"]);
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_a_stale_socket_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let first = bind(&path).unwrap();
    let error = bind(&path).unwrap_err().to_string();
    let expected = format!(
        "a daemon is running already on {}; stop it or choose another [daemon] admin",
        path.display()
    );
    assert_eq!(error, expected);
    drop(first);
    assert!(path.exists());
    let _second = bind(&path).unwrap();
    Stream::connect(&path).unwrap();
}

#[tokio::test]
async fn what_is_not_a_socket_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&path), Err(BindError::NotASocket { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert!(matches!(bind(Path::new("/")), Err(BindError::NoName { .. })));
    let below_a_file = bind(&path.join("s")).unwrap_err();
    assert!(matches!(below_a_file, BindError::Refused { .. }), "{below_a_file}");
}
