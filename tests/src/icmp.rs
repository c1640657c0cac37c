//! ICMP messages that arrive at a host, whoever they are for.

use std::{
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketType, ipproto, socket};

use crate::{interrupt, netns::Netns, topology::Family};

/// How long a message may take.
const BOUND: Duration = Duration::from_secs(5);
/// Without options, as everything here.
const IPV4_HEADER: usize = 20;

/// A message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Who sent it.
    pub from: IpAddr,
    /// Type, code, checksum and what follows.
    pub bytes: Vec<u8>,
}

/// Receives every message that arrives after it was made.
#[derive(Debug)]
pub struct Listener {
    socket: UdpSocket,
    family: Family,
}

impl Listener {
    /// A listener inside a namespace.
    pub fn new(netns: &Netns, family: Family) -> Result<Self> {
        let (domain, protocol) = match family {
            Family::V4 => (AddressFamily::INET, ipproto::ICMP),
            Family::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let raw = || Ok(socket(domain, SocketType::RAW, Some(protocol))?);
        let socket = UdpSocket::from(netns.enter(raw).context("cannot make a raw socket")?);
        socket.set_read_timeout(Some(BOUND))?;
        Ok(Self { socket, family })
    }

    /// The next message of a type; others are skipped.
    pub fn next(&self, kind: u8) -> Result<Message> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            interrupt::check()?;
            let (length, from) = self
                .socket
                .recv_from(&mut buffer)
                .with_context(|| format!("no ICMP message of type {kind}"))?;
            // In IPv4, raw sockets receive the IP header, too.
            let begin = if self.family == Family::V4 { IPV4_HEADER } else { 0 };
            if let Some(bytes) = buffer[..length].get(begin..)
                && bytes.first() == Some(&kind)
            {
                return Ok(Message { from: from.ip(), bytes: bytes.to_vec() });
            }
        }
    }
}
