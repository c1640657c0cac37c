//! What becomes of packets that no backend is there for, by the service's policy.

use std::{io::ErrorKind, net::TcpStream, time::Duration};

use anyhow::{Result, ensure};
use tests::{servers::HttpServer, topology::Family, udp::UdpClient, wait};

use super::scene::{Scene, Wants};

const PATIENCE: Duration = Duration::from_millis(800);
const BOUND: Duration = Duration::from_secs(10);

/// One test for each policy and family.
macro_rules! policies {
    ($($name:ident: $policy:literal, $family:ident, $forward:literal, $check:path;)+) => {$(
        #[test]
        fn $name() {
            wants(Family::$family, $forward, concat!("no-backend = \"", $policy, "\""))
                .scene(|scene| $check(scene));
        }
    )+};
}

policies! {
    dropped_v4: "drop", V4, "nat", dropped;
    dropped_v6: "drop", V6, "dsr", dropped;
    rejected_v4: "reject", V4, "nat", rejected;
    rejected_v6: "reject", V6, "dsr", rejected;
    rejected_full_nat: "reject", V4, "full-nat", rejected;
    passed_v4: "pass", V4, "nat", passed;
    passed_v6: "pass", V6, "dsr", passed;
}

fn wants(family: Family, forward: &'static str, keys: &'static str) -> Wants {
    let wants = Wants::new(family, forward);
    Wants { backends: 1, configured: 0, tcp_keys: keys, udp_keys: keys, ..wants }
}

/// How a connection is refused; nothing if it is not.
fn refusal(scene: &Scene) -> Result<Option<ErrorKind>> {
    let vip = scene.network.vip();
    let connect = || Ok(TcpStream::connect_timeout(&vip, PATIENCE).err());
    let error = scene.network.topology.client.enter(connect)?;
    Ok(error.map(|error| error.kind()))
}

fn dropped(scene: &mut Scene) -> Result<()> {
    assert_eq!(refusal(scene)?, Some(ErrorKind::TimedOut));
    assert!(scene.counted("no-backend")? > 0);
    Ok(())
}

/// The sender is told at once, and served once there is a backend.
fn rejected(scene: &mut Scene) -> Result<()> {
    let hears = scene.client_hears_answers()?;
    assert_eq!(refusal(scene)?, Some(ErrorKind::ConnectionRefused));
    let vip = scene.network.vip();
    let udp = UdpClient::new(&scene.network.topology.client, vip)?;
    udp.connect(vip)?;
    udp.send(b"is anybody there?")?;
    wait::until("the client to be told", BOUND, || {
        let news = udp.news()?.map(|news| news.kind());
        ensure!(news == Some(ErrorKind::ConnectionRefused), "{news:?}");
        Ok(())
    })?;
    assert!(scene.counted("rejected")? >= 2);
    drop(hears);

    scene.backend("add", 1, &[])?;
    scene.daemon.wait_resolved()?;
    scene.curl()?;
    udp.ask(vip, b"and now?")?;
    Ok(())
}

/// Whoever listens on the balancer itself gets them.
fn passed(scene: &mut Scene) -> Result<()> {
    let vip = scene.network.vip();
    let sorry = HttpServer::start(&scene.network.topology.balancer, vip, "sorry")?;
    assert_eq!(scene.curl()?.backend, "sorry");
    assert!(scene.counted("no-backend-passed")? > 0);
    drop(sorry);
    scene.backend("add", 1, &[])?;
    scene.daemon.wait_resolved()?;
    assert_eq!(scene.curl()?.backend, "backend1");
    Ok(())
}
