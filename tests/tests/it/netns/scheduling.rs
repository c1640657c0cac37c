//! Schedulers, and clients that keep their backend, with real connections.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anyhow::{Result, ensure};
use tests::{
    client::Client,
    topology::{Family, Host},
    wait,
};

use super::{
    scene::{Scene, Wants, curl_from},
    tables::Tables,
};

const BOUND: Duration = Duration::from_secs(20);

fn wants(forward: &'static str, keys: &'static str) -> Wants {
    Wants { tcp_keys: keys, ..Wants::new(Family::V4, forward) }.backends(4)
}

/// One test for each mode.
macro_rules! turns {
    ($($name:ident: $forward:literal, $keys:literal;)+) => {$(
        #[test]
        fn $name() {
            wants($forward, $keys).scene(|scene| backends_take_turns(scene));
        }
    )+};
}

turns! {
    turns_nat: "nat", "scheduler = \"round-robin\"\ntracking = \"full\"";
    turns_dsr: "dsr", "scheduler = \"round-robin\"\ntracking = \"full\"";
    turns_full_nat: "full-nat", "scheduler = \"round-robin\"";
}

fn backends_take_turns(scene: &mut Scene) -> Result<()> {
    let order = (0..8).map(|_| Ok(scene.curl()?.backend)).collect::<Result<Vec<_>>>()?;
    assert_eq!(order[..4], order[4..], "the second round is as the first");
    assert_eq!(counts(&order).values().max(), Some(&2), "{order:?}");

    // An open connection stays while its backend gets no turn any more, and while nobody takes care.
    let mut open = connections(scene, 4)?;
    scene.backend("drain", 1, &[])?;
    let order = (0..6).map(|_| Ok(scene.curl()?.backend)).collect::<Result<Vec<_>>>()?;
    assert_eq!(counts(&order).values().copied().collect::<Vec<_>>(), [2; 3], "{order:?}");
    scene.backend("weight", 2, &["2"])?;
    let order = (0..8).map(|_| Ok(scene.curl()?.backend)).collect::<Result<Vec<_>>>()?;
    assert_eq!(counts(&order)["backend2"], 4, "{order:?}");
    scene.daemon.kill()?;
    asked_again(&mut open)?;
    scene.daemon.restart()?;
    asked_again(&mut open)
}

fn counts(backends: &[String]) -> BTreeMap<&str, usize> {
    backends.iter().fold(BTreeMap::new(), |mut counts, backend| {
        *counts.entry(backend.as_str()).or_default() += 1;
        counts
    })
}

/// Open connections, each with its backend.
fn connections(scene: &Scene, count: usize) -> Result<Vec<(Client, String)>> {
    let vip = scene.network.vip();
    let open = || {
        let mut client = Client::connect(vip)?;
        let backend = client.get("/")?.backend;
        Ok((client, backend))
    };
    scene.network.topology.client.enter(|| (0..count).map(|_| open()).collect())
}

fn asked_again(open: &mut [(Client, String)]) -> Result<()> {
    for (client, backend) in open {
        ensure!(client.get("/")?.backend == *backend, "a connection has moved from {backend}");
    }
    Ok(())
}

/// Backends that lost their connections are filled up first.
#[test]
fn least_flows_fills_up() {
    wants("nat", "scheduler = \"least-flows\"\ntracking = \"full\"").scene(|scene| {
        let open = connections(scene, 240)?;
        let share = |open: &[(Client, String)]| {
            let names: Vec<_> = open.iter().map(|(_, backend)| backend.clone()).collect();
            counts(&names).into_iter().map(|(name, n)| (name.to_owned(), n)).collect()
        };
        let shares: BTreeMap<String, usize> = share(&open);
        // Of two drawn at random the one with less: by more than this nobody is off once in a million times. If it were
        // one drawn at random, somebody mostly would be.
        assert!(shares.values().all(|n| (52..=67).contains(n)), "{shares:?}");
        let busy = |backend: &str| ["backend1", "backend2"].contains(&backend);
        let kept: Vec<_> = open.into_iter().filter(|(_, backend)| busy(backend)).collect();
        let more = connections(scene, 160)?;
        let shares: BTreeMap<String, usize> = share(&more);
        let others: usize = shares.iter().filter(|(b, _)| !busy(b)).map(|(_, n)| n).sum();
        // A draw of both busy ones comes once in four times: 120 are to be expected, give or take 5.5.
        assert!(others >= 97, "{shares:?}");
        drop((kept, more));
        counted_anew(scene)
    });
}

/// The daemon's count makes up for what the program's own has missed.
fn counted_anew(scene: &mut Scene) -> Result<()> {
    let open = connections(scene, 12)?;
    scene.daemon.kill()?;
    let mut tables = Tables::open(&scene.network.files().pin_dir)?;
    tables.miscount(1, 1_000)?;
    ensure!(tables.counted_flows()? > 500, "nothing was miscounted");
    scene.daemon.restart()?;
    wait::until("the flows to be counted", BOUND, || {
        let counted = tables.counted_flows()?;
        ensure!(counted == 12, "{counted} flows");
        Ok(())
    })?;
    drop(open);
    Ok(())
}

#[test]
fn a_client_keeps_its_backend() {
    wants("nat", "affinity = \"client-ip\"").scene(|scene| {
        let topology = &scene.network.topology;
        let mut backends = BTreeMap::new();
        for n in 20..32 {
            let client: IpAddr = format!("198.51.100.{n}").parse()?;
            topology.client.ip(&format!("addr add {client}/32 dev eth0"))?;
            let ask = |_| Ok(curl_from(&topology.client, scene.network.vip(), client)?.backend);
            let asked = (0..6).map(ask).collect::<Result<Vec<String>>>()?;
            assert_eq!(counts(&asked).len(), 1, "{client}: {asked:?}");
            *backends.entry(asked[0].clone()).or_insert(0) += 1;
        }
        assert!(backends.len() > 1, "all clients have one backend: {backends:?}");
        let client = topology.address(Host::Client, Family::V4);
        curl_from(&topology.client, scene.network.vip(), client).map(drop)
    });
}
