//! Answers that no backend should give, and connections that must not be used again.

use std::{
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use super::{Scene, Server, eventually};

const FORGED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";

fn failures(scene: &Scene, server: &Server) -> u64 {
    scene.proxy.backend(&"web".parse().unwrap(), server.address).unwrap().failures
}

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

/// Of so many fields and bytes.
fn large(fields: usize, bytes: usize) -> String {
    let fields: Vec<_> = (1..fields).map(|nth| format!("x-{nth}: y\r\n")).collect();
    let padding = "x".repeat(bytes);
    format!("HTTP/1.1 200 {padding}\r\ncontent-length: 2\r\n{}\r\nhi", fields.concat())
}

#[test]
fn what_cannot_be_read_in_one_way_is_a_bad_gateway() {
    let bad: Vec<String> = [
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\0\0\0\0",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ncontent-length: 3,4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: é\r\n\r\nabc",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
    ]
    .iter()
    .map(|answer| (*answer).to_owned())
    .chain([large(101, 0), large(1, 70_000)])
    .collect();
    let most = [large(100, 0), large(1, 60_000)];
    let number = bad.len();
    let answers: Vec<String> = bad.iter().chain(&most).cloned().collect();
    let server = Server::new(move |asked| {
        let nth: usize = path(asked.head)[1..].parse().unwrap();
        asked.raw(&answers[nth]) && nth >= number
    });
    let scene = Scene::simple(&[&server], "retries = 0\neject-after = 0");
    for (nth, answer) in bad.iter().enumerate() {
        let answer = answer.get(..80).unwrap_or(answer).escape_debug();
        assert_eq!(scene.get(&format!("/{nth}")).status, 502, "{answer}");
        assert_eq!(failures(&scene, &server), nth as u64 + 1, "{answer}");
    }
    for nth in number..number + most.len() {
        let answer = scene.get(&format!("/{nth}"));
        assert_eq!((answer.status, answer.text()), (200, "hi"));
    }
    assert_eq!(failures(&scene, &server), number as u64);
}

#[test]
fn a_body_that_is_damaged_is_not_passed_on_as_whole() {
    let server = Server::new(|asked| {
        let rest = match path(asked.head) {
            "/size" => "5x\r\nhello\r\n0\r\n\r\n",
            "/sign" => "-5\r\nhello\r\n0\r\n\r\n",
            "/end" => "4\r\nhello\r\n0\r\n\r\n",
            "/line" => "5;a\n\r\nhello\r\n0\r\n\r\n",
            _ => "0\r\nno trailer\r\n\r\n",
        };
        asked.raw(&format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n{rest}"
        ))
    });
    let scene = Scene::simple(&[&server], "");
    for (nth, path) in ["/size", "/sign", "/end", "/line", "/trailer"].into_iter().enumerate() {
        let mut client = scene.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        // It may be that nothing of it is passed on.
        let mut heard = Vec::new();
        _ = std::io::Read::read_to_end(&mut client.stream, &mut heard);
        assert!(!heard.ends_with(b"0\r\n\r\n"), "{path}: {}", heard.escape_ascii());
        assert_eq!(server.connections.load(SeqCst), nth + 1, "{path}: it is not used again");
    }
}

/// Who gets another answer than its own may get that of somebody else.
#[test]
fn what_comes_behind_an_answer_is_nobodys() {
    let server = Server::new(|asked| {
        let begin = match path(asked.head) {
            "/length" => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "/chunks" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "/empty" => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 75\r\n\r\n",
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
            "/304" => "HTTP/1.1 304 Not Modified\r\ncontent-length: 75\r\n\r\n",
            next => return asked.ok(next),
        };
        asked.raw(&format!("{begin}{FORGED}"))
    });
    let scene = Scene::simple(&[&server], "retries = 0");
    let mut client = scene.connect();
    let cases = ["GET /length", "GET /chunks", "GET /empty", "HEAD /head", "GET /204", "GET /304"];
    for (nth, line) in cases.into_iter().enumerate() {
        let ask = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
        match line {
            "GET /length" | "GET /chunks" | "GET /empty" => _ = client.ask(&ask),
            _ => {
                client.send(&ask);
                client.head();
            }
        }
        let next = client.ask("POST /next HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!((next.status, next.text()), (200, "/next"), "behind {line}");
        // The one that was good is used for the next that spoils it.
        assert_eq!(server.connections.load(SeqCst), nth + 2, "behind {line}");
    }
    assert_eq!(failures(&scene, &server), 0);
}

const POST: &str = "POST /second HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn what_is_said_unasked_is_no_answer() {
    let stage = Arc::new(AtomicUsize::new(0));
    let reached = Arc::clone(&stage);
    let server = Server::new(move |asked| {
        // Or it would be said only once the answer is acknowledged, which may be by the next request.
        asked.stream.set_nodelay(true).unwrap();
        let name = path(asked.head).to_owned();
        if !asked.ok(&name) || name != "/first" {
            return true;
        }
        eventually("the answer has arrived", || reached.load(SeqCst) == 1);
        asked.raw(FORGED);
        reached.store(2, SeqCst);
        true
    });
    let scene = Scene::simple(&[&server], "retries = 0");
    for (nth, second) in [POST, "GET /second HTTP/1.1\r\nHost: h\r\n\r\n"].into_iter().enumerate() {
        // One worker serves both, so that it has the connection.
        let mut client = scene.connect();
        stage.store(0, SeqCst);
        assert_eq!(client.ask("GET /first HTTP/1.1\r\nHost: h\r\n\r\n").text(), "/first");
        stage.store(1, SeqCst);
        eventually("it is said", || stage.load(SeqCst) == 2);
        let before = server.connections.load(SeqCst);
        assert_eq!(client.ask(second).text(), "/second");
        assert_eq!(server.connections.load(SeqCst), before + 1, "round {nth}");
    }
    assert_eq!(failures(&scene, &server), 0);
}

/// What must not be sent twice is not sent by a connection that is known to be closed.
#[test]
fn a_kept_connection_that_was_closed_is_not_used() {
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let server = Server::new(move |asked| {
        let name = path(asked.head).to_owned();
        let answered = asked.ok(&name);
        if name == "/first" {
            asked.stream.shutdown(Shutdown::Both).unwrap();
            count.fetch_add(1, SeqCst);
        }
        answered
    });
    let scene = Scene::simple(&[&server], "retries = 0");
    let mut client = scene.connect();
    for nth in 1..20 {
        let first = client.ask("POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(first.text(), "/first");
        eventually("it is closed", || closed.load(SeqCst) == nth);
        let answer = client.ask(POST);
        assert_eq!((answer.status, answer.text()), (200, "/second"));
        assert_eq!(server.requests(), 2 * nth, "each arrives once");
    }
    assert_eq!(failures(&scene, &server), 0);
}
