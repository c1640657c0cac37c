//! The networks themselves, without a balancer in them: what fails here is no fault of the daemon.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Result;
use tests::{
    held::Held,
    load::{self, Load},
    netns::{self, Netns},
    require,
    servers::HttpServer,
    sweep,
    topology::{Arms, Family, Host, Numbers, Shape, Topology, WayBack},
    udp::{self, UdpServer},
};

fn shape(arms: Arms, way_back: WayBack) -> Shape {
    Shape { arms, way_back, backends: 2, numbers: Numbers::default() }
}

#[test]
fn two_arms() -> Result<()> {
    routes_between_client_and_backends(shape(Arms::Two, WayBack::Balancer))
}

#[test]
fn one_arm() -> Result<()> {
    routes_between_client_and_backends(shape(Arms::One, WayBack::Balancer))
}

#[test]
fn two_arms_with_direct_return() -> Result<()> {
    routes_between_client_and_backends(shape(Arms::Two, WayBack::Direct))
}

#[test]
fn one_arm_with_direct_return() -> Result<()> {
    routes_between_client_and_backends(shape(Arms::One, WayBack::Direct))
}

fn routes_between_client_and_backends(shape: Shape) -> Result<()> {
    if !require::met(&require::network()) {
        return Ok(());
    }
    let topology = Topology::for_test(shape)?;
    for family in Family::ALL {
        let backend = topology.address(Host::Backend(2), family);
        let server = SocketAddr::new(backend, 8080);
        let _http = HttpServer::start(topology.backend(2), server, "two")?;
        let load = Load { server, connections: 20, at_once: 4, bytes: Some(1 << 20) };
        let records = load.run(&topology.client, |_| true)?;
        assert_eq!(load::spread(&records)?.get("two"), Some(&20));
        let client = topology.address(Host::Client, family);
        if shape.way_back == WayBack::Balancer {
            assert!(records.iter().all(|r| r.seen.is_some_and(|seen| seen.ip() == client)));
        }

        let held = Held::open(&topology.client, server, 3, Duration::from_millis(5))?;
        held.wait_rounds(3)?;
        for record in held.close()? {
            assert!(record.backends.len() > 3, "{record:?}");
        }

        let _udp = UdpServer::start(topology.backend(2), server, "two")?;
        let echo = udp::ask(&topology.client, server, b"hello, you")?;
        assert_eq!((echo.backend.as_str(), echo.payload.as_slice()), ("two", &b"hello, you"[..]));
        assert_eq!(echo.client.port(), echo.local.port());
    }
    Ok(())
}

#[test]
fn a_namespace_is_gone_after_use() -> Result<()> {
    if !require::met(&require::network()) {
        return Ok(());
    }
    let netns = Netns::new(&sweep::unique())?;
    let path = Path::new(netns::DIRECTORY).join(netns.name());
    assert!(path.exists());
    drop(netns);
    assert!(!path.exists(), "{} is still there", path.display());
    Ok(())
}
