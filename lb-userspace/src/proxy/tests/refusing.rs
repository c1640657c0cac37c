//! Requests that are refused before they go anywhere.

use std::io::Read;

use super::{Scene, Server};
use crate::proxy::strict::tests::corpus;

#[test]
fn what_is_no_proper_request_goes_nowhere() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let long = "x".repeat(20_000);
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), 400),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 405),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(100_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(150)), 431),
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET /public/../secret HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /public/%2e%2E/secret HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /./a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /a/.. HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
    ];
    for (head, status) in cases {
        let answer = scene.ask(&head);
        assert_eq!(answer.status, status, "{}", head.chars().take(60).collect::<String>());
    }
    assert_eq!(server.requests(), 0);
    let answer = scene.ask("GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.status, 200);
    assert!(server.last().starts_with("GET /x HTTP/1.1\r\n"), "{}", server.last());
}

/// What is wrong with a body is found when its head has been passed on: there is one request, and one answer.
#[test]
fn a_request_with_a_bad_body_is_answered_once() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!("0\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    for body in ["3\r\nabc\r\nZZ\r\n", "3\r\nabcXX", "0\r\nx : y\r\n\r\n", "0\nx", &long] {
        // At once, and after the request has begun.
        for pieces in [vec![chunked.to_owned() + body], vec![chunked.to_owned(), body.to_owned()]] {
            let mut client = scene.connect();
            for piece in &pieces {
                client.send(piece);
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            let mut heard = String::new();
            client.stream.read_to_string(&mut heard).unwrap();
            assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{body:?}: {heard}");
            assert!(heard.starts_with("HTTP/1.1 400 "), "{body:?}: {heard}");
        }
    }
}

/// Whatever two parsers could read differently never reaches a backend.
#[test]
fn ambiguous_requests_go_nowhere() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let cases = corpus::refused();
    for (bytes, fault) in &cases {
        let head = String::from_utf8_lossy(bytes);
        // What is wrong with a body is found when its head has been sent on; the other is HTTP/2.
        if head.starts_with(corpus::CHUNKED) || head.starts_with("PRI ") {
            continue;
        }
        let answer = scene.ask(&head);
        let shown: String = head.chars().take(60).collect();
        assert_eq!(answer.status, fault.status().as_u16(), "{fault:?}: {shown:?}");
    }
    assert_eq!(server.requests(), 0);
    assert!(cases.len() > 200, "{}", cases.len());
}
