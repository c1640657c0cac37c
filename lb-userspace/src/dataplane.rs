//! The XDP program and its maps: the only module that talks to aya.
//!
//! Maps and links are pinned, so that packets flow without a daemon and a new one adopts what is
//! there. All operations come from [`reconcile`](crate::reconcile) or the event loop; nothing here
//! decides or waits.

pub mod attach;
pub mod counters;
pub mod decap;
mod index;
pub mod netlink;
pub mod object;
mod options;
pub mod pins;
pub mod probe;
mod sweeper;
mod tables;
mod trace;

use std::{
    io,
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{MapData, MapError, ProgramArray, xdp::XdpMapError},
    pin::PinError,
    programs::{ProgramError, TestRun as _, TestRunOptions, Xdp, links::LinkError},
};
use lb_common::{
    abi::{ABI_VERSION, Explanation},
    limits::{self, maps},
};
use rustix::fd::OwnedFd;
use thiserror::Error;
use tracing::debug;

use self::tables::Maps;
pub use self::{
    sweeper::{Slots, Sweeper},
    trace::{Ring, Twins},
};
use crate::reconcile::{Image, Op};

/// Why the program or its maps could not be had or changed.
#[derive(Debug, Error)]
pub enum DataplaneError {
    /// The directory for pins could not be used.
    #[error("cannot use {path} for pinned maps: {source}; it must be in a BPF file system")]
    PinDir {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Another daemon holds the directory.
    #[error(
        "another daemon uses the pins in {path}; stop it, or give this one another `pin-dir` in [daemon]"
    )]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// Pins of another version.
    #[error(
        "the maps in {path} are of table version {found}, this daemon's of {ABI_VERSION}: it would misread them; run `shunt detach --pin-dir {path}` to remove them (packets then go to the kernel until this daemon is up)"
    )]
    Version {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// The program could not be loaded.
    #[error("cannot load the XDP program: {source}")]
    Load {
        /// The reason.
        #[source]
        source: Box<EbpfError>,
    },
    /// The kernel refused the program, or something about it.
    #[error("the kernel refuses the XDP program: {source}")]
    Program {
        /// The reason.
        #[from]
        source: ProgramError,
    },
    /// The verifier refused the program.
    #[error(
        "the kernel refuses to load the XDP program: {source}; Linux 5.15 or later is needed, and SHUNT_LOG=debug shows what its verifier says"
    )]
    Verifier {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The verifier refused the programs of a trace.
    #[error(
        "the kernel refuses to load the programs that trace packets: {source}; Linux 5.18 or later is needed for that, and SHUNT_LOG=debug shows what its verifier says"
    )]
    Twins {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The program of a link could not be replaced.
    #[error("cannot replace the program on {interface}: {reason}")]
    Replace {
        /// The interface.
        interface: String,
        /// The reason.
        reason: String,
    },
    /// A map could not be read or written.
    #[error("cannot access map {name}: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// The reason.
        #[source]
        source: MapError,
    },
    /// The redirect map could not be written.
    #[error("cannot allow redirects to interface {ifindex}: {source}")]
    Redirect {
        /// The interface.
        ifindex: u32,
        /// The reason.
        #[source]
        source: XdpMapError,
    },
    /// The object lacks something: a build error.
    #[error("the embedded program has no `{name}`; this is a bug in the build of shunt")]
    Missing {
        /// What it lacks.
        name: &'static str,
    },
    /// The program could not be attached.
    #[error("cannot attach to {interface} in {mode} mode: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// The mode.
        mode: &'static str,
        /// What the kernel said, and what to do.
        reason: String,
    },
    /// A link could not be pinned.
    #[error("cannot pin the link of {interface}: {source}")]
    Pin {
        /// The interface.
        interface: String,
        /// The reason.
        #[source]
        source: PinError,
    },
    /// A link was not what it should be.
    #[error("the link of {interface} cannot be used: {source}")]
    Link {
        /// The interface.
        interface: String,
        /// The reason.
        #[source]
        source: LinkError,
    },
}

