//! The daemon is killed and started again under load: not one packet is lost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{held::Held, link, stream::Stream, topology::Family, wait};

use super::{
    scene::{Scene, Wants, backend_name},
    tables::Tables,
};

/// Between two datagrams: a rate at which a slow machine under load loses none by itself.
const PAUSE: Duration = Duration::from_millis(1);
const BOUND: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 50;

#[test]
fn no_packet_is_lost_v4() {
    Wants::new(Family::V4, "nat").scene(no_packet_is_lost);
}

#[test]
fn no_packet_is_lost_v6() {
    Wants::new(Family::V6, "nat").scene(no_packet_is_lost);
}

#[test]
fn no_packet_is_lost_dsr_v4() {
    Wants::new(Family::V4, "dsr").scene(no_packet_is_lost);
}

fn no_packet_is_lost(scene: &mut Scene) -> Result<()> {
    let stream = {
        let network = &scene.network;
        Stream::start(&network.topology.client, network.vip(), PAUSE)?
    };
    let mut programs = vec![programs(scene)?];
    for _ in 0..2 {
        stream.wait_more(300, BOUND)?;
        scene.daemon.kill()?;
        // The time for which nobody is there.
        stream.wait_more(500, BOUND)?;
        scene.daemon.restart()?;
        scene.daemon.wait_resolved()?;
        stream.wait_more(300, BOUND)?;
        programs.push(self::programs(scene)?);
    }
    let record = stream.finish()?;
    let wrong = record.wrong();
    assert!(wrong.is_empty(), "of {} not answered exactly once: {wrong:?}", record.sent);
    programs.dedup();
    assert_eq!(programs.len(), 3, "the program was not replaced: {programs:?}");
    let spread = &record.answers.backends;
    assert_eq!(spread.len(), 2, "of two backends only some were used: {spread:?}");
    // Nothing else used the service, so its counters tell exactly what was sent, restarts or not.
    assert_eq!(counted(scene, "forwarded")?, record.sent, "forwarded");
    let returned = if scene.network.wants.forward == "nat" { record.sent } else { 0 };
    assert_eq!(counted(scene, "returned")?, returned, "returned");
    sent_to_backends(scene, record.sent)
}

/// Ids of the programs on the balancer's interfaces.
fn programs(scene: &Scene) -> Result<Vec<Option<u64>>> {
    let topology = &scene.network.topology;
    let interfaces = topology.shape.arms.interfaces();
    interfaces.iter().map(|interface| link::xdp_id(&topology.balancer, interface)).collect()
}

/// Packets of the UDP service, by reason.
fn counted(scene: &Scene, reason: &str) -> Result<u64> {
    let service = scene.daemon.json(&["service", "show", "echo"])?;
    Ok(service["packets"][reason]["packets"].as_u64().unwrap_or(0))
}

fn sent_to_backends(scene: &Scene, sent: u64) -> Result<()> {
    let pool = scene.daemon.json(&["pool", "show", super::scene::POOL])?;
    let backends = pool["backends"].as_array().context("no backends")?;
    let counts = backends.iter().map(|backend| backend["sent"]["packets"].as_u64().unwrap_or(0));
    assert_eq!(counts.sum::<u64>(), sent, "packets by backend: {pool}");
    Ok(())
}

#[test]
fn remembered_flows_stay_v4() {
    Wants { backends: 3, ..Wants::new(Family::V4, "nat") }.scene(remembered_flows_stay);
}

#[test]
fn remembered_flows_stay_v6() {
    Wants { backends: 3, ..Wants::new(Family::V6, "dsr") }.scene(remembered_flows_stay);
}

/// Connections opened in moving slots live by the flow table alone.
fn remembered_flows_stay(scene: &mut Scene) -> Result<()> {
    scene.backend("add", 3, &[])?;
    scene.daemon.wait_resolved()?;
    let client = &scene.network.topology.client;
    let held = Held::open(client, scene.network.vip(), CONNECTIONS, Duration::from_millis(50))?;
    let pins = scene.network.files().pin_dir.clone();
    let (flows, moving) = remembered(&Tables::open(&pins)?)?;
    ensure!(!flows.is_empty() && moving > 0, "{} flows, {moving} moving slots", flows.len());

    // What kept them is what they fall back on now: the owner of their slot goes.
    scene.daemon.kill()?;
    held.wait_rounds(2)?;
    scene.daemon.restart()?;
    scene.backend("drain", 3, &[])?;
    held.wait_rounds(2)?;
    assert_eq!(remembered(&Tables::open(&pins)?)?.0, flows, "flows before and after");
    let mut thirds = 0;
    for record in held.close()? {
        let first = record.backends.first().context("never answered")?;
        let faithful = record.backends.iter().all(|backend| backend == first);
        assert!(faithful && record.end == tests::client::End::Whole, "{record:?}");
        thirds += usize::from(*first == backend_name(3));
    }
    assert!(thirds > 0, "no connection lived by the flow table");
    wait::until("the drained backend to get nothing new", BOUND, || {
        let spread = scene.spread(20)?;
        ensure!(!spread.contains_key(&backend_name(3)), "{spread:?}");
        Ok(())
    })
}

/// Keys of the remembered flows with their backends, and the number of moving slots.
fn remembered(tables: &Tables) -> Result<(Vec<(u16, u32)>, usize)> {
    let flows = tables.flows()?;
    let mut flows: Vec<_> =
        flows.iter().map(|(key, flow)| (u16::from_be(key.src_port_be), flow.backend)).collect();
    flows.sort_unstable();
    Ok((flows, tables.moving()?))
}
