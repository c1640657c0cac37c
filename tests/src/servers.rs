//! HTTP servers inside namespaces: the backends.
//!
//! `GET /` is answered with the name of the server, the client it sees and the one that a proxy tells
//! of, `GET /blob/SEED/LENGTH` with [`blob`], and `POST` of the same path with whether the blob arrived
//! as it should. The socket is made inside the namespace; the threads that serve it are ours.

use std::{
    io::{self, BufReader, ErrorKind},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::{Shutdown, shutdown};

use crate::{
    blob::{blob, damage},
    http::{self, Reply, Request},
    netns::Netns,
};

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_mins(1);
/// The answer to a blob that arrived as it should.
pub const INTACT: &str = "intact";
/// Largest blob that is served.
const LARGEST: usize = 64 << 20;

/// A running server; dropping it closes its listening socket and ends its connections.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    stopped: AtomicBool,
}

impl HttpServer {
    /// Starts a server that calls itself `name`.
    pub fn start(netns: &Netns, address: SocketAddr, name: &str) -> Result<Self> {
        let listener = netns.enter(|| {
            TcpListener::bind(address)
                .with_context(|| format!("{}: cannot listen on {address}", netns.name()))
        })?;
        let shared = Arc::new(Shared { name: name.to_owned(), stopped: AtomicBool::new(false) });
        let thread = {
            let (listener, shared) = (listener.try_clone()?, Arc::clone(&shared));
            thread::spawn(move || accept(&listener, &shared))
        };
        Ok(Self { listener, shared, thread: Some(thread) })
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; a socket that cannot be shut down has no connections.
        _ = shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.stopped.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, client)) => {
                let shared = Arc::clone(shared);
                // The client's end of a broken connection tells more than ours.
                thread::spawn(move || _ = serve(&stream, client, &shared));
            }
            // The client gave up before we came to it, or the socket was shut down.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn serve(stream: &TcpStream, client: SocketAddr, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(stream);
    while !reader.buffer().is_empty() || wait_for_request(stream, shared)? {
        let Some(request) = http::read_request(&mut reader)? else { break };
        let body = answer(&request, client, &shared.name);
        let reply = Reply { backend: shared.name.clone(), client, body };
        http::write_reply(&mut &*stream, &reply, request.close)?;
        if request.close {
            break;
        }
    }
    Ok(())
}

/// Waits until there is something to read; false if the server stops or the client is idle.
fn wait_for_request(stream: &TcpStream, shared: &Shared) -> io::Result<bool> {
    const STEP: Duration = Duration::from_millis(100);
    let mut waited = Duration::ZERO;
    stream.set_read_timeout(Some(STEP))?;
    while waited < IDLE && !shared.stopped.load(Ordering::Relaxed) {
        match stream.peek(&mut [0]) {
            Ok(_) => {
                stream.set_read_timeout(Some(IDLE))?;
                return Ok(true);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => waited += STEP,
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn answer(request: &Request, client: SocketAddr, name: &str) -> Vec<u8> {
    match blob_of(&request.path) {
        Some((seed, length)) if request.body.is_empty() => blob(seed, length.min(LARGEST)),
        Some((seed, length)) => {
            damage(seed, length, &request.body).unwrap_or_else(|| INTACT.to_owned()).into_bytes()
        }
        None => greeting(request, client, name).into_bytes(),
    }
}

fn greeting(request: &Request, client: SocketAddr, name: &str) -> String {
    let forwarded = request.forwarded_for.iter().map(|client| format!(" for {client}"));
    format!("{name} serves {client}{}\n", forwarded.collect::<String>())
}

/// Seed and length in `/blob/SEED/LENGTH`.
fn blob_of(path: &str) -> Option<(u64, usize)> {
    let (seed, length) = path.strip_prefix("/blob/")?.split_once('/')?;
    Some((seed.parse().ok()?, length.parse().ok()?))
}
