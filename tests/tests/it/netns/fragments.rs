//! Datagrams larger than the MTU travel in fragments, of which only the first has ports, and arrive
//! whole in every forwarding mode, both ways.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use tests::{
    blob::blob,
    topology::{Family, Host},
    udp::{self, UdpClient, UdpServer},
};

use super::{
    scene::{Scene, Wants},
    tunnels::unpack,
};

/// Lengths of datagrams: of two, three and many fragments.
const LENGTHS: [usize; 4] = [2_000, 4_000, 9_000, 60_000];
/// Clients, each with a port of its own.
const CLIENTS: u64 = 10;
/// More than a fragment carries.
const LARGEST_FRAGMENT: usize = 1_480;

macro_rules! modes {
    ($($name:ident: $forward:literal, $inner:ident to $outer:ident;)+) => {
        $(
            #[test]
            fn $name() {
                let wants = Wants::new(Family::$inner, $forward);
                arrive_whole(Wants { backend_family: Family::$outer, ..wants });
            }
        )+
    };
}

modes! {
    nat_v4: "nat", V4 to V4;
    nat_v6: "nat", V6 to V6;
    full_nat_v4: "full-nat", V4 to V4;
    full_nat_v6: "full-nat", V6 to V6;
    dsr_v4: "dsr", V4 to V4;
    dsr_v6: "dsr", V6 to V6;
    ipip_4_in_4: "ipip", V4 to V4;
    ipip_6_in_6: "ipip", V6 to V6;
    ipip_6_in_4: "ipip", V6 to V4;
    gue_4_in_4: "gue", V4 to V4;
    gue_6_in_6: "gue", V6 to V6;
    gue_4_in_6: "gue", V4 to V6;
}

#[test]
fn generic() {
    arrive_whole(Wants { attach: "generic", ..Wants::new(Family::V4, "full-nat") });
}

#[test]
fn one_arm() {
    arrive_whole(Wants::new(Family::V6, "nat").one_arm());
}

fn arrive_whole(wants: Wants) {
    wants.scene(|scene| {
        let _decaps = match wants.forward {
            "ipip" | "gue" => unpack(scene)?,
            _ => Vec::new(),
        };
        ask(scene)?;
        let fragments = CLIENTS * LENGTHS.iter().map(|length| at_least(*length)).sum::<u64>();
        let forwarded = scene.counted("forwarded")?;
        ensure!(forwarded >= fragments, "{forwarded} forwarded, of {fragments} fragments");
        if matches!(wants.forward, "nat" | "full-nat") {
            let returned = scene.counted("returned")?;
            ensure!(returned >= fragments, "{returned} returned, of {fragments} fragments");
        }
        ensure!(scene.counted("fragment-unknown")? == 0, "a later fragment came first");
        Ok(())
    });
}

fn ask(scene: &Scene) -> Result<()> {
    let server = scene.network.vip();
    for n in 0..CLIENTS {
        let client = UdpClient::new(&scene.network.topology.client, server)?;
        let backend = client.ask(server, b"small")?.backend;
        for length in LENGTHS {
            let payload = blob(n, length);
            let echo = client.ask(server, &payload)?;
            ensure!(echo.payload == payload, "a datagram of {length} bytes came back changed");
            ensure!(echo.backend == backend, "{length} bytes went to another backend");
        }
    }
    Ok(())
}

#[test]
fn past_the_service_v4() {
    past_the_service(Family::V4);
}

#[test]
fn past_the_service_v6() {
    past_the_service(Family::V6);
}

/// To and from hosts that have to do with the service, but not by it: the balancer and its backends.
fn past_the_service(family: Family) {
    Wants::new(family, "nat").scene(|scene| {
        let topology = &scene.network.topology;
        let own = SocketAddr::new(topology.address(Host::BalancerFront, family), 9000);
        let _server = UdpServer::start(&topology.balancer, own, "balancer")?;
        let backend = scene.network.backend(1);
        let visits = [
            (&topology.client, own, "balancer"),
            (&*topology.balancer, backend, "backend1"),
            (&topology.client, backend, "backend1"),
        ];
        for (from, to, name) in visits.into_iter().cycle().take(9) {
            let payload = blob(1, LENGTHS[1]);
            let echo = udp::ask(from, to, &payload)?;
            ensure!(echo.payload == payload && echo.backend == name, "{to} asked {name}");
        }
        // And by the service, as if nothing had been.
        ask(scene)
    });
}

/// Fragments of a datagram.
fn at_least(length: usize) -> u64 {
    length.div_ceil(LARGEST_FRAGMENT) as u64
}
