//! Twins of the programs, attached in their place while somebody traces packets.
//!
//! They come from an object that is loaded when a trace begins and dropped when it ends, and share the
//! pinned maps with the ordinary programs. What they have of their own is pinned nowhere: if the daemon is
//! killed, its twin goes on with the ordinary stages, until the next daemon puts its program there.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    path::Path,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, PerCpuArray, ProgramArray, RingBuf},
    programs::{Xdp, links::PinnedLink},
};
use lb_common::{
    limits::{self, Stage, maps, trace},
    trace::{Filter, Record},
};
use tokio::io::{Interest, unix::AsyncFd};
use tracing::warn;

use super::{
    Dataplane, DataplaneError, attach::replace_program, load, object, pins, program, tables,
};

/// The loaded twins.
pub struct Twins {
    ebpf: Ebpf,
    filter: Array<MapData, Filter>,
    lost: PerCpuArray<MapData, u64>,
    /// Empties itself when its last handle goes.
    _programs: ProgramArray<MapData>,
}

/// Where the twins leave what they have seen. Its file descriptor is readable while there is something.
pub struct Ring(RingBuf<MapData>);

impl Twins {
    /// Loads them, beside the maps pinned in the directory. The verifier takes its time, so this is work
    /// for a thread of its own.
    pub fn load(pin_dir: &Path) -> Result<(Self, Ring), DataplaneError> {
        let mut loader = EbpfLoader::new();
        for name in maps::ALL {
            loader.map_pin_path(name, pin_dir.join(name));
        }
        let mut ebpf = loader
            .load(object::TRACE_OBJECT)
            .map_err(|source| DataplaneError::Load { source: Box::new(source) })?;
        let programs = Self::programs(&mut ebpf)?;
        load(program(&mut ebpf, trace::PROGRAM)?).map_err(too_old)?;
        let ring = Ring(tables::take(&mut ebpf, trace::RING)?);
        let filter = tables::take(&mut ebpf, trace::FILTER)?;
        let lost = tables::take(&mut ebpf, trace::LOST)?;
        Ok((Self { ebpf, filter, lost, _programs: programs }, ring))
    }

    /// Loads the twins of the stages, and puts them where the attached one finds them.
    fn programs(ebpf: &mut Ebpf) -> Result<ProgramArray<MapData>, DataplaneError> {
        let mut programs: ProgramArray<MapData> = tables::take(ebpf, trace::PROGRAMS)?;
        let stages = Stage::ALL.map(|stage| (stage as u32, trace::stage_program(stage)));
        for (place, name) in stages.into_iter().chain([(trace::END, trace::END_PROGRAM)]) {
            let program = program(ebpf, name)?;
            load(program).map_err(too_old)?;
            let fd = program.fd()?;
            programs.set(place, fd, 0).map_err(tables::failed(trace::PROGRAMS))?;
        }
        Ok(programs)
    }

    /// Wants these packets from now on.
    fn want(&mut self, filter: &Filter) -> Result<(), DataplaneError> {
        self.filter.set(0, filter, 0).map_err(tables::failed(trace::FILTER))
    }
}

/// The twins need a newer kernel than the programs.
fn too_old(error: DataplaneError) -> DataplaneError {
    match error {
        DataplaneError::Verifier { source } => DataplaneError::Twins { source },
        other => other,
    }
}

impl Ring {
    /// So that it can be waited for.
    pub fn awaitable(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the file descriptor is the ring's own, which keeps it open, and the same, as long as it is
        // there.
        Ok(unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }?)
    }
}

/// The packets that are there.
impl Iterator for Ring {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        // What is in the ring is as long as a record.
        Record::from_bytes(&self.0.next()?)
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Dataplane {
    /// Puts the twins in the place of the program, everywhere. No packet is missed.
    pub fn begin_trace(&mut self, mut twins: Twins, filter: &Filter) -> Result<(), DataplaneError> {
        twins.want(filter)?;
        self.twins = Some(twins);
        let replaced: Vec<_> = self.attached()?.iter().map(|it| self.trace_on(it)).collect();
        // An interface may just be gone, but not all of them.
        let one = replaced.iter().any(Result::is_ok);
        replaced.into_iter().find(|it| !one && it.is_err()).unwrap_or(Ok(()))
    }

    /// Puts the twin in the place of the program on one interface, if there is a trace.
    pub(super) fn trace_on(&mut self, interface: &str) -> Result<(), DataplaneError> {
        let Some(twins) = &mut self.twins else { return Ok(()) };
        let replaced = program(&mut twins.ebpf, trace::PROGRAM)
            .and_then(|program| replace(program, &self.pin_dir, interface));
        if let Err(error) = &replaced {
            warn!("packets that arrive on {interface} cannot be traced: {error}");
        }
        replaced
    }

    /// Wants other packets, or the same for longer.
    pub fn renew_trace(&mut self, filter: &Filter) -> Result<(), DataplaneError> {
        self.twins.as_mut().map_or(Ok(()), |twins| twins.want(filter))
    }

    /// Packets that found no room in the ring since the trace began.
    pub fn lost_by_trace(&self) -> Result<u64, DataplaneError> {
        let Some(twins) = &self.twins else { return Ok(0) };
        let lost = twins.lost.get(&0, 0).map_err(tables::failed(trace::LOST))?;
        Ok(lost.iter().sum())
    }

    /// Puts the program back, everywhere, and drops the twins.
    pub fn end_trace(&mut self) {
        if self.twins.is_none() {
            return;
        }
        // Where the program is gone, so is the twin.
        for interface in self.attached().unwrap_or_default() {
            let replaced = program(&mut self.ebpf, limits::PROGRAM)
                .and_then(|program| replace(program, &self.pin_dir, &interface));
            if let Err(error) = replaced {
                warn!("the program of a trace is left on {interface}: {error}");
            }
        }
        self.twins = None;
    }
}

/// Replaces the program of a pinned link.
fn replace(program: &mut Xdp, pin_dir: &Path, interface: &str) -> Result<(), DataplaneError> {
    let pinned = PinnedLink::from_pin(pins::link_path(pin_dir, interface))
        .map_err(|source| DataplaneError::Link { interface: interface.to_owned(), source })?;
    replace_program(program, pinned)
        .map_err(|reason| DataplaneError::Replace { interface: interface.to_owned(), reason })
}
