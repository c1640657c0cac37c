//! The packet of a flow that [`explain`](super::Dataplane::explain) is asked about.

use std::net::{IpAddr, SocketAddr};

use etherparse::{PacketBuilder, err::packet::BuildWriteError};

use crate::model::{FlowQuery, Protocol};

#[cfg(test)]
mod tests;

/// No packet leaves the host, so that no MAC address is right or wrong.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0];
const TTL: u8 = 64;
const WINDOW: u16 = 1024;

/// A frame of the flow with nothing in it.
pub fn frame(query: &FlowQuery) -> Result<Vec<u8>, BuildWriteError> {
    let (from, to) = (query.from(), query.to());
    let link = PacketBuilder::ethernet2(MAC, MAC);
    let ip = match (from, to.address) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            link.ipv4(from.ip().octets(), to.ip().octets(), TTL)
        }
        (from, to) => link.ipv6(octets(from.ip()), octets(to.ip()), TTL),
    };
    let (source, destination) = (from.port(), to.address.port());
    let mut frame = Vec::new();
    match (to.protocol, query.opening()) {
        (Protocol::Udp, _) => ip.udp(source, destination).write(&mut frame, &[]),
        (Protocol::Tcp, true) => {
            ip.tcp(source, destination, 1, WINDOW).syn().write(&mut frame, &[])
        }
        (Protocol::Tcp, false) => {
            ip.tcp(source, destination, 1, WINDOW).ack(1).write(&mut frame, &[])
        }
    }?;
    Ok(frame)
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
