//! Services with ranges of ports: any port of them, and replies from any port.

use std::net::SocketAddr;

use anyhow::Result;
use tests::{
    servers::HttpServer,
    topology::{Family, Host},
    udp::{self, UdpServer},
};

use super::{
    scene::{PORT, Scene, Wants, backend_name, curl},
    tunnels::unpack,
};

/// Ports of servers on every backend, and of the range.
const PORTS: [u16; 3] = [7000, 7042, 7099];
const RANGE: &str = "7000-7099";

modes! {
    in_mode:
    nat_v4: "nat", V4;
    nat_v6: "nat", V6;
    full_nat_v4: "full-nat", V4;
    full_nat_v6: "full-nat", V6;
    dsr_v4: "dsr", V4;
    dsr_v6: "dsr", V6;
    ipip_v4: "ipip", V4;
    gue_v6: "gue", V6;
}

/// `web` has a range, `echo` all ports but those of others.
fn in_mode(wants: Wants) {
    wants.network(|network| {
        let vip = network.vip();
        let config = network
            .config()
            .replace(&format!("{vip}/tcp"), &listen(vip, RANGE, "tcp"))
            .replace(&format!("{vip}/udp"), &listen(vip, "*", "udp"));
        network.start(&config, |scene| {
            scene.daemon.wait_resolved()?;
            every_port_is_served(scene)
        })
    });
}

fn listen(vip: SocketAddr, ports: &str, protocol: &str) -> String {
    match vip {
        SocketAddr::V4(vip) => format!("{}:{ports}/{protocol}", vip.ip()),
        SocketAddr::V6(vip) => format!("[{}]:{ports}/{protocol}", vip.ip()),
    }
}

fn every_port_is_served(scene: &Scene) -> Result<()> {
    let network = &scene.network;
    let Wants { forward, family, backends, .. } = network.wants;
    let _unpacking = if ["ipip", "gue"].contains(&forward) { unpack(scene)? } else { Vec::new() };
    let holds_vip = ["dsr", "ipip", "gue"].contains(&forward);
    let mut servers = Vec::new();
    for n in 1..=backends {
        let host = if holds_vip { Host::Vip } else { Host::Backend(n) };
        let ip = network.topology.address(host, family);
        for port in PORTS {
            let (netns, at) = (network.topology.backend(n), SocketAddr::new(ip, port));
            let http = HttpServer::start(netns, at, &backend_name(n))?;
            servers.push((http, UdpServer::start(netns, at, &backend_name(n))?));
        }
    }
    let client = &network.topology.client;
    for port in PORTS {
        let at = SocketAddr::new(network.vip().ip(), port);
        for _ in 0..4 {
            let greeting = curl(client, at)?;
            if forward != "full-nat" {
                assert_eq!(greeting.client, network.topology.address(Host::Client, family));
            }
            udp::ask(client, at, b"any port")?;
        }
    }
    // Next to the range is nothing of the service's.
    for port in [PORT, 6999, 7100] {
        let outside = SocketAddr::new(network.vip().ip(), port);
        assert!(curl(client, outside).is_err(), "port {port} is served");
    }
    // The backends' own connections are not taken for replies.
    if forward == "nat" {
        let to = network.topology.address(Host::Client, family);
        let at = SocketAddr::new(to, 7070);
        let _server = HttpServer::start(client, at, "client")?;
        let greeting = curl(network.topology.backend(1), at)?;
        assert_eq!(greeting.client, network.topology.address(Host::Backend(1), family));
    }
    Ok(())
}
