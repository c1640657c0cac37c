//! Bodies are streamed both ways.

use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::{Scene, Server};

/// Bytes of a large body.
const LARGE: usize = 20 << 20;

#[test]
fn large_bodies_arrive_whole_in_both_framings() {
    let server = Server::new(|asked| {
        let sum: u64 = asked.body.iter().map(|byte| u64::from(*byte)).sum();
        let head = format!(
            "HTTP/1.1 200 OK\r\nx-sum: {sum}\r\ncontent-length: {}\r\n\r\n",
            asked.body.len()
        );
        let body = asked.body;
        asked.stream.write_all(head.as_bytes()).and_then(|()| asked.stream.write_all(body)).is_ok()
    });
    let scene = Scene::simple(&[&server], "");
    let body: Vec<u8> = (0..LARGE).map(|nth| (nth * 31 % 251).to_le_bytes()[0]).collect();
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    for chunked in [false, true] {
        let mut client = scene.connect();
        let mut sender = client.stream.get_ref().try_clone().unwrap();
        let sent = body.clone();
        let sending = thread::spawn(move || {
            let framing = if chunked {
                "Transfer-Encoding: chunked".to_owned()
            } else {
                format!("Content-Length: {}", sent.len())
            };
            write!(sender, "POST / HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n").unwrap();
            for piece in sent.chunks(100_000) {
                if chunked {
                    write!(sender, "{:x}\r\n", piece.len()).unwrap();
                }
                sender.write_all(piece).unwrap();
                if chunked {
                    sender.write_all(b"\r\n").unwrap();
                }
            }
            if chunked {
                sender.write_all(b"0\r\n\r\n").unwrap();
            }
        });
        let answer = client.answer();
        sending.join().unwrap();
        assert_eq!(answer.header("x-sum"), Some(&*sum.to_string()));
        assert!(answer.body == body, "the same bytes come back");
    }
}

#[test]
fn who_does_not_read_stops_who_writes() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let server = Server::new(move |asked| {
        asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        let piece = vec![7; 64 << 10];
        while asked.stream.write_all(&piece).is_ok() {
            count.fetch_add(piece.len(), SeqCst);
        }
        false
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    let mut before = 0;
    super::eventually("the server is stopped", || {
        thread::sleep(Duration::from_millis(300));
        let now = written.load(SeqCst);
        let stopped = now > 0 && now == before;
        before = now;
        stopped
    });
    // What sockets hold; the proxy itself holds next to nothing.
    assert!(written.load(SeqCst) < 64 << 20, "{} bytes", written.load(SeqCst));
    // And it goes on when the client reads.
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..32 {
        client.stream.read_exact(&mut buffer).unwrap();
    }
    super::eventually("the server goes on", || written.load(SeqCst) > before);
}

#[test]
fn a_client_that_expects_to_be_told_is_told_to_go_on() {
    let server = Server::new(|asked| {
        let text = String::from_utf8(asked.body.to_vec()).unwrap();
        asked.ok(&text)
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert_eq!(client.answer().text(), "body");
    assert!(!server.last().to_lowercase().contains("expect"), "{}", server.last());
    // Who is refused need not send it.
    let scene = Scene::new("[[listener.route]]\nrespond = 403", "");
    let mut client = scene.connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.answer().status, 403);
}

#[test]
fn an_answer_without_a_length_is_passed_on_in_chunks() {
    let server = Server::new(|asked| {
        asked.raw("HTTP/1.1 200 OK\r\n\r\nuntil the end");
        false
    });
    let scene = Scene::simple(&[&server], "");
    let answer = scene.get("/");
    assert_eq!(
        (answer.text(), answer.header("transfer-encoding")),
        ("until the end", Some("chunked"))
    );
}

#[test]
fn an_answer_that_breaks_off_is_not_passed_on_as_whole() {
    let server = Server::new(|asked| {
        asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        false
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    let mut rest = Vec::new();
    _ = client.stream.read_to_end(&mut rest);
    assert_eq!(rest, b"half");
}

/// Where the answer does not wait for the body.
const EARLY: &str = "[[listener.route]]\npath = \"/own\"\nrespond = 403\n";

#[test]
fn a_body_that_nobody_wants_is_read_and_the_connection_goes_on() {
    let scene = Scene::new(EARLY, "");
    let body = "x".repeat(LARGE / 4);
    for (path, status) in [("/own", 403), ("/none", 404)] {
        let mut client = scene.connect();
        for _ in 0..2 {
            let length = body.len();
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(client.ask(&head).status, status, "the answer is there before the body");
            client.send(&body);
        }
        assert_eq!(client.ask("GET /own HTTP/1.1\r\nHost: h\r\n\r\n").status, 403);
    }
}

#[test]
fn who_waits_to_send_a_body_is_not_asked_for_one_that_nobody_wants() {
    let scene = Scene::new(EARLY, "");
    let mut client = scene.connect();
    let head = "POST /own HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.ask(head).status, 403);
    assert!(client.is_closed(), "what comes next could be the body or a request");
}
