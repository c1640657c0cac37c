//! Requests that are refused before they go anywhere.

use super::{Scene, Server};

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
