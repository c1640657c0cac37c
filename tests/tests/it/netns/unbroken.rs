//! What just-enough tracking is for: no change of backends breaks a connection.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tests::{
    client::End,
    held::{Held, Record},
    random::Random,
    topology::Family,
    wait,
};

use super::{
    scene::{Scene, Wants, backend_name},
    tables::Tables,
};

const CONNECTIONS: usize = 500;
const CHANGES: usize = 50;
/// Between two requests of a connection: far below the idle time, also on a machine under load.
const PAUSE: Duration = Duration::from_millis(400);
/// Backends that exist, and how many the configuration begins with.
const BACKENDS: u8 = 8;
const CONFIGURED: u8 = 5;
/// New connections after each change.
const NEW: usize = 10;
const IDLE: &str = "idle-timeout = \"12s\"";
const HEALTH: &str =
    "[pool.health]\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\nrise = 1\nfall = 2";
const BOUND: Duration = Duration::from_secs(30);
/// The idle time, the ticks it is rounded up to, and some sweeps, on a machine under load.
const SETTLED: Duration = Duration::from_mins(1);

#[test]
fn nat_v4() {
    unbroken(Wants::new(Family::V4, "nat"));
}

#[test]
fn nat_v6() {
    unbroken(Wants::new(Family::V6, "nat"));
}

#[test]
fn nat_v4_with_failures() {
    unbroken(Wants { pool_keys: HEALTH, ..Wants::new(Family::V4, "nat") });
}

#[test]
fn dsr_v6_with_failures() {
    unbroken(Wants { pool_keys: HEALTH, ..Wants::new(Family::V6, "dsr") });
}

#[test]
fn dsr_v4() {
    unbroken(Wants::new(Family::V4, "dsr"));
}

#[test]
fn full_nat_v6() {
    unbroken(Wants::new(Family::V6, "full-nat"));
}

fn unbroken(wants: Wants) {
    let wants = Wants { backends: BACKENDS, configured: CONFIGURED, tcp_keys: IDLE, ..wants };
    wants.scene(|scene| {
        let mut chaos = Chaos::new(!wants.pool_keys.is_empty());
        let held = {
            let network = &scene.network;
            Held::open(&network.topology.client, network.vip(), CONNECTIONS, PAUSE)?
        };
        for _ in 0..CHANGES {
            let what = chaos.change(scene)?;
            scene.daemon.wait_resolved()?;
            chaos.new_connections(scene).with_context(|| what.clone())?;
            let broken = CONNECTIONS - held.alive();
            ensure!(broken == 0 || !chaos.ever_failed.is_empty(), "{what} broke {broken}");
            chaos.log.push(what);
        }
        held.wait_rounds(2)?;
        let failed: Vec<_> = chaos.ever_failed.iter().map(|n| backend_name(*n)).collect();
        let on_failed =
            |record: &Record| record.backends.first().is_some_and(|b| failed.contains(b));
        let broken = held.close()?.into_iter().filter(is_broken).filter(|it| !on_failed(it));
        let broken: Vec<_> = broken.collect();
        assert!(
            broken.is_empty(),
            "{} of {CONNECTIONS} are broken, and not by {failed:?}: {broken:?}; changes: {:?}",
            broken.len(),
            chaos.log
        );
        settles(scene, chaos.configured.len())
    });
}

fn is_broken(record: &Record) -> bool {
    let first = record.backends.first();
    record.end != End::Whole || record.backends.iter().any(|backend| Some(backend) != first)
}

/// Once nothing flows any more, nothing is remembered, and who was removed is gone.
fn settles(scene: &Scene, configured: usize) -> Result<()> {
    let tables = Tables::open(&scene.network.files().pin_dir)?;
    wait::until("everything to settle", SETTLED, || {
        let (flows, ways, moving) = (tables.flows()?.len(), tables.ways_back()?, tables.moving()?);
        ensure!(flows + ways + moving == 0, "{flows} flows, {ways} ways back, {moving} slots move");
        let backends = tables.backends()?;
        ensure!(
            backends == configured,
            "{backends} backends in the table, {configured} configured"
        );
        Ok(())
    })
}

/// Waits until a backend owns slots, or none.
fn owns(scene: &Scene, n: u8, any: bool) -> Result<()> {
    let backend = scene.network.backend(n).to_string();
    wait::until("the health checks to notice", BOUND, || {
        let service = scene.daemon.json(&["service", "show", "web"])?;
        let slots = service["owners"][&backend].as_u64().unwrap_or(0);
        ensure!((slots > 0) == any, "{backend} owns {slots} slots");
        Ok(())
    })
}

/// What can change.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Add,
    Remove,
    Drain,
    Enable,
    Weight,
    Restart,
    Fail,
    Recover,
}

impl Kind {
    /// All, some of them more likely; those that break connections come last.
    const ALL: [Self; 11] = [
        Self::Add,
        Self::Add,
        Self::Remove,
        Self::Remove,
        Self::Drain,
        Self::Enable,
        Self::Weight,
        Self::Restart,
        Self::Fail,
        Self::Recover,
        Self::Recover,
    ];
    /// How many of them break none.
    const HARMLESS: usize = 8;
}

