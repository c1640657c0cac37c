//! The twins of the programs, which report what they do.

use anyhow::{Context, Result, bail, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, PerCpuArray, ProgramArray, RingBuf},
    programs::Xdp,
};
use lb_common::{
    limits::{Stage, maps, trace},
    trace::{Filter, Record},
};
use lb_userspace::dataplane::object::TRACE_OBJECT;

use super::{Machine, take};
use crate::kernel::{
    case::{Case, Outcome},
    fixture::Rows,
    machine::{now, tables::Tables},
    memory::ROOM,
    network::Links,
};

/// A machine with the twins, and what they report.
pub(in crate::kernel) struct Traced {
    machine: Machine,
    filter: Array<MapData, Filter>,
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
}

impl Traced {
    /// Loads the object in the namespace that the thread is in, and fills its maps. There are no ordinary
    /// stages that a twin could fall back to.
    pub(in crate::kernel) fn new(rows: &Rows, links: Links) -> Result<Self> {
        let mut ebpf = load()?;
        let tables = Tables::new(&mut ebpf, rows)?;
        let interfaces = take(&mut ebpf, maps::INTERFACES)?.try_into()?;
        let filter = take(&mut ebpf, trace::FILTER)?.try_into()?;
        let ring = take(&mut ebpf, trace::RING)?.try_into()?;
        let lost = take(&mut ebpf, trace::LOST)?.try_into()?;
        let programs = programs(&mut ebpf)?;
        let attached = trace::PROGRAM;
        let machine = Machine { ebpf, interfaces, tables, links, attached, _programs: programs };
        let mut traced = Self { machine, filter, ring, lost };
        traced.set(&Filter::all(u32::MAX / 2))?;
        Ok(traced)
    }

    /// Wants other packets.
    pub(in crate::kernel) fn set(&mut self, filter: &Filter) -> Result<()> {
        Ok(self.filter.set(0, filter, 0)?)
    }

    /// Wants all packets, or none.
    pub(in crate::kernel) fn look(&mut self, looks: bool) -> Result<()> {
        self.set(&Filter::all(if looks { now() + 1000 } else { now() }))
    }

    /// What becomes of the frame, and what is reported of it.
    pub(in crate::kernel) fn run(&mut self, case: &Case) -> Result<(Outcome, Option<Record>)> {
        let outcome = self.machine.run(case)?;
        let mut last = None;
        while let Some(bytes) = self.ring.next() {
            last = Some(Record::from_bytes(&bytes).context("a record is too short")?);
        }
        Ok((outcome, last))
    }

    /// What is wrong with the counters after all cases.
    pub(in crate::kernel) fn leftovers(&mut self) -> Result<Option<String>> {
        self.machine.leftovers()
    }

    /// Lets so many copies of a frame arrive while nobody reads; how many were lost.
    pub(in crate::kernel) fn flood(&mut self, frame: &[u8], packets: usize) -> Result<u64> {
        for _ in 0..packets {
            _ = self.machine.verdict_on(self.machine.links.front, frame)?;
        }
        let mut read = 0;
        while self.ring.next().is_some() {
            read += 1;
        }
        let lost = self.lost.get(&0, 0)?.iter().sum();
        ensure!(read + lost == packets as u64, "{read} read and {lost} lost of {packets}");
        Ok(lost)
    }
}

/// The object in the kernel, with maps of its own.
pub(in crate::kernel) fn load() -> Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    loader.map_max_entries(maps::FLOWS, ROOM).map_max_entries(maps::RETURNS, ROOM);
    let mut ebpf = loader.load(TRACE_OBJECT)?;
    for name in names() {
        let program: &mut Xdp = ebpf.program_mut(name).context("no such program")?.try_into()?;
        if let Err(error) = program.load() {
            bail!("{name}: {error}");
        }
    }
    Ok(ebpf)
}

/// All programs of the object.
pub(in crate::kernel) fn names() -> impl Iterator<Item = &'static str> {
    [trace::PROGRAM, trace::END_PROGRAM].into_iter().chain(Stage::ALL.map(trace::stage_program))
}

fn programs(ebpf: &mut Ebpf) -> Result<ProgramArray<MapData>> {
    let mut programs: ProgramArray<MapData> = take(ebpf, trace::PROGRAMS)?.try_into()?;
    let stages = Stage::ALL.map(|stage| (stage as u32, trace::stage_program(stage)));
    for (place, name) in stages.into_iter().chain([(trace::END, trace::END_PROGRAM)]) {
        let program: &Xdp = ebpf.program(name).context("no such program")?.try_into()?;
        programs.set(place, program.fd()?, 0)?;
    }
    Ok(programs)
}
