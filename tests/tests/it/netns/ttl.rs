//! A packet whose time to live (hop limit) ends at the balancer: its sender is told, as by a router, so
//! that `traceroute` shows the VIP.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketType, connect, ipproto, socket,
        sockopt::{Timeout, set_ip_ttl, set_ipv6_unicast_hops, set_socket_timeout},
    },
};
use tests::{icmp::Listener, topology::Family, udp::UdpClient};

use super::{
    scene::{Scene, Wants},
    tunnels::unpack,
};

const BOUND: Duration = Duration::from_secs(5);
/// Length of the header of ICMP, behind which the refused packet is quoted.
const HEADER: usize = 8;

modes! {
    the_sender_is_told:
    nat_v4: "nat", V4;
    nat_v6: "nat", V6;
    full_nat_v4: "full-nat", V4;
    full_nat_v6: "full-nat", V6;
    dsr_v4: "dsr", V4;
    dsr_v6: "dsr", V6;
    ipip_v4: "ipip", V4;
    ipip_v6: "ipip", V6;
}

#[test]
fn generic() {
    the_sender_is_told(Wants { attach: "generic", ..Wants::new(Family::V4, "nat") });
}

#[test]
fn one_arm() {
    the_sender_is_told(Wants::new(Family::V6, "nat").one_arm());
}

fn the_sender_is_told(wants: Wants) {
    wants.scene(|scene| {
        let _decaps = if wants.forward == "ipip" { unpack(scene)? } else { Vec::new() };
        let _answers = scene.client_hears_answers()?;
        a_datagram(scene)?;
        ensure!(scene.counted("ttl-expired")? == 1, "of one datagram");
        // Only a message that is right in every part, the checksum included, ends this.
        let client = &scene.network.topology.client;
        let refused = client.enter(|| Ok(connect_for_one_hop(scene.network.vip())))?;
        ensure!(refused == Err(Errno::HOSTUNREACH), "a connection for one hop: {refused:?}");
        // A message that comes before the call has begun to wait is only noted, and the next counts.
        ensure!(scene.counted("ttl-expired")? >= 2, "of a datagram and a segment");
        Ok(())
    });
}

fn a_datagram(scene: &Scene) -> Result<()> {
    let (netns, family) = (&scene.network.topology.client, scene.network.wants.family);
    let server = scene.network.vip();
    let client = UdpClient::new(netns, server)?;
    // One hop further, and it arrives.
    client.live_for(2)?;
    client.ask(server, b"near?")?;
    let listener = Listener::new(netns, family)?;
    client.live_for(1)?;
    let local = client.connect(server)?;
    client.send(b"far?")?;
    // Time exceeded, in RFC 792 and RFC 4443.
    let (kind, transport) = match family {
        Family::V4 => (11, 20),
        Family::V6 => (3, 40),
    };
    let message = listener.next(kind)?;
    ensure!(message.from == server.ip(), "{} told it", message.from);
    ensure!(message.bytes[1] == 0, "not in transit, but of code {}", message.bytes[1]);
    let ports = [local.port().to_be_bytes(), server.port().to_be_bytes()].concat();
    let quoted = message.bytes.get(HEADER + transport..);
    ensure!(quoted.is_some_and(|quoted| quoted.starts_with(&ports)), "{message:02x?} is of others");
    Ok(())
}

/// How an attempt to connect by segments that live for one hop ends.
fn connect_for_one_hop(server: SocketAddr) -> Result<(), Errno> {
    let tcp = |family| socket(family, SocketType::STREAM, Some(ipproto::TCP));
    let socket = match server {
        SocketAddr::V4(_) => {
            let socket = tcp(AddressFamily::INET)?;
            set_ip_ttl(&socket, 1)?;
            socket
        }
        SocketAddr::V6(_) => {
            let socket = tcp(AddressFamily::INET6)?;
            set_ipv6_unicast_hops(&socket, Some(1))?;
            socket
        }
    };
    set_socket_timeout(&socket, Timeout::Send, Some(BOUND))?;
    connect(&socket, &server)
}
