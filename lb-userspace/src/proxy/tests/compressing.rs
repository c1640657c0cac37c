//! Answers that are compressed on their way.

use std::{
    io::{BufRead, Read, Write},
    sync::{Arc, Mutex, mpsc},
};

use super::{Answer, Client, PATIENCE, Scene, Server, eventually, pool};
use crate::model::listener::Coding;

const ON: &str = "compression = [\"zstd\", \"br\", \"gzip\"]\npool = \"web\"";

/// A text that is not all the same.
fn text(lines: usize) -> String {
    let line = |nth: usize| format!("line {nth} of {lines}, {}\n", nth * 7919 % 104_729);
    (0..lines).map(line).collect::<Vec<_>>().concat()
}

fn ask(client: &mut Client, method: &str, path: &str, more: &str) -> Answer {
    client.ask(&format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n"))
}

fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    match coding {
        Coding::Zstd => zstd::stream::copy_decode(bytes, &mut all).map(|()| 0),
        Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut all),
        Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut all),
    }
    .unwrap();
    all
}

#[test]
fn each_coding_gives_the_same_bytes() {
    let large = text(40_000);
    let sent = large.clone();
    let server = Server::new(move |asked| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\netag: \"a\"\r\n";
        if asked.head.starts_with("GET /chunks") {
            asked.raw(&format!("{head}transfer-encoding: chunked\r\n\r\n"));
            for piece in sent.as_bytes().chunks(10_007) {
                asked.raw(&format!("{:x}\r\n", piece.len()));
                asked.stream.write_all(piece).unwrap();
                asked.raw("\r\n");
            }
            return asked.raw("0\r\n\r\n");
        }
        asked.raw(&format!("{head}content-length: {}\r\n\r\n{sent}", sent.len()))
    });
    let scene = Scene::new(ON, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip] {
        for path in ["/length", "/chunks"] {
            let accept = format!("Accept-Encoding: {}\r\n", coding.name());
            let answer = ask(&mut client, "GET", path, &accept);
            assert_eq!(answer.header("content-encoding"), Some(coding.name()));
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            assert_eq!(answer.header("etag"), Some("W/\"a\""));
            assert_eq!(answer.header("content-length"), None);
            assert!(answer.body.len() < large.len() / 2, "{}", answer.body.len());
            assert!(decoded(coding, &answer.body) == large.as_bytes(), "{path} {coding:?}");
        }
    }
    let answer = ask(&mut client, "GET", "/length", "Accept-Encoding: br;q=0, identity\r\n");
    assert_eq!((answer.header("content-encoding"), answer.header("etag")), (None, Some("\"a\"")));
    assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    assert!(answer.body == large.as_bytes());
    let head = client.ask_head("/length");
    let length = format!("content-length: {}\r\n", large.len());
    assert!(head.contains(&length) && head.contains("vary: Accept-Encoding\r\n"), "{head}");
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 1, "it is kept");
}

impl Client {
    fn ask_head(&mut self, path: &str) -> String {
        self.send(format!("HEAD {path} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"));
        self.head()
    }
}

#[test]
fn what_the_backend_has_coded_is_not_coded_again() {
    let server = Server::new(|asked| {
        let body = "x".repeat(3000);
        asked.raw(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    });
    let scene = Scene::new(ON, &pool("web", &[&server], ""));
    let answer = ask(&mut scene.connect(), "GET", "/", "Accept-Encoding: br, gzip\r\n");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.body, "x".repeat(3000).as_bytes());
    assert!(server.last().contains("br, gzip"), "the backend may choose first");
}

#[test]
fn our_own_answers_are_compressed_too() {
    let long = "not here, ".repeat(100);
    let listener = format!(
        "compression = [\"gzip\"]\n[[listener.route]]\npath = \"/own\"\nrespond = {{ status = 404, body = \"{long}\" }}"
    );
    let scene = Scene::new(&listener, "");
    let mut client = scene.connect();
    let answer = ask(&mut client, "GET", "/own", "Accept-Encoding: br, gzip\r\n");
    assert_eq!((answer.status, answer.header("content-encoding")), (404, Some("gzip")));
    assert_eq!(decoded(Coding::Gzip, &answer.body), long.as_bytes());
    let answer = ask(&mut client, "GET", "/none", "Accept-Encoding: gzip\r\n");
    assert_eq!((answer.text(), answer.header("content-encoding")), ("404 no route\n", None));
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
    client.send("GET /own HTTP/1.0\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(client.head().contains("content-encoding: gzip"));
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).unwrap();
    assert_eq!(decoded(Coding::Gzip, &rest), long.as_bytes());
}

