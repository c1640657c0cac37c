//! Tunnelled packets of our own making, sent by sockets of the kernel: what is sent is right by
//! itself, and no balancer is needed.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use etherparse::PacketBuilder;
use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket};
use tests::{netns::Netns, topology::Family};

/// How a packet is put into another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    Ipip,
    /// GUE of variant 1.
    Gue,
    /// GUE of variant 0.
    GueHeader,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Ipip, Self::Gue, Self::GueHeader];
}

/// Port of GUE.
const GUE: u16 = 6080;

/// A client whose questions go through a tunnel. Answers reach it directly.
pub(super) struct Client {
    /// Where answers arrive.
    answers: UdpSocket,
    /// Sends UDP, and IP of protocol 4 and 41, over IPv4 and IPv6.
    tunnels: Vec<Tunnel>,
    vip: SocketAddr,
}

/// A socket that sends to the backend.
struct Tunnel {
    outer: Family,
    /// Family of what it carries; none for UDP, which carries both.
    inner: Option<Family>,
    socket: OwnedFd,
}

impl Client {
    /// A client with an address, in the namespace where the tunnels begin.
    pub(super) fn new(netns: &Netns, client: IpAddr, vip: SocketAddr) -> Result<Self> {
        netns.enter(|| {
            let answers = UdpSocket::bind(SocketAddr::new(client, 0))?;
            let mut tunnels = Vec::new();
            for outer in Family::ALL {
                let family = match outer {
                    Family::V4 => AddressFamily::INET,
                    Family::V6 => AddressFamily::INET6,
                };
                for (inner, protocol) in [(Family::V4, ipproto::IPIP), (Family::V6, ipproto::IPV6)]
                {
                    let socket = socket(family, SocketType::RAW, Some(protocol))
                        .context("cannot make a raw socket")?;
                    tunnels.push(Tunnel { outer, inner: Some(inner), socket });
                }
                let socket = socket(family, SocketType::DGRAM, None)?;
                tunnels.push(Tunnel { outer, inner: None, socket });
            }
            Ok(Self { answers, tunnels, vip })
        })
    }

    /// Sends a question to the VIP, in a packet to the backend.
    pub(super) fn send(&self, way: Way, backend: IpAddr, payload: &[u8]) -> Result<()> {
        let packet = self.packet(payload)?;
        let family = |v4| if v4 { Family::V4 } else { Family::V6 };
        let (outer, inner) = (family(backend.is_ipv4()), family(self.vip.is_ipv4()));
        let protocol = match inner {
            Family::V4 => 4,
            Family::V6 => 41,
        };
        let (carries, port, bytes) = match way {
            Way::Ipip => (Some(inner), 0, packet),
            Way::Gue => (None, GUE, packet),
            Way::GueHeader => (None, GUE, [&[0, protocol, 0, 0], &packet[..]].concat()),
        };
        let tunnel = self
            .tunnels
            .iter()
            .find(|tunnel| tunnel.outer == outer && tunnel.inner == carries)
            .context("no such tunnel")?;
        let target = SocketAddr::new(backend, port);
        let sent = sendto(&tunnel.socket, &bytes, SendFlags::empty(), &target)
            .with_context(|| format!("cannot send to {target}"))?;
        ensure!(sent == bytes.len(), "{sent} of {} bytes sent", bytes.len());
        Ok(())
    }

    /// The answer to what was sent; nothing if there is none in time.
    pub(super) fn answer(&self, patience: Duration) -> Option<(SocketAddr, Vec<u8>)> {
        self.answers.set_read_timeout(Some(patience)).ok()?;
        let mut buffer = vec![0; 2048];
        let (length, from) = self.answers.recv_from(&mut buffer).ok()?;
        buffer.truncate(length);
        Some((from, buffer))
    }

    /// Where its answers arrive.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.answers.local_addr()?)
    }

    /// The IP packet of a question.
    fn packet(&self, payload: &[u8]) -> Result<Vec<u8>> {
        let (from, to) = (self.address()?, self.vip);
        let builder = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), 64)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), 64)
            }
            _ => anyhow::bail!("{from} and {to} are of two families"),
        };
        let mut bytes = Vec::new();
        builder.udp(from.port(), to.port()).write(&mut bytes, payload)?;
        Ok(bytes)
    }
}
