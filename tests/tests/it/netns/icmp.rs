//! ICMP errors reach whom they concern: those from the clients' side the backend of the flow, those
//! from the backends' side the client, each as it knows the flow.

use std::{io, time::Duration};

use anyhow::{Result, bail, ensure};
use tests::{
    load::{self, Load},
    topology::Family,
    udp::UdpClient,
    wait,
};

use super::{
    far,
    scene::{Scene, Wants},
    tunnels::unpack,
};

const BOUND: Duration = Duration::from_secs(10);
const BYTES: usize = 1 << 20;
const TRANSFERS: usize = 16;

macro_rules! modes {
    ($($name:ident: $forward:literal, $inner:ident to $outer:ident;)+) => {
        $(
            #[test]
            fn $name() {
                let wants = Wants::new(Family::$inner, $forward);
                backends_learn_the_mtu(Wants { backend_family: Family::$outer, ..wants });
            }
        )+
    };
}

modes! {
    backends_learn_the_mtu_nat_v4: "nat", V4 to V4;
    backends_learn_the_mtu_nat_v6: "nat", V6 to V6;
    backends_learn_the_mtu_full_nat_v4: "full-nat", V4 to V4;
    backends_learn_the_mtu_full_nat_v6: "full-nat", V6 to V6;
    backends_learn_the_mtu_dsr_v4: "dsr", V4 to V4;
    backends_learn_the_mtu_dsr_v6: "dsr", V6 to V6;
    backends_learn_the_mtu_ipip_4_in_4: "ipip", V4 to V4;
    backends_learn_the_mtu_ipip_6_in_6: "ipip", V6 to V6;
    backends_learn_the_mtu_gue_4_in_6: "gue", V4 to V6;
    backends_learn_the_mtu_gue_6_in_4: "gue", V6 to V4;
}

#[test]
fn backends_learn_the_mtu_generic() {
    backends_learn_the_mtu(Wants { attach: "generic", ..Wants::new(Family::V4, "full-nat") });
}

/// The client announces segments that the router before it has no room for. The transfers are whole
/// only if the backends repeat in smaller ones what the router refused.
fn backends_learn_the_mtu(wants: Wants) {
    wants.scene(|scene| {
        let _decaps = match wants.forward {
            "ipip" | "gue" => unpack(scene)?,
            _ => Vec::new(),
        };
        let far = far::client(scene)?;
        ensure!(scene.counted("icmp-forwarded")? == 0, "an error before anything was sent");
        let server = scene.network.vip();
        let load = Load { server, connections: TRANSFERS, at_once: 4, bytes: Some(BYTES) };
        let spread = load::spread(&load.run(&far, |_| true)?)?;
        ensure!(spread.len() == 2, "of two backends only some were used: {spread:?}");
        ensure!(scene.counted("icmp-forwarded")? > 0, "no error was forwarded");
        Ok(())
    });
}

#[test]
fn a_closed_port_is_told_nat_v4() {
    a_closed_port_is_told(Wants::new(Family::V4, "nat"));
}

#[test]
fn a_closed_port_is_told_nat_v6() {
    a_closed_port_is_told(Wants::new(Family::V6, "nat"));
}

#[test]
fn a_closed_port_is_told_full_nat_v4() {
    a_closed_port_is_told(Wants::new(Family::V4, "full-nat"));
}

#[test]
fn a_closed_port_is_told_full_nat_v6() {
    a_closed_port_is_told(Wants::new(Family::V6, "full-nat"));
}

/// A client knows the VIP alone: an error about anything else would not be for its socket.
fn a_closed_port_is_told(wants: Wants) {
    Wants { serves_udp: false, ..wants }.scene(|scene| {
        let server = scene.network.vip();
        let client = UdpClient::new(&scene.network.topology.client, server)?;
        wait::until("the refusal", BOUND, || is_refused(&client, scene))?;
        ensure!(scene.counted("icmp-returned")? > 0, "no error was returned");
        Ok(())
    });
}

fn is_refused(client: &UdpClient, scene: &Scene) -> Result<()> {
    match client.ask(scene.network.vip(), b"anybody?") {
        Ok(echo) => bail!("answered: {echo:?}"),
        Err(error) => match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Ok(()),
            _ => Err(error),
        },
    }
}
