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
    let socket = echo_socket(netns, target)?;
    socket.send(&request(target))?;
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer).with_context(|| format!("{target} is silent"))?;
    ensure!(
        length == 10 && answer[0] == reply(target) && answer[8..10] == *b"hi",
        "{target} answered {:02x?}",
        &answer[..length]
    );
    Ok(())
}

/// Sends echo requests from inside a namespace, as fast as it can, and waits for no reply.
pub fn burst(netns: &Netns, target: IpAddr, requests: u32) -> Result<()> {
    let socket = echo_socket(netns, target)?;
    (0..requests).try_for_each(|_| Ok(socket.send(&request(target)).map(drop)?))
}

/// A datagram socket like any other for the standard library; the kernel adds identifier and
/// checksum.
fn echo_socket(netns: &Netns, target: IpAddr) -> Result<UdpSocket> {
    // Who may make such sockets: by default nobody at all.
    netns.sysctl("ipv4/ping_group_range", "0 2147483647")?;
    let (family, protocol) = match target {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    netns.enter(|| {
        let socket = UdpSocket::from(socket(family, SocketType::DGRAM, Some(protocol))?);
        socket.connect(SocketAddr::new(target, 0))?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(socket)
    })
}

/// Message types of RFC 792 and RFC 4443.
fn request(target: IpAddr) -> [u8; 10] {
    [if target.is_ipv4() { 8 } else { 128 }, 0, 0, 0, 0, 0, 0, 1, b'h', b'i']
}

fn reply(target: IpAddr) -> u8 {
    if target.is_ipv4() { 0 } else { 129 }
}
