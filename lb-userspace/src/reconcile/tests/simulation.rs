//! A simulation of a balancer among clients and backends: the program of the kernel, the daemon's
//! planning, sweeps, restarts and crashes, with packets between any two steps of them.
//!
//! Random sequences of changes and packets must not break what the tables promise:
//!
//! 1. A flow reaches one backend for its whole life, unless that backend fails or its drain time
//!    runs out. In both directions, and whatever the mode.
//! 2. A slot that has settled has the owner that a balancer without any history gives it.
//! 3. Packets to settled slots create no state, and no packet makes a remembered flow be forgotten.
//! 4. A slot whose owner stays does not begin to move.
//! 5. New flows go to backends that take them, and none of the packets to one that is dead.
//!
//! The seed is printed. `SHUNT_SIMULATION_SEED` begins with another, or with a `random` one, and
//! `SHUNT_SIMULATION_CASES` runs more sequences or fewer; a failure says how to replay it, and shows the
//! shortest sequence found that fails.

/// Like `assert!`, but for sequences that can be made shorter.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}

mod balancer;
mod events;
mod flows;
mod known;
mod packets;
mod ports;
mod scene;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    net::SocketAddr,
    num::NonZero,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use lb_common::{slot::Slot, time};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use self::{
    balancer::{Balancer, tracks_moving},
    events::{Event, Random},
    flows::Flow,
    scene::{Change, KINDS, Setup, eligible, left_out},
};
use super::{World, name};
use crate::{
    model::Name,
    reconcile::{
        Image, Op,
        compile::{Down, Inputs, compile},
    },
};

const CASES: u64 = 10_000;
const SEED: u64 = 20_261_126;
/// Clients of each service.
const CLIENTS: u16 = 24;
/// Packets that come while a plan is carried out, about.
const BETWEEN: u64 = 12;

/// Whether something holds; what does not, if it does not.
type Check = Result<(), String>;

/// A backend by its pool and address.
type Place = (Name, SocketAddr);

struct Simulation {
    setup: Setup,
    world: World,
    balancer: Balancer,
    /// Flows by service and client number.
    flows: BTreeMap<(usize, u16), Flow>,
    /// Backends that are in the configuration, and not drained.
    enabled: BTreeSet<Place>,
    /// Since when backends are leaving, and for how long they keep their flows.
    leaving: BTreeMap<Place, (u32, Option<u16>)>,
    /// What the tables were last filled for.
    down: Down,
    /// Backends that may get new flows, by service: during a plan, those before it, too.
    takers: BTreeMap<usize, BTreeSet<SocketAddr>>,
    /// Whether no plan is half carried out.
    quiet: bool,
    /// Ports that clients who change their address have used.
    moved: u16,
}

impl Simulation {
    fn new(setup: &Setup) -> Result<Self, String> {
        let clients = (0..4).map(|number| setup.client(0, number));
        let mut simulation = Self {
            world: setup.world(),
            balancer: Balancer::new(setup.room, clients),
            setup: setup.clone(),
            flows: BTreeMap::new(),
            enabled: BTreeSet::new(),
            leaving: BTreeMap::new(),
            down: Down::new(),
            takers: BTreeMap::new(),
            quiet: true,
            moved: 0,
        };
        simulation.balancer.tables.now.set(1000);
        simulation.change(&[], None, &mut Random(1))?;
        Ok(simulation)
    }

    fn now(&self) -> u32 {
        self.balancer.tables.now.get()
    }

    fn idle(&self) -> u16 {
        self.setup.idle + 2
    }

    fn run(&mut self, events: &[Event]) -> Check {
        for (number, event) in events.iter().enumerate() {
            self.step(event).map_err(|what| format!("event {number}, {event:?}: {what}"))?;
        }
        self.agrees()
    }

    fn step(&mut self, event: &Event) -> Check {
        match event {
            Event::Change { changes, crash, seed } => {
                self.change(changes, *crash, &mut Random(*seed))
            }
            Event::Packets { number, seed } => {
                let random = &mut Random(*seed);
                (0..*number).try_for_each(|_| self.packet(random))
            }
            Event::Flood { kind, number, seed } => self.flood(*kind, *number, &mut Random(*seed)),
            Event::Ticks(ticks) => {
                // No sweep takes hours.
                if *ticks > 1000 {
                    self.balancer.sweep = None;
                }
                self.balancer.tables.now.set(self.now() + u32::from(*ticks));
                self.lose_drained();
                Ok(())
            }
            Event::Sweep(steps) => self.sweep(*steps),
            Event::Restart => {
                self.balancer.restart();
                self.change(&[], None, &mut Random(2))
            }
            Event::TakeOver => {
                self.take_over();
                Ok(())
            }
        }
    }

