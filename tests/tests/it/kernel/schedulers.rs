//! What schedulers come to over many flows, in the kernel: shares by chance, and shares by load.

use anyhow::{Context, Result};
use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuArray, ProgramArray},
    programs::Xdp,
};
use lb_common::{
    abi::{BACKEND_RESOLVED, Backend, Counter, ForwardMode, Scheduler, Service, Tracking},
    host::{addr_be, endpoint},
    limits::{PROGRAM, maps},
    slot::Slot,
};

use super::{
    fixture::{Rows, SlotRow},
    kernel_is_ready,
    machine::{
        load, stages,
        tables::{Asked, chunks, fill, take_counter},
        take, test_run,
    },
    network::{self, Links},
    packet::{Flags, Packet},
    services::address,
};

/// Slots of the ring, by owner: one for each unit of its weight.
const OWNERS: [u32; 8] = [1, 2, 3, 3, 4, 4, 4, 4];
/// Weights of backends 1 to 4.
const WEIGHTS: [u32; 4] = [1, 1, 2, 4];
/// New flows.
const FLOWS: u16 = 4_000;

struct Scene {
    ebpf: Ebpf,
    asked: Asked,
    backends: PerCpuArray<MapData, Counter>,
    counted: Array<MapData, i64>,
    front: u32,
    _programs: ProgramArray<MapData>,
    _chunks: std::collections::BTreeMap<u32, Array<MapData, u64>>,
}

impl Scene {
    fn new(scheduler: Scheduler, links: Links) -> Result<Self> {
        let rows = rows(scheduler, links);
        let mut ebpf = load()?;
        fill(&mut ebpf, &rows)?;
        let mut weights: Array<MapData, u32> = take(&mut ebpf, maps::WEIGHTS)?.try_into()?;
        for (id, weight) in (1..).zip(WEIGHTS) {
            weights.set(id, weight, 0)?;
        }
        let mut chunks = chunks(&mut ebpf, &rows.slots)?;
        for row in &rows.slots {
            let chunk = chunks.get_mut(&0).context("no chunk")?;
            chunk.set(row.index, row.at(0).word(), 0)?;
        }
        Ok(Self {
            asked: Asked::new(&mut ebpf, &rows)?,
            backends: take(&mut ebpf, maps::BACKEND_COUNTERS)?.try_into()?,
            counted: take(&mut ebpf, maps::FLOWS_COUNTED)?.try_into()?,
            front: links.front,
            _programs: stages(&mut ebpf)?,
            _chunks: chunks,
            ebpf,
        })
    }

    /// Packets of some flows, by the ports of the client. How many each backend got.
    fn send(&mut self, flags: Flags, ports: impl Iterator<Item = u16>) -> Result<[u64; 4]> {
        let program: &Xdp = self.ebpf.program(PROGRAM).context("no such program")?.try_into()?;
        for port in ports {
            let packet = Packet::new(address("198.51.100.7:1"), address("192.0.2.10:80"), 6);
            let frame = packet.source_port(port).flags(flags).build();
            test_run(program, self.front, &frame)?;
        }
        let mut packets = [0; 4];
        for (id, packets) in (1..).zip(&mut packets) {
            *packets = take_counter(&mut self.backends, id)?.map_or(0, |counter| counter.packets);
        }
        Ok(packets)
    }

    fn opened(&self) -> Result<[i64; 4]> {
        let mut opened = [0; 4];
        for (id, opened) in (1..).zip(&mut opened) {
            *opened = self.asked.flows_opened(id)?;
        }
        Ok(opened)
    }
}

/// One service with four backends.
fn rows(scheduler: Scheduler, links: Links) -> Rows {
    let service = Service {
        id: 1,
        ring_mask: 7,
        mode: ForwardMode::Dsr as u8,
        tracking: Tracking::All as u8,
        idle_ticks: 300,
        scheduler: scheduler as u8,
        ..Service::default()
    };
    let backend = |id: u8| Backend {
        identity: u64::from(id),
        addr_be: addr_be([203, 0, 113, id].into()),
        flags: BACKEND_RESOLVED,
        ifindex: links.back,
        mtu: 1500,
        ..Backend::default()
    };
    let slots = (0..)
        .zip(OWNERS)
        .map(|(place, owner)| SlotRow::new(1, place, place, Slot::settled(owner, 0)));
    Rows {
        services: vec![(endpoint(address("192.0.2.10:80"), 6), service)],
        backends: (1..=4).map(|id| (id.into(), backend(id))).collect(),
        slots: slots.collect(),
        ..Rows::default()
    }
}

fn scene(scheduler: Scheduler, test: impl FnOnce(Scene) -> Result<()> + Send) -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    network::build()?.enter(|| test(Scene::new(scheduler, Links::here()?)?))
}

/// The share of each backend by its weight.
fn shares() -> [f64; 4] {
    WEIGHTS.map(|weight| f64::from(FLOWS) * f64::from(weight) / 8.0)
}

/// How far off the fair shares are, at most.
#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn farthest(found: [u64; 4]) -> f64 {
    found
        .iter()
        .zip(shares())
        .map(|(found, share)| (*found as f64 - share).abs())
        .fold(0., f64::max)
}

#[test]
fn chance_gives_shares_by_weight() -> Result<()> {
    scene(Scheduler::Random, |mut scene| {
        let found = scene.send(Flags::Opens, 1..=FLOWS)?;
        // Six standard deviations of the largest share.
        assert!(farthest(found) < 6. * (f64::from(FLOWS) / 4.).sqrt(), "{found:?}");
        // Their flows stay where they are.
        assert_eq!(scene.send(Flags::Continues, 1..=FLOWS)?, found);
        Ok(())
    })
}

#[test]
fn the_less_loaded_of_two_keeps_the_load_even() -> Result<()> {
    scene(Scheduler::LeastFlows, |mut scene| {
        let found = scene.send(Flags::Opens, 1..=FLOWS)?;
        println!("{found:?} of {FLOWS} flows by weights {WEIGHTS:?}");
        // Chance alone would be off by several times as much.
        assert!(farthest(found) <= 20., "{found:?}");
        assert_eq!(scene.opened()?.map(i64::unsigned_abs), found);

        // All end but those of one backend: the next flows go to the others.
        let before = scene.opened()?;
        let all = scene.send(Flags::Closes, 1..=FLOWS)?;
        assert_eq!((all, scene.opened()?), (found, [0; 4]));
        scene.counted.set(4, before[3], 0)?;
        let next = scene.send(Flags::Opens, 10_000..10_200)?;
        assert_eq!(next.iter().sum::<u64>(), 200);
        // Only where both draws are the busy one, once in four times.
        assert!((20..90).contains(&next[3]), "{next:?}");
        Ok(())
    })
}
