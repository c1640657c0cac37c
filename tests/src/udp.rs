//! UDP: a server that returns what it gets, with its name and the client it sees.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ip_ttl,
    set_ipv6_mtu_discover, set_ipv6_unicast_hops, set_socket_recv_buffer_size_force,
};

use crate::netns::Netns;

/// Largest datagram.
const LARGEST: usize = 1 << 16;
/// Room for datagrams while the reader does not get the processor.
pub(crate) const RECEIVE_BUFFER: usize = 8 << 20;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// A running server; dropping it closes its socket.
#[derive(Debug)]
pub struct UdpServer {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl UdpServer {
    /// Starts a server that calls itself `name`.
    pub fn start(netns: &Netns, address: SocketAddr, name: &str) -> Result<Self> {
        let socket = netns.enter(|| {
            UdpSocket::bind(address)
                .with_context(|| format!("{}: cannot listen on {address}", netns.name()))
        })?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)?;
        let stopped = Arc::<AtomicBool>::default();
        let (stop, name) = (Arc::clone(&stopped), name.to_owned());
        let thread = thread::spawn(move || echo(&socket, &name, &stop));
        Ok(Self { stopped, thread: Some(thread) })
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn echo(socket: &UdpSocket, name: &str, stopped: &AtomicBool) {
    let mut buffer = vec![0; LARGEST];
    while !stopped.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let head = format!("{name} {client} ");
        // A lost answer is what the client waits for in vain, and it says so.
        _ = socket.send_to(&[head.as_bytes(), &buffer[..length]].concat(), client);
    }
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Echo {
    /// Who answered.
    pub backend: String,
    /// The client that it saw.
    pub client: SocketAddr,
    /// What it returned.
    pub payload: Vec<u8>,
    /// Our end.
    pub local: SocketAddr,
}

/// A client with a port of its own.
#[derive(Debug)]
pub struct UdpClient(UdpSocket);

impl UdpClient {
    /// A client inside a namespace, for servers of the family of `server`.
    pub fn new(netns: &Netns, server: SocketAddr) -> Result<Self> {
        let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse()?;
        let socket = netns.enter(|| UdpSocket::bind(any).context("cannot make a UDP socket"))?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(Self(socket))
    }

    /// Has its datagrams sent whole or not at all.
    pub fn never_fragment(&self) -> Result<()> {
        if self.0.local_addr()?.is_ipv4() {
            set_ip_mtu_discover(&self.0, Ipv4PathMtuDiscovery::DO)?;
        } else {
            set_ipv6_mtu_discover(&self.0, Ipv6PathMtuDiscovery::DO)?;
        }
        Ok(())
    }

    /// Gives its datagrams a time to live, or hop limit.
    pub fn live_for(&self, hops: u8) -> Result<()> {
        if self.0.local_addr()?.is_ipv4() {
            set_ip_ttl(&self.0, hops.into())?;
        } else {
            set_ipv6_unicast_hops(&self.0, Some(hops))?;
        }
        Ok(())
    }

    /// Sends a datagram and waits for the answer, which must come from the address it was sent to.
    pub fn ask(&self, server: SocketAddr, payload: &[u8]) -> Result<Echo> {
        self.connect(server)?;
        self.send(payload)?;
        self.answer().with_context(|| format!("no answer from {server} to a datagram"))
    }

    /// Speaks to a server only, and takes nothing that comes from elsewhere; our end.
    pub fn connect(&self, server: SocketAddr) -> Result<SocketAddr> {
        self.0.connect(server)?;
        Ok(self.0.local_addr()?)
    }

    /// Sends a datagram to the server that it is connected to.
    pub fn send(&self, payload: &[u8]) -> io::Result<()> {
        self.0.send(payload).map(drop)
    }

    /// What ICMP told about earlier datagrams, if anything; it is told once.
    pub fn news(&self) -> Result<Option<io::Error>> {
        Ok(self.0.take_error()?)
    }

    /// Waits for an answer of the server that it is connected to.
    pub fn answer(&self) -> Result<Echo> {
        let mut buffer = vec![0; LARGEST];
        let length = self.0.recv(&mut buffer)?;
        buffer.truncate(length);
        parse(&buffer, self.0.local_addr()?).context("the answer is malformed")
    }
}

/// Sends a datagram from inside a namespace, from a port of its own, and waits for the answer.
pub fn ask(netns: &Netns, server: SocketAddr, payload: &[u8]) -> Result<Echo> {
    UdpClient::new(netns, server)?.ask(server, payload)
}

pub(crate) fn parse(answer: &[u8], local: SocketAddr) -> Option<Echo> {
    let mut parts = answer.splitn(3, |byte| *byte == b' ');
    let backend = String::from_utf8(parts.next()?.to_vec()).ok()?;
    let client = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some(Echo { backend, client, payload: parts.next()?.to_vec(), local })
}
