//! The programs of `bench-ebpf`: loaded, steered and run.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, DevMap, Map, MapData, MapError, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode},
};

pub(crate) use self::shared::Recipe;
use super::{case::Spec, cpu::Cpu};

#[path = "../../../bench-ebpf/src/shared.rs"]
mod shared;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench-xdp"));

/// `XDP_TX` of `enum xdp_action`.
const TRANSMIT: u32 = 3;
/// Room for the largest outer headers.
const SPARE: usize = 128;
/// Frames of a live run that are under way at a time.
const BATCH: u32 = 64;
/// Packets that are on their way back arrive within microseconds; this is for a machine under load.
const BOUND: Duration = Duration::from_secs(5);

// SAFETY: repr(C), and made of 32-bit words only.
unsafe impl aya::Pod for Recipe {}

/// The programs, and the maps that steer them.
pub(crate) struct Programs {
    cpu: Cpu,
    ebpf: Ebpf,
    recipe: Array<MapData, Recipe>,
    measured: ProgramArray<MapData>,
    out: DevMap<MapData>,
    arrived: Array<MapData, u64>,
}

/// Packets to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) spec: Spec,
    pub(crate) frame: &'a [u8],
    pub(crate) packets: u32,
}

impl Programs {
    /// Loads them into the kernel, to be run on a CPU.
    pub(crate) fn load(cpu: Cpu) -> Result<Self> {
        let mut ebpf = EbpfLoader::new().load(OBJECT)?;
        for (name, program) in ebpf.programs_mut() {
            let program: &mut Xdp = program.try_into()?;
            program.load().with_context(|| format!("program {name}"))?;
        }
        Ok(Self {
            cpu,
            recipe: take(&mut ebpf, "RECIPE")?,
            measured: take(&mut ebpf, "MEASURED")?,
            out: take(&mut ebpf, "OUT")?,
            arrived: take(&mut ebpf, "ARRIVED")?,
            ebpf,
        })
    }

    fn program(&self, name: &str) -> Result<&Xdp> {
        Ok(self.ebpf.program(name).with_context(|| format!("no program {name}"))?.try_into()?)
    }

    /// A program by its name.
    pub(crate) fn program_mut(&mut self, name: &str) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(name);
        Ok(program.with_context(|| format!("no program {name}"))?.try_into()?)
    }

    /// A handle of a program.
    pub(crate) fn fd(&self, name: &str) -> Result<ProgramFd> {
        Ok(self.program(name)?.fd()?.try_clone()?)
    }

    /// Attaches a program for good, natively, to an interface of this namespace.
    pub(crate) fn attach(&mut self, name: &str, interface: &str) -> Result<()> {
        self.program_mut(name)?
            .attach(interface, XdpMode::Driver)
            .with_context(|| format!("{name} cannot be attached to {interface}"))?;
        Ok(())
    }

    /// Has packets made for so many flows, beginning with one.
    pub(crate) fn make(&mut self, recipe: Recipe) -> Result<()> {
        Ok(self.recipe.set(0, recipe, 0)?)
    }

    /// The flow that is next.
    pub(crate) fn next_flow(&self) -> Result<u32> {
        Ok(self.recipe.get(&0, 0)?.next)
    }

    /// Has a program run by test runs.
    pub(crate) fn measure(&mut self, program: &ProgramFd) -> Result<()> {
        Ok(self.measured.set(0, program, 0)?)
    }

    /// Has packets of live runs sent out of an interface of this namespace.
    pub(crate) fn send_to(&mut self, ifindex: u32) -> Result<()> {
        Ok(self.out.set(0, ifindex, None, 0)?)
    }

    /// Runs the measured program on packets that come in by an interface, and are sent nowhere. The
    /// CPU time that it took with making them, and the last frame.
    pub(crate) fn again(&self, load: Load<'_>, ingress: u32) -> Result<(Duration, Vec<u8>)> {
        self.test_run(&format!("again_{}", load.spec.family.name()), load, ingress)
    }

    /// Runs the bare program on one and the same packet. The CPU time that it took.
    pub(crate) fn bare(&self, load: Load<'_>, ingress: u32) -> Result<Duration> {
        Ok(self.test_run("bare_tx", load, ingress)?.0)
    }

    fn test_run(&self, name: &str, load: Load<'_>, ingress: u32) -> Result<(Duration, Vec<u8>)> {
        let end = u32::try_from(load.frame.len())?;
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index,
        // egress_ifindex.
        let context = [0, end, 0, ingress, 0, 0].map(u32::to_ne_bytes).concat();
        let mut out = vec![0; load.frame.len() + SPARE];
        let options = TestRunOptions {
            data_in: Some(load.frame),
            data_out: Some(&mut out),
            ctx_in: Some(&context),
            repeat: load.packets,
            ..TestRunOptions::default()
        };
        let program = self.program(name)?;
        let start = self.cpu.time()?;
        let result = program.test_run(options)?;
        let took = self.cpu.time()?.saturating_sub(start);
        let action = result.return_value;
        ensure!(action == TRANSMIT, "{}: the program returned {action}", load.spec);
        out.truncate(result.data_size_out as usize);
        Ok((took, out))
    }

    /// Sends packets, all of which must come back. The CPU time that it took.
    pub(crate) fn send(&self, load: Load<'_>) -> Result<Duration> {
        let name = format!("send_{}", load.spec.family.name());
        let options = TestRunOptions {
            data_in: Some(load.frame),
            repeat: load.packets,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        };
        let program = self.program(&name)?;
        let before = self.arrived()?;
        let start = self.cpu.time()?;
        program.test_run(options)?;
        self.wait_for(before + u64::from(load.packets))?;
        Ok(self.cpu.time()?.saturating_sub(start))
    }

    fn arrived(&self) -> Result<u64> {
        Ok(self.arrived.get(&0, 0)?)
    }

    fn wait_for(&self, wanted: u64) -> Result<()> {
        let start = Instant::now();
        loop {
            let missing = wanted.saturating_sub(self.arrived()?);
            if missing == 0 {
                return Ok(());
            }
            if start.elapsed() > BOUND {
                bail!("{missing} packets did not come back");
            }
            std::thread::yield_now();
        }
    }
}

fn take<M>(ebpf: &mut Ebpf, name: &str) -> Result<M>
where
    M: TryFrom<Map, Error = MapError>,
{
    Ok(ebpf.take_map(name).with_context(|| format!("no map {name}"))?.try_into()?)
}
