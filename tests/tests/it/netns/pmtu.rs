//! What does not fit with an outer header is refused, and its sender told what would fit: the
//! client's kernel learns the smaller MTU of the path, and sends less.

use std::{io, time::Duration};

use anyhow::{Result, bail, ensure};
use rustix::io::Errno;
use tests::{
    load::{self, Load},
    topology::Family,
    udp::UdpClient,
    wait,
};

use super::{
    scene::{Scene, Wants},
    tunnels::unpack,
};

const BOUND: Duration = Duration::from_secs(10);
const BYTES: usize = 1 << 20;
/// MTU of every link.
const LINK: u16 = 1500;

/// Two tests for each combination: the inner family comes first, and last what fits.
macro_rules! combinations {
    ($($name:ident: $forward:literal, $inner:ident in $outer:ident, $fits:literal;)+) => {
        $(mod $name {
            use tests::topology::Family;

            #[test]
            fn tcp() {
                let wants = super::wants($forward, Family::$inner, Family::$outer);
                super::tunnel(wants, |scene| {
                    super::an_upload_is_whole(scene, $fits)
                });
            }

            #[test]
            fn udp() {
                let wants = super::wants($forward, Family::$inner, Family::$outer);
                super::tunnel(wants, |scene| {
                    super::datagrams_are_refused(scene, $fits)
                });
            }
        })+
    };
}

combinations! {
    ipip_4_in_4: "ipip", V4 in V4, 1480;
    ipip_6_in_6: "ipip", V6 in V6, 1460;
    ipip_6_in_4: "ipip", V6 in V4, 1480;
    gue_4_in_4: "gue", V4 in V4, 1472;
    gue_6_in_6: "gue", V6 in V6, 1452;
    gue_4_in_6: "gue", V4 in V6, 1452;
}

#[test]
fn generic() {
    let wants = Wants { attach: "generic", ..Wants::new(Family::V4, "gue") };
    tunnel(wants, |scene| an_upload_is_whole(scene, 1472));
}

#[test]
fn one_arm() {
    let wants = Wants::new(Family::V6, "ipip").one_arm();
    tunnel(wants, |scene| an_upload_is_whole(scene, 1460));
}

fn wants(forward: &'static str, inner: Family, outer: Family) -> Wants {
    Wants { backend_family: outer, ..Wants::new(inner, forward) }
}

/// Tests something with clients that do not know yet that packets must be smaller than the links.
fn tunnel(wants: Wants, check: impl FnOnce(&Scene) -> Result<()>) {
    wants.scene(|scene| {
        let (client, vip) = (&scene.network.topology.client, scene.network.vip().ip());
        client.ip(&format!("{} route del {vip} dev eth0", wants.family.flag()))?;
        let _decaps = unpack(scene)?;
        let _answers = scene.client_hears_answers()?;
        ensure!(scene.counted("too-big")? == 0, "too big before anything was sent");
        check(scene)
    });
}

/// The transfers are whole only if the client repeats in smaller segments what was refused.
fn an_upload_is_whole(scene: &Scene, fits: u16) -> Result<()> {
    let server = scene.network.vip();
    let load = Load { server, connections: 8, at_once: 4, bytes: Some(BYTES) };
    load::spread(&load.run(&scene.network.topology.client, |_| true)?)?;
    ensure!(scene.counted("too-big")? > 0, "no segment was too big");
    has_learnt(scene, fits)
}

/// The client's kernel knows the MTU of the path.
fn has_learnt(scene: &Scene, fits: u16) -> Result<()> {
    let (family, vip) = (scene.network.wants.family, scene.network.vip().ip());
    let route = scene.network.topology.client.ip(&format!("{} route get {vip}", family.flag()))?;
    ensure!(route.contains(&format!(" mtu {fits}")), "not {fits}, but: {route}");
    Ok(())
}

/// A program that wants its datagrams whole is told.
fn datagrams_are_refused(scene: &Scene, fits: u16) -> Result<()> {
    let server = scene.network.vip();
    let client = UdpClient::new(&scene.network.topology.client, server)?;
    client.never_fragment()?;
    client.ask(server, b"small")?;
    let of = |packet: u16| vec![b'x'; usize::from(packet - headers(scene.network.wants.family))];
    client.send(&of(LINK))?;
    wait::until("the datagram to be refused", BOUND, || match client.news()? {
        Some(error) if is_size(&error) => Ok(()),
        other => bail!("what is known: {other:?}"),
    })?;
    has_learnt(scene, fits)?;
    // Now its kernel knows itself, and sends none.
    let refused = client.send(&of(fits + 1));
    ensure!(refused.as_ref().is_err_and(is_size), "a byte too much: {refused:?}");
    ensure!(scene.counted("too-big")? == 1, "of one datagram");
    let largest = of(fits);
    let echo = client.ask(server, &largest)?;
    ensure!(echo.payload == largest, "the largest datagram that fits came back changed");
    Ok(())
}

fn is_size(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error())
}

/// Length of the headers of IP and UDP.
fn headers(family: Family) -> u16 {
    match family {
        Family::V4 => 28,
        Family::V6 => 48,
    }
}
