//! TCP segments that open connections which nobody wants: SYNs from random addresses.
//!
//! They leave by raw sockets, so nothing on the client's side remembers them either.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with},
};

use crate::{interrupt, netns::Netns, random::Random, topology::Family};

/// Where the sources are, so that whoever wants to can tell them from others.
pub fn sources(family: Family) -> &'static str {
    match family {
        Family::V4 => "198.18.0.0/15",
        Family::V6 => "2001:db8:f100::/48",
    }
}

/// Segments being sent. Dropping it stops them.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Flood {
    /// Begins to send, as fast as it can, from inside a namespace.
    pub fn start(netns: &Netns, server: SocketAddr, threads: u8) -> Result<Self> {
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let start = |seed: u8| {
            let socket = netns.enter(|| raw_socket(server))?;
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            Ok(thread::spawn(move || send(&socket, server, seed.into(), &stop, &sent)))
        };
        let threads = (1..=threads).map(start).collect::<Result<_>>()?;
        Ok(Self { stop, sent, threads })
    }

    /// Segments sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Stops; how many were sent.
    pub fn finish(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        Ok(self.sent())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn raw_socket(server: SocketAddr) -> Result<OwnedFd> {
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    // IPPROTO_RAW: the IP header is ours.
    socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::RAW))
        .context("cannot make a raw socket")
}

fn send(
    socket: &OwnedFd,
    server: SocketAddr,
    seed: u64,
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> Result<()> {
    let mut random = Random::new(seed);
    let mut syn = Syn::new(server);
    // A raw socket wants no port.
    let to = SocketAddr::new(server.ip(), 0);
    while !stop.load(Ordering::Relaxed) && !interrupt::requested() {
        syn.randomise(&mut random);
        match sendto(socket, syn.bytes(), SendFlags::empty(), &to) {
            Ok(_) => _ = sent.fetch_add(1, Ordering::Relaxed),
            // A queue is full; the next may find room.
            Err(Errno::NOBUFS | Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot send a segment"),
        }
    }
    Ok(())
}

/// An IP packet with a TCP segment. Its TCP checksum is wrong: whoever receives it drops it anyway.
struct Syn {
    packet: Vec<u8>,
    ip_len: usize,
}

const TCP: u8 = 6;
const SYN: u8 = 2;

impl Syn {
    fn new(server: SocketAddr) -> Self {
        let mut packet = match server.ip() {
            IpAddr::V4(to) => {
                let mut header = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, TCP, 0, 0];
                header.extend_from_slice(&[198, 18, 0, 0]);
                header.extend_from_slice(&to.octets());
                header
            }
            IpAddr::V6(to) => {
                let mut header = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
                header.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0xf1, 0, 0, 0]);
                header.extend_from_slice(&[0; 8]);
                header.extend_from_slice(&to.octets());
                header
            }
        };
        let ip_len = packet.len();
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(&server.port().to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 5 << 4, SYN, 0xff, 0xff, 0, 0, 0, 0]);
        Self { packet, ip_len }
    }

    /// Another source address, port and sequence number.
    fn randomise(&mut self, random: &mut Random) {
        let (host, port) = (random.next().to_be_bytes(), random.next().to_be_bytes());
        let (ip, tcp) = self.packet.split_at_mut(self.ip_len);
        if ip.len() == 20 {
            // 198.18 or 198.19.
            ip[13..16].copy_from_slice(&[18 + (host[0] & 1), host[1], host[2]]);
        } else {
            ip[16..24].copy_from_slice(&host);
        }
        tcp[..2].copy_from_slice(&[port[0] | 0x80, port[1]]);
        tcp[4..8].copy_from_slice(&port[2..6]);
    }

    fn bytes(&self) -> &[u8] {
        &self.packet
    }
}
