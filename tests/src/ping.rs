//! ICMP echo, without the program `ping`, which a small machine may lack.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::net::{AddressFamily, SocketType, ipproto, socket};

use crate::netns::Netns;

/// How long the answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// Sends one echo request from inside a namespace and waits for the reply.
pub fn ping(netns: &Netns, target: IpAddr) -> Result<()> {
    // Who may make such sockets: by default nobody at all.
    netns.sysctl("ipv4/ping_group_range", "0 2147483647")?;
    let (family, protocol, request, reply) = match target {
        // Message types of RFC 792 and RFC 4443.
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8, 0),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128, 129),
    };
    netns.enter(|| {
        // A datagram like any other for the standard library; the kernel adds identifier and
        // checksum.
        let socket = UdpSocket::from(socket(family, SocketType::DGRAM, Some(protocol))?);
        socket.connect(SocketAddr::new(target, 0))?;
        socket.set_read_timeout(Some(ANSWER))?;
        socket.send(&[request, 0, 0, 0, 0, 0, 0, 1, b'h', b'i'])?;
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer).with_context(|| format!("{target} is silent"))?;
        ensure!(
            length == 10 && answer[0] == reply && answer[8..10] == *b"hi",
            "{target} answered {:02x?}",
            &answer[..length]
        );
        Ok(())
    })
}
