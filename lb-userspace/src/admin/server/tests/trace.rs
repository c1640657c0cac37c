//! `GET /v1/trace`: an answer that goes on.

use serde_json::Value;
use tokio::net::UnixStream as AsyncStream;

use super::{Duration, Patience, bind, call, raw, serve_with};
use crate::admin::{Request, fixture};

const GET: &str = "GET /v1/trace?filter=service%20web HTTP/1.1\r\nHost: x\r\n\r\n";

/// The lines in a chunked body (RFC 9112 section 7.1).
fn lines(answer: &str) -> Vec<Value> {
    let (head, mut body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && head.contains("transfer-encoding: chunked"));
    assert!(head.contains("content-type: application/x-ndjson"), "{head}");
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn packets_are_lines_of_json() {
    let daemon = fixture::daemon();
    let request = GET.replace("Host: x", "Host: x\r\nConnection: close");
    let found = lines(&raw(&daemon.socket, request).await);
    let expected: Vec<_> =
        fixture::traced().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    assert_eq!(found, expected);
    let (first, last) = (&found[0], &found[3]);
    assert_eq!((&first["event"], &last["event"]), (&"packet".into(), &"lost".into()));
    let bytes = first["before"]["bytes"].as_str().unwrap();
    assert!(bytes.starts_with("040404040404020202020202080045"), "{bytes}");
    assert_eq!((&first["before"]["length"], bytes.len()), (&54.into(), 108));
}

#[tokio::test]
async fn what_cannot_be_traced_is_refused() {
    let daemon = fixture::daemon();
    let cases = [
        ("?filter=service%20dns", 409, "another trace is running"),
        ("?filter=servce%20web", 400, "`filter` in the query: `servce` is no condition"),
        ("?service=web", 400, "`service` is no parameter of /v1/trace; write /v1/trace[?filter="),
        ("?filter=tcp&filter=udp", 400, "`filter` stands twice"),
        ("?filter=%zz", 400, "malformed percent escape"),
    ];
    for (query, status, fragment) in cases {
        let answer = call(&daemon.socket, "GET", &format!("/v1/trace{query}"), "").await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        assert!(answer.error().contains(fragment), "{query}: {}", answer.body);
    }
    assert_eq!(call(&daemon.socket, "POST", "/v1/trace", "").await.status, 405);
}

#[tokio::test]
async fn a_trace_may_last_longer_than_a_connection() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let listener = bind(&socket).unwrap();
    let (sender, mut requests) = tokio::sync::mpsc::channel(1);
    let short = Duration::from_millis(20);
    let patience = Patience { connection: short, farewell: short, ..Patience::default() };
    tokio::spawn(serve_with(listener, sender, patience));
    let stream = AsyncStream::connect(&socket).await.unwrap();
    stream.writable().await.unwrap();
    assert_eq!(stream.try_write(GET.as_bytes()).unwrap(), GET.len());
    let Some(Request::Trace { reply, .. }) = requests.recv().await else { panic!("no trace") };
    let (client, lines) = tokio::sync::mpsc::channel(1);
    reply.send(Ok(lines)).unwrap();
    tokio::time::sleep(10 * short).await;
    assert!(!client.is_closed(), "it was cut off");
    // Nothing needs to be sent for that to be seen.
    drop(stream);
    tokio::time::timeout(Duration::from_secs(10), client.closed()).await.unwrap();
}