/// The loaded program and its maps.
pub struct Dataplane {
    /// Keeps the program loaded.
    ebpf: Ebpf,
    maps: Maps,
    /// While packets are traced.
    twins: Option<Twins>,
    pin_dir: PathBuf,
    /// Held for as long as this daemon owns the pins.
    _lock: OwnedFd,
}

impl Dataplane {
    /// Loads the program. Adopts the maps pinned in the directory, or makes them.
    pub fn open(pin_dir: &Path) -> Result<Self, DataplaneError> {
        let lock = pins::lock(pin_dir)?;
        pins::check_version(pin_dir)?;
        let mut loader = EbpfLoader::new();
        for name in maps::ALL {
            loader.map_pin_path(name, pin_dir.join(name));
        }
        let mut ebpf = loader
            .load(object::OBJECT)
            .map_err(|source| DataplaneError::Load { source: Box::new(source) })?;
        let maps = Maps::take(&mut ebpf)?;
        let pin_dir = pin_dir.to_owned();
        let mut dataplane = Self { ebpf, maps, twins: None, pin_dir, _lock: lock };
        load(dataplane.program()?)?;
        dataplane.maps.write_version()?;
        dataplane.hand_over()?;
        load(program(&mut dataplane.ebpf, limits::EXPLAIN_PROGRAM)?)?;
        Ok(dataplane)
    }

    /// Loads the programs of the stages of rare packets, and puts them where the attached one finds
    /// them: this one, or the one that an earlier daemon attached and this is about to replace.
    fn hand_over(&mut self) -> Result<(), DataplaneError> {
        let mut programs: ProgramArray<MapData> = tables::take(&mut self.ebpf, maps::PROGRAMS)?;
        for stage in limits::Stage::ALL {
            let program = program(&mut self.ebpf, stage.program())?;
            load(program)?;
            let fd = program.fd()?;
            programs.set(stage as u32, fd, 0).map_err(tables::failed(maps::PROGRAMS))?;
        }
        Ok(())
    }

    /// Which backend a frame would go to, and why, by a test run of a program that changes nothing.
    pub fn explain(&mut self, frame: &[u8]) -> Result<Explanation, DataplaneError> {
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::default() };
        program(&mut self.ebpf, limits::EXPLAIN_PROGRAM)?.test_run(options)?;
        self.maps.explanation()
    }

    /// What the tables hold.
    pub fn image(&self) -> Result<Image, DataplaneError> {
        self.maps.image()
    }

    /// Carries out one operation.
    pub fn apply(&mut self, op: &Op) -> Result<(), DataplaneError> {
        self.maps.apply(op)
    }

    /// Who reads what the program has written, on a thread of its own.
    pub fn sweeper(&self) -> Result<Sweeper, DataplaneError> {
        Sweeper::open(&self.pin_dir)
    }

    /// What a sweep reads slots by.
    pub fn slots(&self) -> Result<Slots, DataplaneError> {
        self.maps.slots()
    }

    fn program(&mut self) -> Result<&mut Xdp, DataplaneError> {
        program(&mut self.ebpf, limits::PROGRAM)
    }
}

/// A program of a loaded object.
fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, DataplaneError> {
    let program = ebpf.program_mut(name).ok_or(DataplaneError::Missing { name })?;
    Ok(program.try_into()?)
}

/// How often loading a program is tried, as by libbpf.
const ATTEMPTS: usize = 5;

/// Loads a program. The verifier gives up when its thread is disturbed, which happens on a busy machine;
/// then it is asked again.
fn load(program: &mut Xdp) -> Result<(), DataplaneError> {
    for _ in 1..ATTEMPTS {
        match program.load() {
            Err(ProgramError::LoadError { io_error, .. })
                if io_error.kind() == io::ErrorKind::WouldBlock => {}
            ended => return ended.map_err(refused),
        }
    }
    program.load().map_err(refused)
}

/// The verifier's log has hundreds of lines: it goes where it was asked for.
fn refused(error: ProgramError) -> DataplaneError {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            debug!("{verifier_log}");
            DataplaneError::Verifier { source: io_error }
        }
        other => other.into(),
    }
}
