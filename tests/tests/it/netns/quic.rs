//! QUIC: connections outlive changes of their client's address and of the backends.

mod ends;

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context, Result, ensure};
use lb_userspace::model::quic::server_id;
use tests::topology::{Family, Host};

use self::ends::{Client, Identity, serve};
use super::{
    ring::{Ring, UDP},
    scene::{SEED, Scene, Wants, backend_name},
    tables::Tables,
};

/// Backends that exist; the last is added later.
const BACKENDS: u8 = 4;
const CONNECTIONS: u16 = 24;
/// Ports of clients, one after the other.
const FIRST_PORT: u16 = 20_000;
const PAYLOAD: usize = 40_000;

#[test]
fn connection_ids_name_their_server_v4() {
    quic(Wants::new(Family::V4, "nat"), Ids::Naming);
}

#[test]
fn connection_ids_name_their_server_v6() {
    quic(Wants::new(Family::V6, "nat"), Ids::Naming);
}

#[test]
fn connection_ids_name_their_server_dsr_v4() {
    quic(Wants::new(Family::V4, "dsr"), Ids::Naming);
}

#[test]
fn connections_without_server_ids_stay_v4() {
    quic(Wants::new(Family::V4, "nat"), Ids::Random);
}

#[test]
fn connections_without_server_ids_stay_v6() {
    quic(Wants::new(Family::V6, "nat"), Ids::Random);
}

/// What the servers' connection ids say.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Ids {
    Naming,
    Random,
}

fn quic(wants: Wants, ids: Ids) {
    let wants = Wants {
        backends: BACKENDS,
        configured: BACKENDS - 1,
        udp_keys: "udp = \"quic\"",
        serves_udp: false,
        ..wants
    };
    wants.scene(|scene| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let identity = Identity::new()?;
            for n in 1..=BACKENDS {
                serve_on(scene, &identity, n, ids)?;
            }
            match ids {
                Ids::Naming => moves_and_stays(scene, &identity).await,
                Ids::Random => stays(scene, &identity).await,
            }
        })
    });
}

fn serve_on(scene: &Scene, identity: &Identity, n: u8, ids: Ids) -> Result<()> {
    let network = &scene.network;
    let backend = network.backend(n);
    let id = (ids == Ids::Naming).then(|| server_id(SEED, backend));
    // Where packets of the mode arrive; answers come from there, too.
    let address = if network.wants.forward == "nat" { backend } else { network.vip() };
    serve(network.topology.backend(n), identity, address, backend_name(n), id)
}

/// A client changes its address, and backends change, and it is the same server that answers.
async fn moves_and_stays(scene: &Scene, identity: &Identity) -> Result<()> {
    let network = &scene.network;
    exported_ids_are_those_of_the_formula(scene)?;
    let netns = &network.topology.client;
    let (home, away) = addresses(scene)?;
    let all: Vec<_> = (1..BACKENDS).map(|n| network.backend(n)).collect();
    let ring = Ring::of(network.vip(), &all, UDP);

    let from = SocketAddr::new(home, FIRST_PORT);
    let client = Client::connect(netns, identity, from, network.vip()).await?;
    let payload = vec![7; PAYLOAD];
    let first = client.ask(&payload).await?;
    assert_eq!(first.client, from, "the server must see the client's own address");
    assert_eq!(first.backend, backend_name(owner(&ring, from)?));

    // To an address whose slot is another backend's.
    let elsewhere = |from: &SocketAddr| ring.owner(*from) != ring.owner(first.client);
    let mut ports = (FIRST_PORT + 1..).map(|port| SocketAddr::new(away, port)).filter(elsewhere);
    for what in ["its client moved", "it was drained", "its client moved again"] {
        if what == "it was drained" {
            scene.backend("add", BACKENDS, &[])?;
            scene.backend("drain", owner(&ring, from)?, &[])?;
            scene.daemon.wait_resolved()?;
        } else {
            let to = ports.next().context("no port")?;
            client.rebind(netns, to)?;
        }
        for _ in 0..3 {
            let answer = client.ask(&payload).await.context(what)?;
            assert_eq!(answer.backend, first.backend, "after {what}");
            assert_eq!(answer.client.ip(), away, "after {what}");
        }
    }
    // Whom it is drained for: everybody new.
    for port in 0..CONNECTIONS {
        let from = SocketAddr::new(home, FIRST_PORT + 1000 + port);
        let client = Client::connect(netns, identity, from, network.vip()).await?;
        let answer = client.ask(b"and I?").await?;
        assert_ne!(answer.backend, first.backend, "it is drained");
    }
    Ok(())
}

/// Connections whose ids name nobody are remembered where slots move.
async fn stays(scene: &Scene, identity: &Identity) -> Result<()> {
    let network = &scene.network;
    let (home, _) = addresses(scene)?;
    let tables = Tables::open(&network.files().pin_dir)?;
    let mut clients = Vec::new();
    let ports = FIRST_PORT..;
    let changes = [("add", BACKENDS), ("drain", BACKENDS), ("remove", 1), ("enable", BACKENDS)];
    let mut ports = ports.into_iter();
    for (verb, n) in changes {
        for port in ports.by_ref().take(usize::from(CONNECTIONS) / changes.len()) {
            let from = SocketAddr::new(home, port);
            let netns = &network.topology.client;
            let client = Client::connect(netns, identity, from, network.vip()).await?;
            let backend = client.ask(b"who?").await?.backend;
            clients.push((client, backend));
        }
        scene.backend(verb, n, &[])?;
        scene.daemon.wait_resolved()?;
        for (client, backend) in &clients {
            let answer = client.ask(b"still you?").await.with_context(|| format!("{verb} {n}"))?;
            assert_eq!(answer.backend, *backend, "after {verb} {n}");
        }
    }
    let backends: BTreeSet<_> = clients.iter().map(|(_, backend)| backend).collect();
    ensure!(backends.len() > 2, "too few backends were used: {backends:?}");
    ensure!(!tables.flows()?.is_empty(), "no flow is remembered");
    Ok(())
}

/// Two addresses of the client.
fn addresses(scene: &Scene) -> Result<(std::net::IpAddr, std::net::IpAddr)> {
    let topology = &scene.network.topology;
    let family = scene.network.wants.family;
    let away = topology.address(Host::ClientAway, family);
    let length = family.bits();
    topology.client.ip(&format!("addr add {away}/{length} dev eth0"))?;
    Ok((topology.address(Host::Client, family), away))
}

fn owner(ring: &Ring, client: SocketAddr) -> Result<u8> {
    Ok(u8::try_from(ring.owner(client))?)
}

/// Servers are told their ids by the daemon.
fn exported_ids_are_those_of_the_formula(scene: &Scene) -> Result<()> {
    let service = scene.daemon.json(&["service", "show", "echo"])?;
    for n in 1..BACKENDS {
        let backend = scene.network.backend(n);
        let id = format!("{:08x}", server_id(SEED, backend));
        assert_eq!(service["server_ids"][backend.to_string()], id, "server ids in {service}");
    }
    Ok(())
}
