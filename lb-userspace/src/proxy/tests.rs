//! The proxy between real sockets: raw clients, and servers that do as they are told.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod announcing;
mod answers;
mod balancing;
mod bodies;
mod callers;
mod compressing;
mod crowds;
mod failing;
mod following;
mod frames;
mod holding;
mod injecting;
mod large;
mod leaving;
mod logging;
mod odd_answers;
mod pages;
mod passing;
mod refusing;
mod resting;
mod secure;
mod server;
mod slow;
mod speaking;
mod standing_still;
mod streams;
mod to_https;
mod upstreams;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use self::server::Server;
use super::Proxy;
use crate::{config, model::Desired};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// By how much a limit may be missed, because the clock is coarse.
const GRAIN: Duration = Duration::from_millis(10);

/// A proxy with one listener.
struct Scene {
    proxy: Proxy,
    text: String,
    at: SocketAddr,
}

impl Scene {
    /// A listener with some lines of its own, and pools as given. `{}` in neither means anything.
    fn new(listener: &str, pools: &str) -> Self {
        let at = free_port();
        let text = format!("{pools}\n[[listener]]\nname = \"edge\"\nlisten = \"{at}\"\n{listener}");
        let mut scene = Self { proxy: Proxy::new(2), text, at };
        scene.follow(&scene.desired());
        scene
    }

    /// A listener that sends all to one pool, with some lines of `[pool.http]`.
    fn simple(servers: &[&Server], http: &str) -> Self {
        Self::new("pool = \"web\"", &pool("web", servers, http))
    }

    fn desired(&self) -> Desired {
        config::parse("f", &self.text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn follow(&mut self, desired: &Desired) {
        self.proxy.follow(desired, &BTreeSet::new()).unwrap();
    }

    fn connect(&self) -> Client {
        Client::to(self.at)
    }

    /// One request on a connection of its own.
    fn ask(&self, head: &str) -> Answer {
        self.connect().ask(head)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: www.example.org\r\n\r\n"))
    }
}

/// A listener that sends all to the pool `web`, with some lines of `[listener.client]`.
fn with_limits(lines: &str) -> String {
    format!("pool = \"web\"\n[listener.client]\n{lines}")
}

/// A pool in the words of the file.
fn pool(name: &str, servers: &[&Server], http: &str) -> String {
    let backends: Vec<_> = servers.iter().map(|server| format!("\"{}\"", server.address)).collect();
    let backends = backends.join(", ");
    format!("[[pool]]\nname = \"{name}\"\nbackends = [{backends}]\n[pool.http]\n{http}\n")
}

/// Two ends of a connection. That of the proxy does not block.
pub(super) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    (socket, client)
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits for something that must become true.
fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A client's connection.
struct Client {
    stream: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Client {
    fn to(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    fn ask(&mut self, head: &str) -> Answer {
        self.send(head);
        self.answer()
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let more = self.stream.read_line(&mut head).unwrap();
            assert!(more > 0, "the connection ended: {head:?}");
        }
        head
    }

    /// The next answer, to something else than HEAD.
    fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut answer.body).unwrap();
        } else if answer.header("transfer-encoding").is_some() {
            answer.body = self.chunks();
        }
        answer
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            self.stream.read_exact(&mut chunk).unwrap();
            if length == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    /// Whether the other end has closed.
    fn is_closed(&mut self) -> bool {
        self.stream.read(&mut [0]).is_ok_and(|read| read == 0)
    }
}
