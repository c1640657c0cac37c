//! Tests of the client: what it says when a call comes to nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    thread,
};

use super::*;
use crate::admin::{
    fixture,
    types::{Apply, Changed, NewBackend, Status},
};

async fn failure(client: &Client) -> ClientError {
    client.get::<Status>("/v1/status").await.unwrap_err()
}

#[tokio::test]
async fn calls_reach_the_daemon() {
    let daemon = fixture::daemon();
    let client = Client::new(daemon.socket.clone());
    let status: Status = client.get("/v1/status").await.unwrap();
    assert_eq!(status.pid, 4242);
    let new =
        NewBackend { address: fixture::address("[2001:db8::5]:53"), weight: fixture::weight(2) };
    let changed: Changed = client.send(Method::POST, "/v1/pools/dns/backends", &new).await.unwrap();
    assert_eq!(changed.operations, ["done"]);
}

#[tokio::test]
async fn refusals_are_the_daemons_own_lines() {
    let daemon = fixture::daemon();
    let client = Client::new(daemon.socket.clone());
    let apply = Apply { file: "f".to_owned(), text: "invalid".to_owned(), dry_run: false };
    let error = client.send::<Changed>(Method::POST, "/v1/apply", &apply).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { status, .. } if status == 422), "{error:?}");
    assert_eq!(error.to_string(), "f:1:1: this is wrong\nf:2:3: that is wrong, too");
}

#[tokio::test]
async fn a_body_too_large_is_not_sent() {
    let text = "x".repeat(BODY_LIMIT);
    let apply = Apply { file: "f".to_owned(), text, dry_run: false };
    let client = Client::new("/nonexistent".into());
    let error = client.send::<Changed>(Method::POST, "/v1/apply", &apply).await.unwrap_err();
    assert!(error.to_string().contains("more than the 16777216"), "{error}");
}

#[tokio::test]
async fn an_absent_daemon_is_told_from_a_dead_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let client = Client::new(socket.clone());
    let path = socket.display();
    let error = failure(&client).await;
    assert!(error.is_absent());
    let expected = format!(
        "the daemon is not running (no socket at {path}); start it with `shunt run --config FILE`, or name its socket with --socket"
    );
    assert_eq!(error.to_string(), expected);
    drop(UnixListener::bind(&socket).unwrap());
    let error = failure(&client).await;
    assert!(error.is_absent());
    let expected = format!("the daemon has ended (nobody answers on {path}); ");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn failed_connections_say_what_to_do() {
    let client = Client::new("/s".into());
    let denied = client.unconnected(ErrorKind::PermissionDenied.into());
    let expected = "no permission to use /s; run as root or join the group that owns the socket";
    assert_eq!(denied.to_string(), expected);
    assert!(!denied.is_absent());
    let other = client.unconnected(io::Error::from_raw_os_error(104));
    assert!(other.to_string().starts_with("cannot connect to /s: Connection reset"), "{other}");
}

/// A server that reads a little, answers with fixed bytes and closes.
fn impostor(answer: &'static str) -> (tempfile::TempDir, Client) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        _ = stream.read(&mut [0; 1024]);
        _ = stream.write_all(answer.as_bytes());
    });
    (directory, Client::new(socket))
}

#[tokio::test]
async fn other_programs_are_recognised() {
    let cases = [
        ("", "no proper answer on"),
        ("220 mail.example.org ESMTP\r\n", "no proper answer on"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "missing field"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", "status 502 Bad Gateway"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", "no proper answer on"),
    ];
    for (answer, expected) in cases {
        let (_directory, client) = impostor(answer);
        let error = failure(&client).await;
        assert!(matches!(error, ClientError::Protocol { .. }), "{answer}: {error}");
        assert!(error.to_string().contains(expected), "{answer}: {error}");
        assert_eq!(error.to_string().lines().count(), 1, "{answer}: {error}");
    }
}

#[tokio::test]
async fn a_daemon_that_hangs_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let client = Client { socket, patience: Duration::from_millis(50) };
    let error = failure(&client).await;
    assert!(error.to_string().contains("so it is unknown what was done"), "{error}");
}
