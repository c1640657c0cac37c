//! One side of the balancer has smaller packets than the other, without any tunnel: who sends more is
//! told, and sends less.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{
    blob::blob,
    load::{self, Load},
    topology::{Arms, BALANCER_PORT, Family, Host},
    udp::UdpClient,
    wait,
};

use super::{
    passing,
    scene::{Scene, Wants},
};

/// What the narrow side has room for.
const MTU: u16 = 1_300;
const BYTES: usize = 1 << 20;
const TRANSFERS: usize = 16;
const DATAGRAM: usize = 4_000;
const BOUND: Duration = Duration::from_secs(10);

modes! {
    towards_backends:
    towards_backends_nat_v4: "nat", V4;
    towards_backends_nat_v6: "nat", V6;
    towards_backends_full_nat_v4: "full-nat", V4;
    towards_backends_full_nat_v6: "full-nat", V6;
    towards_backends_dsr_v4: "dsr", V4;
    towards_backends_dsr_v6: "dsr", V6;
}

/// The balancer tells the client. The backends' announcements do not: they know of wide links only.
fn towards_backends(wants: Wants) {
    wants.network(|network| {
        let topology = &network.topology;
        let back = wants.arms.interfaces()[1];
        topology.balancer.ip(&format!("link set {back} mtu {MTU}"))?;
        // What backends send must fit, too, for nobody would tell them: the link is theirs.
        let (flag, vip) = (wants.family.flag(), network.vip().ip());
        let segment = MTU - 60;
        topology.client.ip(&format!("{flag} route add {vip} dev eth0 advmss {segment}"))?;
        let config = network.config();
        network.start(&config, |scene| {
            scene.daemon.wait_resolved()?;
            let _answers = scene.client_hears_answers()?;
            transfer(scene)?;
            ensure!(scene.counted("too-big")? > 0, "no segment was too big");
            let route = scene.network.topology.client.ip(&format!("{flag} route get {vip}"))?;
            ensure!(route.contains(&format!(" mtu {MTU}")), "not {MTU}, but: {route}");
            Ok(())
        })
    });
}

modes! {
    towards_clients:
    towards_clients_nat_v4: "nat", V4;
    towards_clients_nat_v6: "nat", V6;
    towards_clients_full_nat_v4: "full-nat", V4;
    towards_clients_full_nat_v6: "full-nat", V6;
}

/// The backend is told: in `nat` by the kernel of the balancer, in `full-nat` by the program.
fn towards_clients(wants: Wants) {
    wants.scene(|scene| {
        let _answers = passing::attach(&scene.network.topology.switch, BALANCER_PORT)?;
        narrow_the_way_to_the_client(scene)?;
        transfer(scene)?;
        let reason = if wants.forward == "nat" { "reply-too-big" } else { "too-big" };
        ensure!(scene.counted(reason)? > 0, "no reply was too big");
        Ok(())
    });
}

modes! {
    fragments_towards_clients:
    fragments_towards_clients_nat_v4: "nat", V4;
    fragments_towards_clients_nat_v6: "nat", V6;
    fragments_towards_clients_full_nat_v4: "full-nat", V4;
    fragments_towards_clients_full_nat_v6: "full-nat", V6;
}

/// Fragments of answers are too large themselves. In IPv4, the balancer's kernel cuts them into smaller
/// ones; in IPv6, the first answer is lost, and the backend learns.
fn fragments_towards_clients(wants: Wants) {
    wants.scene(|scene| {
        let _answers = passing::attach(&scene.network.topology.switch, BALANCER_PORT)?;
        narrow_the_way_to_the_client(scene)?;
        let (netns, server) = (&scene.network.topology.client, scene.network.vip());
        let client = UdpClient::new(netns, server)?;
        client.ask(server, b"small")?;
        let payload = blob(1, DATAGRAM);
        let ask = || client.ask(server, &payload);
        let echo = match wants.family {
            Family::V4 => ask()?,
            Family::V6 => wait::until("an answer in small fragments", BOUND, ask)?,
        };
        ensure!(echo.payload == payload, "a datagram came back changed");
        let told = wants.family == Family::V6 && wants.forward == "full-nat";
        let reason = if told { "too-big" } else { "reply-too-big" };
        ensure!(scene.counted(reason)? > 0, "no fragment was too big");
        Ok(())
    });
}

fn narrow_the_way_to_the_client(scene: &Scene) -> Result<()> {
    let (topology, family) = (&scene.network.topology, scene.network.wants.family);
    let client = topology.address(Host::Client, family);
    let (flag, bits, front) = (family.flag(), family.bits(), Arms::Two.front());
    let route = format!("{flag} route add {client}/{bits} dev {front} mtu lock {MTU}");
    topology.balancer.ip(&route).map(drop)
}

fn transfer(scene: &Scene) -> Result<()> {
    let server = scene.network.vip();
    let load = Load { server, connections: TRANSFERS, at_once: 4, bytes: Some(BYTES) };
    let spread = load::spread(&load.run(&scene.network.topology.client, |_| true)?)?;
    ensure!(spread.len() == 2, "of two backends only some were used: {spread:?}");
    Ok(())
}