/// Random changes, and what they have come to.
struct Chaos {
    random: Random,
    configured: BTreeSet<u8>,
    drained: BTreeSet<u8>,
    /// Backends without servers.
    failed: BTreeSet<u8>,
    ever_failed: BTreeSet<u8>,
    may_fail: bool,
    log: Vec<String>,
}

impl Chaos {
    fn new(may_fail: bool) -> Self {
        Self {
            random: Random::printed(),
            configured: (1..=CONFIGURED).collect(),
            drained: BTreeSet::new(),
            failed: BTreeSet::new(),
            ever_failed: BTreeSet::new(),
            may_fail,
            log: Vec::new(),
        }
    }

    /// Backends that take new connections.
    fn enabled(&self) -> Vec<u8> {
        let able = |n: &&u8| !self.drained.contains(*n) && !self.failed.contains(*n);
        self.configured.iter().filter(able).copied().collect()
    }

    /// Makes a change that can be made; what it was.
    fn change(&mut self, scene: &mut Scene) -> Result<String> {
        let kinds = if self.may_fail { &Kind::ALL[..] } else { &Kind::ALL[..Kind::HARMLESS] };
        loop {
            let kind = self.random.pick(kinds).context("no kinds")?;
            if kind == Kind::Restart {
                return self.restart(scene);
            }
            if let Some(n) = self.random.pick(&self.candidates(kind)) {
                return self.change_backend(scene, kind, n);
            }
        }
    }

    /// Backends that a change can be made to.
    fn candidates(&self, kind: Kind) -> Vec<u8> {
        let enabled = self.enabled();
        // Somebody must be left for new connections.
        let spare = if enabled.len() > 2 { enabled.clone() } else { Vec::new() };
        let absent = |n: &u8| !self.configured.contains(n);
        match kind {
            Kind::Add => (1..=BACKENDS).filter(absent).collect(),
            Kind::Remove => spare.into_iter().chain(self.drained.iter().copied()).collect(),
            Kind::Drain | Kind::Fail => spare,
            Kind::Enable => self.drained.iter().copied().collect(),
            Kind::Weight => enabled,
            Kind::Recover => self.failed.iter().copied().collect(),
            Kind::Restart => Vec::new(),
        }
    }

    fn change_backend(&mut self, scene: &mut Scene, kind: Kind, n: u8) -> Result<String> {
        let weight = (1 + self.random.below(4)).to_string();
        let (verb, more): (_, &[&str]) = match kind {
            Kind::Add => ("add", &["--weight", &weight]),
            Kind::Remove => ("remove", &[]),
            Kind::Drain => ("drain", &[]),
            Kind::Enable => ("enable", &[]),
            Kind::Weight => ("weight", &[&weight]),
            Kind::Fail => return self.fail(scene, n),
            Kind::Recover => return self.recover(scene, n),
            Kind::Restart => return self.restart(scene),
        };
        scene.backend(verb, n, more)?;
        match kind {
            Kind::Add => _ = self.configured.insert(n),
            Kind::Remove => {
                self.configured.remove(&n);
                self.drained.remove(&n);
                // Whoever is added is expected to work.
                if self.failed.remove(&n) {
                    scene.network.serve(n)?;
                }
            }
            Kind::Drain => _ = self.drained.insert(n),
            Kind::Enable => _ = self.drained.remove(&n),
            _ => {}
        }
        Ok(format!("{verb} {} {}", backend_name(n), more.join(" ")))
    }

    fn fail(&mut self, scene: &mut Scene, n: u8) -> Result<String> {
        scene.network.stop_serving(n);
        self.failed.insert(n);
        self.ever_failed.insert(n);
        owns(scene, n, false)?;
        Ok(format!("failure of {}", backend_name(n)))
    }

    fn recover(&mut self, scene: &mut Scene, n: u8) -> Result<String> {
        scene.network.serve(n)?;
        self.failed.remove(&n);
        if !self.drained.contains(&n) {
            owns(scene, n, true)?;
        }
        Ok(format!("recovery of {}", backend_name(n)))
    }

    fn restart(&mut self, scene: &mut Scene) -> Result<String> {
        let killed = self.random.below(2) == 0;
        if killed {
            scene.daemon.kill()?;
        } else {
            scene.daemon.stop()?;
        }
        scene.daemon.restart()?;
        for n in self.failed.intersection(&self.configured) {
            owns(scene, *n, false)?;
        }
        Ok(if killed { "kill -9 and restart" } else { "stop and restart" }.to_owned())
    }

    /// New connections succeed, and go to no backend that takes none.
    fn new_connections(&self, scene: &Scene) -> Result<()> {
        let begun = Instant::now();
        let spread = scene.spread(NEW)?;
        let enabled: BTreeSet<String> = self.enabled().into_iter().map(backend_name).collect();
        let strangers: Vec<_> =
            spread.keys().filter(|backend| !enabled.contains(*backend)).collect();
        ensure!(
            strangers.is_empty(),
            "new connections went to {strangers:?} (within {:?}); earlier changes: {:?}",
            begun.elapsed(),
            self.log
        );
        Ok(())
    }
}