#[test]
fn events_arrive_when_they_happen() {
    let (events, happen) = mpsc::channel::<String>();
    let happen = Arc::new(Mutex::new(happen));
    let server = Server::new(move |asked| {
        asked.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
        let happen = happen.lock().unwrap();
        while let Ok(event) = happen.recv_timeout(PATIENCE) {
            asked.raw(&format!("{:x}\r\n{event}\r\n", event.len()));
            if event == "data: end\n\n" {
                break;
            }
        }
        asked.raw("0\r\n\r\n")
    });
    let scene = Scene::new(ON, &pool("web", &[&server], ""));
    for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip] {
        let mut client = scene.connect();
        let name = coding.name();
        client.send(format!("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {name}\r\n\r\n"));
        assert!(client.head().contains(&format!("content-encoding: {name}")));
        let mut decoder = Decoding::new(coding);
        let mut all = String::new();
        for event in ["data: 1\n\n", "data: 2\n\n", "data: end\n\n"] {
            // The next one happens only when the one before has arrived.
            events.send(event.to_owned()).unwrap();
            all.push_str(event);
            while decoder.text() != all {
                decoder.add(&client.chunk().unwrap());
            }
        }
        while let Some(chunk) = client.chunk() {
            decoder.add(&chunk);
        }
        assert_eq!(decoder.text(), all);
    }
    let counts = || scene.proxy.backend(&"web".parse().unwrap(), server.address).unwrap();
    eventually("all places are free", || counts().active == 0);
}

impl Client {
    /// The next chunk, unless it is the last.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }
}

/// Decodes what has come so far.
struct Decoding {
    writer: Box<dyn Write>,
    out: Out,
}

/// Where a decoder writes to.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Decoding {
    fn new(coding: Coding) -> Self {
        let out = Out::default();
        let to = out.clone();
        let writer: Box<dyn Write> = match coding {
            Coding::Zstd => Box::new(zstd::stream::write::Decoder::new(to).unwrap()),
            Coding::Gzip => Box::new(flate2::write::GzDecoder::new(to)),
            Coding::Brotli => Box::new(brotli::DecompressorWriter::new(to, 1 << 20)),
        };
        Self { writer, out }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
        self.writer.flush().unwrap();
    }

    fn text(&self) -> String {
        String::from_utf8(self.out.0.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn trailers_follow_the_last_byte() {
    let body = text(1000);
    let sent = body.clone();
    let server = Server::new(move |asked| {
        asked.raw(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{sent}\r\n0\r\nx-sum: 7\r\n\r\n",
            sent.len()
        ))
    });
    let scene = Scene::new(ON, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: te\r\nAccept-Encoding: gzip\r\n\r\n");
    client.head();
    let mut coded = Vec::new();
    loop {
        let mut line = String::new();
        client.stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        if length == 0 {
            break;
        }
        let mut chunk = vec![0; length + 2];
        client.stream.read_exact(&mut chunk).unwrap();
        coded.extend_from_slice(&chunk[..length]);
    }
    assert!(client.head().contains("x-sum: 7\r\n"));
    assert_eq!(decoded(Coding::Gzip, &coded), body.as_bytes());
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let server = Server::new(|asked| {
        asked.raw(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9999\r\n\r\n{}",
            text(100)
        ));
        false
    });
    let scene = Scene::new(ON, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    client.head();
    let mut rest = Vec::new();
    _ = client.stream.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

#[test]
fn who_does_not_read_a_compressed_answer_stops_who_writes() {
    let server = Server::new(|asked| {
        asked.raw(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000000000\r\n\r\n",
        );
        let mut random = fastrand::Rng::with_seed(7);
        let piece: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(64 << 10).collect();
        let mut written = 0;
        while written < 1_000_000_000 && asked.stream.write_all(&piece).is_ok() {
            written += piece.len();
            asked.stream.set_write_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        }
        STOPPED.store(written, std::sync::atomic::Ordering::SeqCst);
        false
    });
    let scene = Scene::new(ON, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    client.head();
    eventually("the server is stopped", || STOPPED.load(std::sync::atomic::Ordering::SeqCst) > 0);
    // What sockets hold; the proxy itself holds next to nothing.
    assert!(STOPPED.load(std::sync::atomic::Ordering::SeqCst) < 64 << 20);
}

static STOPPED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
