//! The program of `shunt decap` and its maps: loaded, attached and pinned, all for one interface.
//!
//! Nothing stays running: the pinned link and maps are all there is. The next command on the same
//! interface finds them by their directory, puts a program of its own into the link, and brings the
//! lists about by difference.

mod lists;

use std::{fs, io, path::Path, path::PathBuf};

use aya::{Ebpf, EbpfLoader};
use lb_common::{decap::VERSION, limits::decap as names};
use rustix::fd::OwnedFd;
use thiserror::Error;

use self::lists::Maps;
pub use self::lists::{Lists, Packets};
use super::{
    DataplaneError,
    attach::{Place, attach, take_over},
    load,
    object::DECAP_OBJECT,
    pins, program,
};
use crate::model::AttachMode;

/// Name of the pinned link.
const LINK: &str = "link";

/// Why the decapsulator could not be set up, looked at or removed.
#[derive(Debug, Error)]
pub enum DecapError {
    /// As for any program.
    #[error(transparent)]
    Dataplane(#[from] DataplaneError),
    /// Another command is at work.
    #[error("another `shunt decap` is at work on {path}; wait for it to end")]
    Busy {
        /// Directory of the pins.
        path: PathBuf,
    },
    /// Pins of another version.
    #[error(
        "the maps in {path} are of version {found}, those of this shunt of {VERSION}; remove them with `--detach` (until you attach again, the kernel gets the packets as they come)"
    )]
    Version {
        /// Directory of the pins.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// Pins of an interface elsewhere.
    #[error(
        "{path} is in use for an interface of the same name in another network namespace; name another directory with `--pin-dir`, or remove it with `--detach` if that namespace has gone"
    )]
    OtherNamespace {
        /// Directory of the pins.
        path: PathBuf,
    },
    /// Nothing is pinned.
    #[error("nothing is pinned in {path}; `shunt decap IFACE` attaches the program")]
    Absent {
        /// Directory of the pins.
        path: PathBuf,
    },
    /// More than the maps hold.
    #[error("{given} {what} are too many; at most {most} fit")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many fit.
        most: u32,
    },
}

/// How the program came to be on the interface.
#[derive(Debug)]
pub enum Placed {
    /// Put into the link that was there.
    Replaced,
    /// Attached in a mode; if that is not the native one although it was tried, with the reason.
    Attached(AttachMode, Option<DataplaneError>),
}

/// The loaded program and its maps.
pub struct Decapsulator {
    ebpf: Ebpf,
    maps: Maps,
    directory: PathBuf,
    /// Held while a command is at work on the pins.
    _lock: OwnedFd,
}

impl Decapsulator {
    /// Loads the program. Adopts the maps pinned in the directory, or makes them; `netns` is the
    /// number of the network namespace that the interface is in.
    pub fn open(directory: &Path, netns: u64) -> Result<Self, DecapError> {
        let lock = lock(directory)?;
        check_pins(directory, netns)?;
        let mut loader = EbpfLoader::new();
        for name in names::MAPS {
            loader.map_pin_path(name, directory.join(name));
        }
        let mut ebpf = loader
            .load(DECAP_OBJECT)
            .map_err(|source| DataplaneError::Load { source: Box::new(source) })?;
        load(program(&mut ebpf, names::PROGRAM)?)?;
        let mut maps = Maps::open(directory)?;
        maps.write_meta(netns)?;
        Ok(Self { ebpf, maps, directory: directory.to_owned(), _lock: lock })
    }

    /// Makes the lists what they shall be. What is new is added before what is old is removed, so
    /// that no packet is refused that both the old and the new lists accept.
    pub fn set(&mut self, lists: &Lists) -> Result<(), DecapError> {
        lists.check()?;
        self.maps.set(lists)
    }

    /// Puts the program on the interface: into the pinned link, which replaces its program
    /// atomically, or by a new one.
    pub fn attach(&mut self, interface: &str, mode: AttachMode) -> Result<Placed, DecapError> {
        let pin = self.directory.join(LINK);
        let program = program(&mut self.ebpf, names::PROGRAM)?;
        if take_over(program, interface, &pin) {
            return Ok(Placed::Replaced);
        }
        // Whatever it is: what is said of other kinds is about the balancer.
        let place = Place { name: interface, ..Place::default() };
        let attached = attach(program, &place, mode, &pin)?;
        Ok(Placed::Attached(attached.mode, attached.fell_back))
    }

    /// Removes all pins if no link is among them: what a first attempt that failed has left.
    pub fn abandon(self) {
        if !is_linked(&self.directory) {
            // What stays is found and removed by the next attempt.
            _ = remove_pins(&self.directory);
        }
    }
}

/// Whether a link is pinned in the directory.
pub fn is_linked(directory: &Path) -> bool {
    directory.join(LINK).exists()
}

/// Reads lists and counters from the pinned maps.
pub fn read(directory: &Path) -> Result<(Lists, Packets), DecapError> {
    if !directory.exists() {
        return Err(DecapError::Absent { path: directory.to_owned() });
    }
    let _lock = lock(directory)?;
    require_version(directory)?;
    let maps = Maps::open(directory)?;
    Ok((maps.lists()?, maps.packets()?))
}

/// Removes link and maps. Says whether there was anything.
pub fn remove(directory: &Path) -> Result<bool, DecapError> {
    if !directory.exists() {
        return Ok(false);
    }
    let _lock = lock(directory)?;
    remove_pins(directory).map_err(|source| unusable(directory, source))?;
    Ok(true)
}

fn lock(directory: &Path) -> Result<OwnedFd, DecapError> {
    pins::lock(directory).map_err(|error| match error {
        DataplaneError::Busy { path } => DecapError::Busy { path },
        error => error.into(),
    })
}

fn unusable(directory: &Path, source: io::Error) -> DecapError {
    DataplaneError::PinDir { path: directory.to_owned(), source }.into()
}

/// Refuses pins that are not ours. Pins of a command that was killed before it had finished making
/// them carry no version and no link: they are nothing yet, and go.
fn check_pins(directory: &Path, netns: u64) -> Result<(), DecapError> {
    let pinned = fs::read_dir(directory).map_err(|source| unusable(directory, source))?.count() > 0;
    if !pinned {
        return Ok(());
    }
    let meta = lists::meta(directory);
    if meta.is_none_or(|meta| meta.version == 0) && !is_linked(directory) {
        return pins::remove_files(directory).map_err(|source| unusable(directory, source));
    }
    require_version(directory)?;
    if meta.is_some_and(|meta| meta.netns != netns) {
        return Err(DecapError::OtherNamespace { path: directory.to_owned() });
    }
    Ok(())
}

fn require_version(directory: &Path) -> Result<(), DecapError> {
    match lists::meta(directory).map(|meta| meta.version) {
        Some(VERSION) => Ok(()),
        found => Err(DecapError::Version {
            path: directory.to_owned(),
            found: found.unwrap_or_default(),
        }),
    }
}

fn remove_pins(directory: &Path) -> io::Result<()> {
    // The link first: no packet may meet a program without its maps.
    match fs::remove_file(directory.join(LINK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    pins::remove_files(directory)?;
    fs::remove_dir(directory)?;
    if let Some(parent) = directory.parent() {
        // Not empty while other interfaces have theirs in it.
        _ = fs::remove_dir(parent);
    }
    Ok(())
}
