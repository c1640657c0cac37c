//! Bodies that are larger than `max-body`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use tempfile::TempDir;

use super::{
    Scene, Server,
    frames::{Field, Outcome, ask},
    pool, with_limits,
};

const MOST: usize = 1000;

/// A listener of small bodies, a server behind it that repeats them, and how many it has got whole.
fn scene(http: &str) -> (Scene, Server, Arc<AtomicUsize>) {
    let whole = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&whole);
    let server = Server::new(move |asked| {
        count.fetch_add(1, SeqCst);
        let text = String::from_utf8(asked.body.to_vec()).unwrap();
        asked.ok(&text)
    });
    let limits = with_limits(&format!("max-body = {MOST}"));
    (Scene::new(&limits, &pool("web", &[&server], http)), server, whole)
}

/// The head of a request with a body, in the words of its framing.
fn head(framing: &str) -> String {
    format!("PUT / HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n")
}

fn chunked(length: usize) -> String {
    let half = length / 2;
    let chunks = [half, length - half].map(|it| format!("{it:x}\r\n{}\r\n", "x".repeat(it)));
    head("Transfer-Encoding: chunked") + &chunks.concat() + "0\r\n\r\n"
}

#[test]
fn a_body_that_says_that_it_is_too_large_reaches_nobody() {
    let (scene, server, whole) = scene("");
    let mut client = scene.connect();
    let right = "x".repeat(MOST);
    let answer = client.ask(&(head(&format!("Content-Length: {MOST}")) + &right));
    assert_eq!((answer.status, answer.text()), (200, &*right));
    let wrong = head(&format!("Content-Length: {}", MOST + 1));
    assert_eq!(client.ask(&wrong).status, 413, "before it has come");
    client.send("x".repeat(MOST + 1));
    assert_eq!(client.ask(&chunked(10)).status, 200, "the connection goes on");
    let expects = head(&format!("Content-Length: {}\r\nExpect: 100-continue", MOST + 1));
    assert_eq!(client.ask(&expects).status, 413, "it is not asked for");
    assert_eq!((server.requests(), whole.load(SeqCst)), (2, 2));
}

#[test]
fn a_body_without_a_length_is_cut_off_where_it_is_too_large() {
    let (scene, server, whole) = scene("retries = 5\neject-after = 1");
    let mut client = scene.connect();
    assert_eq!(client.ask(&chunked(MOST)).text().len(), MOST);
    let answer = client.ask(&chunked(MOST + 1));
    assert_eq!((answer.status, answer.text()), (413, "413 Payload Too Large\n"));
    assert_eq!(client.ask(&chunked(MOST)).status, 200, "the backend is not out");
    let requests = server.requests();
    assert!((2..=3).contains(&requests), "{requests}: nothing was sent twice");
    assert_eq!(whole.load(SeqCst), 2, "half a body is no body");
    let web = scene.desired().pools.keys().next().unwrap().clone();
    let counts = scene.proxy.backend(&web, server.address).unwrap();
    assert_eq!((counts.active, counts.failures), (0, 0));
}

#[test]
fn who_waited_to_be_asked_for_a_body_hears_that_it_is_too_large() {
    let (scene, _server, whole) = scene("");
    let mut client = scene.connect();
    client.send(head("Transfer-Encoding: chunked\r\nExpect: 100-continue"));
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    let all = chunked(1 << 20);
    client.send(all.split_once("\r\n\r\n").unwrap().1);
    assert_eq!(client.answer().status, 413);
    assert_eq!(client.ask(&chunked(9)).status, 200);
    assert_eq!(whole.load(SeqCst), 1);
}

#[test]
fn bodies_of_http_2_are_measured_too() {
    let (scene, server, whole) = scene("");
    let fields: Vec<Field<'_>> =
        vec![(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/")];
    let half = [b'x'; MOST / 2];
    let ask = |more: &[Field<'_>], body: &[&[u8]]| {
        ask(scene.at, &[&fields[..], more].concat(), Some(body), &[])
    };
    assert_eq!(ask(&[], &[&half, &half]), Outcome::Served);
    assert_eq!(ask(&[], &[&half, &half, b"x"]), Outcome::Refused);
    assert_eq!(whole.load(SeqCst), 1);
    let before = server.requests();
    assert_eq!(ask(&[(b"content-length", b"1001")], &[&half, &half, b"x"]), Outcome::Refused);
    assert_eq!(server.requests(), before);
}

/// A server that answers before it reads, and then tells whether what it reads came to its end.
fn early() -> (SocketAddr, mpsc::Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, whole) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf!").unwrap();
        let mut body = Vec::new();
        _ = reader.read_to_end(&mut body);
        told.send(body.ends_with(b"0\r\n\r\n")).unwrap();
    });
    (address, whole)
}

#[test]
fn an_answer_that_has_begun_ends_where_the_body_is_too_large() {
    let (address, whole) = early();
    let pools = format!("[[pool]]\nname = \"web\"\nbackends = [\"{address}\"]\n");
    let scene = Scene::new(&with_limits(&format!("max-body = {MOST}")), &pools);
    let mut client = scene.connect();
    client.send(head("Transfer-Encoding: chunked"));
    assert!(client.head().starts_with("HTTP/1.1 200 "));
    let mut half = [0; 5];
    client.stream.read_exact(&mut half).unwrap();
    client.send(chunked(MOST + 1).split_once("\r\n\r\n").unwrap().1);
    assert!(!whole.recv_timeout(super::PATIENCE).unwrap(), "the backend has no whole request");
    assert!(client.stream.read(&mut half).map_or(true, |read| read == 0));
}

#[test]
fn the_page_for_it_is_shown() {
    let directory = TempDir::new().unwrap();
    let page = directory.path().join("413.html");
    fs::write(&page, "too much").unwrap();
    let server = Server::named("web");
    let listener = format!(
        "error-pages = {{ 413 = \"{}\" }}\n{}",
        page.display(),
        with_limits(&format!("max-body = {MOST}"))
    );
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let declared = head("Content-Length: 1001") + &"x".repeat(MOST + 1);
    for request in [declared, chunked(MOST + 1)] {
        let answer = scene.ask(&request);
        assert_eq!((answer.status, answer.text()), (413, "too much"));
    }
}