    fn sweep(&mut self, steps: u8) -> Check {
        for _ in 0..steps {
            if self.balancer.sweep() {
                self.change(&[], None, &mut Random(3))?;
            }
        }
        Ok(())
    }

    /// Makes changes, and brings them about; a daemon that crashes leaves that to the next one.
    fn change(&mut self, changes: &[Change], crash: Option<u16>, random: &mut Random) -> Check {
        for change in changes {
            change.make(&self.setup, &mut self.world);
        }
        self.down = left_out(&self.setup, &self.world);
        self.lose_failed();
        self.note_leaving();
        let takers: BTreeMap<_, _> =
            (0..KINDS.len()).map(|kind| (kind, eligible(&self.world, &self.down, kind))).collect();
        for (kind, taking) in &takers {
            self.takers.entry(*kind).or_default().extend(taking);
        }
        self.quiet = false;
        let before = self.balancer.image.clone();
        let ops = self.balancer.plan(&self.world, &self.down);
        if let Some(at) = crash {
            let done = usize::from(at) % (ops.len() + 1);
            self.carry_out(&ops[..done], random)?;
            self.balancer.restart();
            let ops = self.balancer.plan(&self.world, &self.down);
            self.carry_out(&ops, random)?;
        } else {
            self.carry_out(&ops, random)?;
            moved_slots_changed_owners(&before, &self.balancer.image)?;
        }
        if random.below(8) == 0 {
            let again = self.balancer.plan(&self.world, &self.down);
            ensure!(again.is_empty(), "a plan that is through leaves something to do: {again:?}");
        }
        self.takers = takers;
        self.quiet = true;
        Ok(())
    }

    fn carry_out(&mut self, ops: &[Op], random: &mut Random) -> Check {
        for op in ops {
            self.balancer.apply(op);
            if random.below(ops.len() as u64) < BETWEEN {
                self.packet(random)?;
            }
        }
        Ok(())
    }

    /// Flows whose backend fails are lost, and those whose service goes.
    fn lose_failed(&mut self) {
        let down = &self.down;
        for flow in self.flows.values_mut().filter(|flow| has_failed(down, flow.backend)) {
            flow.lost = Some("its backend failed");
        }
        let services = &self.world.desired.services;
        for ((kind, _), flow) in &mut self.flows {
            // It may be remembered until it is swept, and go on if the service is back by then.
            if !services.contains_key(&name(&format!("s{kind}"))) {
                flow.lost = Some("its service went");
            }
        }
    }

    /// Which backends begin to leave, and which come back.
    fn note_leaving(&mut self) {
        let now = self.now();
        let pools = &self.world.desired.pools;
        let enabled: BTreeSet<Place> = pools
            .iter()
            .flat_map(|(key, pool)| pool.enabled().map(|(address, _)| (key.clone(), address)))
            .collect();
        for place in self.enabled.difference(&enabled) {
            let drain = pools.get(&place.0).and_then(|pool| pool.drain_timeout);
            self.leaving.insert(place.clone(), (now, drain.map(time::ticks)));
        }
        self.leaving.retain(|place, _| !enabled.contains(place));
        self.enabled = enabled;
    }

    /// Flows whose backend's time has run out may be lost.
    fn lose_drained(&mut self) {
        let now = self.now();
        let over: BTreeSet<SocketAddr> = self
            .leaving
            .iter()
            .filter(|(_, (since, limit))| limit.is_some_and(|limit| now - since >= limit.into()))
            .map(|((_, address), _)| *address)
            .collect();
        for flow in self.flows.values_mut().filter(|flow| over.contains(&flow.backend)) {
            flow.lost = Some("its backend's drain time is over");
        }
    }

