//! A server whose answers are a function of what it is asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// See the module. It lives until the tests end.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Connections that it has taken.
    pub(super) connections: Arc<AtomicUsize>,
    /// Heads of the requests that it has got.
    pub(super) seen: Arc<Mutex<Vec<String>>>,
}

/// What a server has been asked, and the connection.
pub(super) struct Asked<'a> {
    pub(super) head: &'a str,
    pub(super) body: &'a [u8],
    pub(super) stream: &'a mut TcpStream,
}

impl Asked<'_> {
    /// Answers with status 200.
    pub(super) fn ok(&mut self, body: &str) -> bool {
        self.raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }

    /// Answers with these bytes.
    pub(super) fn raw(&mut self, bytes: &str) -> bool {
        self.stream.write_all(bytes.as_bytes()).is_ok()
    }
}

impl Server {
    /// Answers by a function, which says whether the connection goes on.
    pub(super) fn new(answer: impl Fn(&mut Asked<'_>) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            seen: Arc::default(),
        };
        let (connections, seen) = (Arc::clone(&server.connections), Arc::clone(&server.seen));
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, SeqCst);
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                thread::spawn(move || serve(stream, &*answer, &seen));
            }
        });
        server
    }

    /// Answers everything with its name.
    pub(super) fn named(name: &'static str) -> Self {
        Self::new(move |asked| asked.ok(name))
    }

    /// An address at which nobody listens.
    pub(super) fn absent() -> Self {
        let address = super::free_port();
        Self { address, connections: Arc::default(), seen: Arc::default() }
    }

    pub(super) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(super) fn last(&self) -> String {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&mut Asked<'_>) -> bool,
    seen: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !reader.read_line(&mut head).is_ok_and(|read| read > 0) {
                return;
            }
        }
        seen.lock().unwrap().push(head.clone());
        let lower = head.to_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if lower.contains("transfer-encoding: chunked") && !chunks(&mut reader, &mut body) {
            return;
        }
        if !answer(&mut Asked { head: &head, body: &body, stream: &mut stream }) {
            return;
        }
    }
}

fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> bool {
    loop {
        let mut line = String::new();
        if !reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            return false;
        }
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        if reader.read_exact(&mut chunk).is_err() {
            return false;
        }
        if length == 0 {
            return true;
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
