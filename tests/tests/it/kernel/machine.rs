//! The cases in the kernel: the built object, loaded and run by `BPF_PROG_TEST_RUN`.

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{DevMapHash, Map, MapData, ProgramArray},
    programs::{TestRun, TestRunOptions, Xdp},
};
use lb_common::{
    abi::Verdict,
    limits::{EXPLAIN_PROGRAM, PROGRAM, Stage, maps},
    time::tick,
};
use lb_userspace::dataplane::object::OBJECT;
use rustix::time::{ClockId, clock_gettime};

use self::tables::Tables;
use super::{
    case::{Case, Outcome},
    fixture::Rows,
    memory::ROOM,
    network::Links,
};

pub(super) mod tables;
mod traced;

pub(super) use self::traced::{Traced, load as load_twins, names as twins};

/// Room for the frame to grow: more than any outer header needs.
const SPARE: usize = 128;

/// The loaded program and the maps that a case reads or writes.
pub(crate) struct Machine {
    ebpf: Ebpf,
    interfaces: DevMapHash<MapData>,
    tables: Tables,
    links: Links,
    /// Name of the program that packets meet first.
    attached: &'static str,
    /// Empties itself when its last handle goes.
    _programs: ProgramArray<MapData>,
}

/// The object in the kernel, with empty maps that are pinned nowhere.
pub(crate) fn load() -> Result<Ebpf> {
    load_by(&mut EbpfLoader::new())
}

/// The same, by a loader that was told more.
pub(super) fn load_by(loader: &mut EbpfLoader<'_>) -> Result<Ebpf> {
    let mut ebpf = loader.load(OBJECT)?;
    for name in Stage::ALL.map(Stage::program).into_iter().chain([PROGRAM, EXPLAIN_PROGRAM]) {
        let program: &mut Xdp = ebpf.program_mut(name).context("no such program")?.try_into()?;
        program.load()?;
    }
    Ok(ebpf)
}

impl Machine {
    /// Loads the object in the namespace that the thread is in, and fills its maps.
    pub(crate) fn new(rows: &Rows, links: Links) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        // Small tables are soon full, and soon read.
        loader.map_max_entries(maps::FLOWS, ROOM).map_max_entries(maps::RETURNS, ROOM);
        let mut ebpf = load_by(&mut loader)?;
        let tables = Tables::new(&mut ebpf, rows)?;
        let interfaces = take(&mut ebpf, maps::INTERFACES)?.try_into()?;
        let programs = stages(&mut ebpf)?;
        let attached = PROGRAM;
        Ok(Self { ebpf, interfaces, tables, links, attached, _programs: programs })
    }

    /// What becomes of the frame in the kernel, with tables as new.
    pub(crate) fn run(&mut self, case: &Case) -> Result<Outcome> {
        let targets = self.open_interfaces(case.expected.verdict)?;
        loop {
            let now = now();
            let outcome = self.run_in(now, case, &targets);
            // A tick that ended in the midst of it would be seen in the tables.
            if self::now() == now {
                return outcome;
            }
            self.tables.leftovers()?;
        }
    }

    fn run_in(&mut self, now: u32, case: &Case, targets: &[u32]) -> Result<Outcome> {
        self.tables.reset(&case.memory, now)?;
        self.tables.silence(case.silent)?;
        for (ingress, frame) in &case.before {
            self.test_run(*ingress, frame)?;
        }
        if !case.before.is_empty() {
            self.tables.leftovers()?;
        }
        let (action, frame) = self.test_run(case.ingress, &case.input)?;
        let services: Vec<u32> = case.expected.counted.iter().map(|(id, ..)| *id).collect();
        let backends: Vec<u32> = case.expected.backends.iter().map(|(id, _)| *id).collect();
        let counted = self.tables.take_counters(&services, &backends)?;
        let verdict = verdict(action, targets)?;
        let (memory, stamped) = (self.tables.memory(now)?, self.tables.stamped(now)?);
        let (counted, backends) = (counted.packets, counted.backends);
        Ok(Outcome { verdict, counted, backends, frame, memory, stamped })
    }

    /// The verdict on a frame that is not redirected, whatever was before.
    pub(crate) fn verdict_on(&self, ingress: u32, frame: &[u8]) -> Result<Verdict> {
        let (action, _) = self.test_run(ingress, frame)?;
        verdict(action, &[])
    }

    /// What is wrong with the counters after all cases: each took what it expected.
    pub(crate) fn leftovers(&mut self) -> Result<Option<String>> {
        let left = self.tables.leftovers()?;
        let nothing = left.packets.is_empty() && left.backends.is_empty();
        Ok((!nothing).then(|| format!("counted and not expected: {left:?}")))
    }

    /// A test run tells that a packet was redirected, not where to. So only the interface that a
    /// case expects can be redirected to, and any other choice is seen as a drop.
    fn open_interfaces(&mut self, expected: Verdict) -> Result<Vec<u32>> {
        let all = [self.links.front, self.links.back, self.links.closed];
        let expected = |ifindex: &u32| match expected {
            Verdict::Redirect { ifindex: expected } => *ifindex == expected,
            _ => true,
        };
        let (open, shut): (Vec<u32>, Vec<u32>) = all.into_iter().partition(expected);
        for ifindex in &open {
            self.interfaces.insert(*ifindex, *ifindex, None, 0)?;
        }
        for ifindex in shut {
            // Most often it is not there.
            _ = self.interfaces.remove(ifindex);
        }
        Ok(open)
    }

    fn test_run(&self, ingress: u32, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
        let program = self.ebpf.program(self.attached).context("no such program")?;
        let program: &Xdp = program.try_into()?;
        test_run(program, ingress, frame)
    }
}

/// Puts the programs of all stages where the attached one finds them, as long as this is kept.
pub(super) fn stages(ebpf: &mut Ebpf) -> Result<ProgramArray<MapData>> {
    let mut programs: ProgramArray<MapData> = take(ebpf, maps::PROGRAMS)?.try_into()?;
    for stage in Stage::ALL {
        let program: &Xdp = ebpf.program(stage.program()).context("no such program")?.try_into()?;
        programs.set(stage as u32, program.fd()?, 0)?;
    }
    Ok(programs)
}

/// Runs a program on a frame; its return value, and the frame afterwards.
pub(super) fn test_run(program: &Xdp, ingress: u32, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
    let end = u32::try_from(frame.len())?;
    // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index,
    // egress_ifindex.
    let context = [0, end, 0, ingress, 0, 0].map(u32::to_ne_bytes).concat();
    let mut out = vec![0; frame.len() + SPARE];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut out),
        ctx_in: Some(&context),
        ..TestRunOptions::default()
    };
    let result = program.test_run(options)?;
    out.truncate(result.data_size_out as usize);
    Ok((result.return_value, out))
}

pub(super) fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))
}

/// The tick that the program sees.
pub(super) fn now() -> u32 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = now.tv_sec * 1_000_000_000 + now.tv_nsec;
    tick(u64::try_from(nanoseconds).expect("the clock began with zero"))
}

/// The verdict behind a return value of the program (`enum xdp_action`).
fn verdict(action: u32, targets: &[u32]) -> Result<Verdict> {
    Ok(match (action, targets) {
        (1, _) => Verdict::Drop,
        (2, _) => Verdict::Pass,
        (3, _) => Verdict::Transmit,
        (4, [ifindex]) => Verdict::Redirect { ifindex: *ifindex },
        // Nobody expected it.
        (4, _) => Verdict::Redirect { ifindex: 0 },
        (other, _) => bail!("the program returned {other}"),
    })
}