    /// The balancer dies, and another one gets its packets. Flows in slots that had settled go on.
    fn take_over(&mut self) {
        let old = std::mem::take(&mut self.balancer);
        for (key, flow) in &mut self.flows {
            let kind = KINDS[key.0];
            flow.way_lost = true;
            let found = old.service_and_slot(self.setup.vip(key.0), flow.client);
            let settled =
                found.filter(|(service, slot)| tracks_moving(service) && !slot.is_moving());
            let known = kind.ids && self.takers[&key.0].contains(&flow.backend);
            if !known && (settled.is_none() || kind.ids) {
                flow.lost = Some("its balancer died");
            }
        }
        self.balancer.tables.routes = old.tables.routes;
        self.balancer.tables.room = old.tables.room;
        self.balancer.tables.now = old.tables.now;
        for op in self.balancer.plan(&self.world, &self.down) {
            self.balancer.apply(&op);
        }
    }

    /// Whether every settled slot has the owner that a balancer without a history gives it.
    fn agrees(&self) -> Check {
        let inputs = Inputs { down: &self.down, tick: self.now(), ..self.world.inputs() };
        let fresh = compile(&inputs, &Image::default()).unwrap();
        let tables = &self.balancer.tables;
        for (vip, service) in &fresh.services {
            let here = tables.services[vip];
            let words = &fresh.rings[&service.ring_base];
            for hash in 0..=service.ring_mask.max(here.ring_mask) {
                let slot = self.balancer.slot(here.ring_base + (hash & here.ring_mask));
                let theirs = Slot::from_word(words[(hash & service.ring_mask) as usize]);
                let owner = Balancer::owner(&self.balancer.image, slot);
                let expected = Balancer::owner(&fresh, theirs);
                ensure!(
                    slot.is_moving() || owner == expected,
                    "slot {hash} of {vip:?} is {owner:?}'s here, and {expected:?}'s elsewhere"
                );
            }
        }
        Ok(())
    }
}

/// Whether a backend has failed in one of the pools that it is in.
fn has_failed(down: &Down, backend: SocketAddr) -> bool {
    down.iter().any(|(_, address)| *address == backend)
}

/// Whether slots that kept their owner are as they were.
fn moved_slots_changed_owners(before: &Image, after: &Image) -> Check {
    for (base, old) in &before.rings {
        let Some(new) = after.rings.get(base).filter(|new| new.len() == old.len()) else {
            continue;
        };
        for (index, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (a, b))| a != b) {
            let (old, new) = (Slot::from_word(*old), Slot::from_word(*new));
            let moved = old.is_moving() || old.owner() != new.owner();
            ensure!(moved, "slot {index} moves without a reason: {old:?} to {new:?}");
        }
    }
    Ok(())
}

/// Runs one sequence.
fn simulate(setup: &Setup, events: &[Event]) -> Check {
    Simulation::new(setup)?.run(events)
}

/// Runs the sequence that a seed stands for; the shortest one that fails, if it does.
fn case(seed: u64) -> Check {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = (Setup::any(), prop::collection::vec(Event::any(), 1..40));
    let tree = strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?;
    let outcome = runner
        .run_one(tree, |(setup, events)| simulate(&setup, &events).map_err(TestCaseError::fail));
    match outcome {
        Ok(_) => Ok(()),
        Err(TestError::Fail(reason, (setup, events))) => Err(format!(
            "{reason}\nreplay with SHUNT_SIMULATION_SEED={seed} SHUNT_SIMULATION_CASES=1, or:\nsimulate(&{setup:?}, &{events:?})"
        )),
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
    }
}

/// The first seed: the same at each run unless another one, or a random one, is asked for, so that a
/// failure is that of the change at hand.
fn first_seed() -> u64 {
    match env::var("SHUNT_SIMULATION_SEED").as_deref() {
        Err(_) => SEED,
        Ok("random") => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::try_from(now.as_micros()).unwrap()
        }
        Ok(number) => number.parse().expect("`random` or a number"),
    }
}

fn cases() -> u64 {
    env::var("SHUNT_SIMULATION_CASES").map_or(CASES, |number| number.parse().expect("a number"))
}

#[test]
fn random_sequences_break_no_promise() {
    let (seed, cases) = (first_seed(), cases());
    println!("{cases} sequences from SHUNT_SIMULATION_SEED={seed} on");
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let failed = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mut seeds = (0..cases).skip(first).step_by(threads);
                    seeds.find_map(|number| case(seed + number).err().map(|what| (number, what)))
                })
            })
            .collect();
        workers.into_iter().find_map(|worker| worker.join().unwrap())
    });
    if let Some((number, what)) = failed {
        panic!("sequence {number}: {what}");
    }
}
