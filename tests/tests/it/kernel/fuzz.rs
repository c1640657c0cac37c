//! Random packets: the host build against the loaded program.
//!
//! The generator makes packets to and from the services of the cases, and damages some of them. Each goes
//! through the host build, once more through its stages alone, and through the kernel; verdict, every
//! byte, every counter and every table must be the same. Besides, no checksum may become wrong
//! ([`verify`]).
//!
//! Packets come in batches, each with a seed of its own and with tables as new, so that any of them can be
//! run alone: the seed of the first is printed, and the next one's is one more. `SHUNT_FUZZ_SEED` begins
//! with another, and `SHUNT_FUZZ_PACKETS` runs more or fewer. A batch that shows a difference is cut down
//! to the packets that it takes.

use std::{collections::BTreeMap, env, time::Instant};

use anyhow::{Result, bail};
use fastrand::Rng;
use lb_common::abi::{Reason, Verdict, Vlan};

use self::{generate::Generator, host::Host, kernel::Kernel};
use super::{
    assert_none, case,
    fixture::{self, Rows},
    kernel_is_ready, machine,
    memory::ROOM,
    network::{self, Links},
    packet, services,
};

mod checksums;
mod compare;
mod found;
mod generate;
mod host;
mod icmp;
mod kernel;
mod mutate;
mod random;
mod routes;
mod shape;
mod shrink;
mod tables;
mod verify;

/// Packets of a batch.
const BATCH: u64 = 400;
/// Packets unless asked otherwise, and the seed that they come from.
const PACKETS: u64 = 100_000;
const SEED: u64 = 1;
/// Batches after which all counters are read.
const COUNTED: usize = 50;
/// What these packets cannot meet: the frames of test runs have room in front.
const UNMET: [Reason; 1] = [Reason::NoHeadroom];

/// What happens to both sides.
#[derive(Clone, Debug)]
enum Event {
    /// A frame arrives on an interface.
    Frame { ingress: u32, bytes: Vec<u8> },
    /// All that is remembered gets older by so many ticks.
    Age(u32),
}

/// What a batch begins with.
#[derive(Clone, Debug)]
struct Setting {
    /// No ICMP messages of the balancer's own are allowed.
    silent: bool,
    /// Interfaces that can be redirected to; a test run does not tell which of them it was.
    open: Vec<u32>,
    shut: Vec<u32>,
    vlans: Vec<(u32, Vlan)>,
}

/// A difference, and after which event of the batch it was seen.
struct Difference {
    at: usize,
    what: String,
}

/// How the events of a batch ended.
enum Ended {
    /// Both sides were the same.
    Alike,
    Different(Difference),
    /// A tick ended in the midst of it, which may be seen in the tables.
    InAnotherTick,
}

/// Both sides.
struct Trial {
    links: Links,
    rows: Rows,
    host: Host,
    kernel: Kernel,
    /// All counters are read after each batch, and not only those that the host raised.
    all_counters: bool,
    met: BTreeMap<Reason, u64>,
}

#[test]
fn host_and_kernel_agree_on_random_packets() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let (first, packets) =
        (number("SHUNT_FUZZ_SEED", SEED)?, number("SHUNT_FUZZ_PACKETS", PACKETS)?);
    println!("{packets} packets from SHUNT_FUZZ_SEED={first} on");
    network::build()?.enter(|| {
        let mut trial = Trial::new(Links::here()?)?;
        let began = Instant::now();
        let batches = packets.div_ceil(BATCH);
        let seeds: Vec<_> = (0..batches).map(|number| first.wrapping_add(number)).collect();
        for seeds in seeds.chunks(COUNTED) {
            trial.batches(seeds)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        println!("{} batches of {BATCH} packets in {seconds:.1} s: {:?}", batches, trial.met);
        for reason in Reason::ALL.iter().filter(|reason| !UNMET.contains(reason)) {
            let met = trial.met.contains_key(reason);
            assert!(met || packets < PACKETS, "no packet was counted as {reason:?}");
        }
        Ok(())
    })
}

#[test]
fn what_random_packets_found_is_mended() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    network::build()?.enter(|| {
        let links = Links::here()?;
        let mut trial = Trial::new(links)?;
        let Links { front, back, closed, .. } = links;
        let open = vec![front, back, closed];
        let setting = Setting { silent: false, open, shut: Vec::new(), vlans: Vec::new() };
        let mut wrong = Vec::new();
        for (what, events) in found::all(&links) {
            let difference = trial.replay(&setting, &events)?;
            wrong.extend(difference.map(|difference| format!("{what}: {}", difference.what)));
        }
        assert_none(&wrong);
        Ok(())
    })
}

fn number(variable: &str, default: u64) -> Result<u64> {
    match env::var(variable) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(default),
    }
}

impl Setting {
    fn new(rng: &mut Rng, links: Links) -> Self {
        let Links { front, back, closed, .. } = links;
        let (open, shut) = match rng.u32(..4) {
            0 => (vec![front], vec![back, closed]),
            1 => (vec![back], vec![front, closed]),
            _ => (vec![front, back, closed], vec![]),
        };
        let vlans = match rng.u32(..4) {
            0 => vec![(front, Vlan { ifindex: back, tags: 0x123 })],
            1 => vec![(back, Vlan { ifindex: back, tags: 0x0009_0123 })],
            _ => vec![],
        };
        Self { silent: random::one_in(rng, 4), open, shut, vlans }
    }

    /// What the program returns for a verdict (`enum xdp_action`).
    fn action(&self, verdict: Verdict) -> u32 {
        match verdict {
            Verdict::Pass => 2,
            Verdict::Transmit => 3,
            Verdict::Redirect { ifindex } if self.open.contains(&ifindex) => 4,
            Verdict::Drop | Verdict::Redirect { .. } => 1,
        }
    }
}

impl Trial {
    fn new(links: Links) -> Result<Self> {
        let mut rows = Rows::new(&links);
        tables::mark(&mut rows);
        let (host, kernel) = (Host::new(&rows, links), Kernel::new(&rows)?);
        Ok(Self { links, rows, host, kernel, all_counters: false, met: BTreeMap::new() })
    }

    /// The batches of some seeds. Counters that only the kernel raised are looked for at their end; if
    /// there are any, again in each.
    fn batches(&mut self, seeds: &[u64]) -> Result<()> {
        for seed in seeds {
            self.batch(*seed)?;
        }
        let (packets, backends) = self.kernel.take_all_counters()?;
        if packets.is_empty() && backends.is_empty() {
            return Ok(());
        }
        self.all_counters = true;
        for seed in seeds {
            self.batch(*seed)?;
        }
        bail!("counted by the kernel alone, in one of {seeds:?}: {packets:?} {backends:?}")
    }

    /// The batch of a seed.
    fn batch(&mut self, seed: u64) -> Result<()> {
        let mut rng = Rng::with_seed(seed);
        let setting = Setting::new(&mut rng, self.links);
        loop {
            let mut generator = Generator::new(rng.clone(), self.links);
            let mut events = Vec::new();
            let ended = self.run(&setting, |last| {
                if let Some((event, sent)) = last {
                    generator.hear(event, sent);
                }
                let more = (events.len() as u64) < BATCH;
                more.then(|| generator.next()).inspect(|event| events.push(event.clone()))
            })?;
            match ended {
                Ended::InAnotherTick => {}
                Ended::Alike => {
                    for (reason, packets) in self.host.counted() {
                        *self.met.entry(reason).or_default() += packets;
                    }
                    return Ok(());
                }
                Ended::Different(difference) => {
                    return self.report(seed, &setting, &events, &difference);
                }
            }
        }
    }
}
