//! The directory of pinned maps and links: who owns it, of which version it is, how it goes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aya::maps::{Array, Map, MapData};
use lb_common::{
    abi::{ABI_VERSION, Meta},
    limits::maps,
};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, FlockOperation, Mode, OFlags, StatFs, flock, openat, statfs},
    io::Errno,
    mount::{MountFlags, mount},
};

use super::DataplaneError;
use crate::model::names::{pin_name, pinned_interface};

/// Where a BPF file system is mounted by convention.
const BPF_FS: &str = "/sys/fs/bpf";
/// What `statfs` says of a BPF file system (`BPF_FS_MAGIC`, linux/magic.h).
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
/// Begins the name of a pinned link; the interface follows.
const LINK_PREFIX: &str = "link-";

/// Where the link of an interface is pinned.
pub(super) fn link_path(pin_dir: &Path, interface: &str) -> PathBuf {
    pin_dir.join(format!("{LINK_PREFIX}{}", pin_name(interface)))
}

/// Interfaces with a pinned link.
pub(super) fn linked_interfaces(pin_dir: &Path) -> io::Result<Vec<String>> {
    let mut interfaces = Vec::new();
    for entry in fs::read_dir(pin_dir)? {
        let name = entry?.file_name();
        if let Some(interface) = name.to_str().and_then(|name| name.strip_prefix(LINK_PREFIX)) {
            interfaces.push(pinned_interface(interface));
        }
    }
    interfaces.sort();
    Ok(interfaces)
}

/// Makes the directory, and mounts the file system for it if need be; then locks it, so that two
/// daemons never work on the same maps.
pub(super) fn lock(pin_dir: &Path) -> Result<OwnedFd, DataplaneError> {
    let unusable = |source: io::Error| DataplaneError::PinDir { path: pin_dir.to_owned(), source };
    mount_bpf_fs(pin_dir).map_err(unusable)?;
    let parent = pin_dir.ancestors().find(|parent| parent.exists());
    if !parent.is_some_and(is_bpf_fs) {
        return Err(unusable(io::Error::other("it is not in a BPF file system")));
    }
    fs::create_dir_all(pin_dir).map_err(unusable)?;
    let directory = openat(CWD, pin_dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| unusable(errno.into()))?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(directory),
        Err(Errno::WOULDBLOCK) => Err(DataplaneError::Busy { path: pin_dir.to_owned() }),
        Err(errno) => Err(unusable(errno.into())),
    }
}

fn mount_bpf_fs(pin_dir: &Path) -> io::Result<()> {
    if pin_dir.starts_with(BPF_FS) && !is_bpf_fs(Path::new(BPF_FS)) {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("bpf", BPF_FS, "bpf", flags, Some(c"mode=0700"))?;
    }
    Ok(())
}

fn is_bpf_fs(path: &Path) -> bool {
    statfs(path).is_ok_and(|StatFs { f_type, .. }| f_type == BPF_FS_MAGIC)
}

/// Refuses pins of another version. Pins of a daemon that was killed before it had finished making
/// them carry no version and no link: they are nothing yet, and go.
pub(super) fn check_version(pin_dir: &Path) -> Result<(), DataplaneError> {
    let unusable = |source| DataplaneError::PinDir { path: pin_dir.to_owned(), source };
    let pinned = fs::read_dir(pin_dir).map_err(unusable)?.count() > 0;
    if !pinned {
        return Ok(());
    }
    match version(pin_dir) {
        Some(ABI_VERSION) => Ok(()),
        None | Some(0) if linked_interfaces(pin_dir).map_err(unusable)?.is_empty() => {
            remove_files(pin_dir).map_err(unusable)
        }
        found => Err(DataplaneError::Version {
            path: pin_dir.to_owned(),
            found: found.unwrap_or_default(),
        }),
    }
}

fn version(pin_dir: &Path) -> Option<u32> {
    let data = MapData::from_pin(pin_dir.join(maps::META)).ok()?;
    let meta: Array<_, Meta> = Array::try_from(Map::from_map_data(data).ok()?).ok()?;
    Some(meta.get(&0, 0).ok()?.abi_version)
}

pub(super) fn remove_files(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// Removes all pins, and with the links the program from the interfaces. Says what went.
pub fn remove(pin_dir: &Path) -> Result<Vec<String>, DataplaneError> {
    let unusable = |source| DataplaneError::PinDir { path: pin_dir.to_owned(), source };
    if !pin_dir.exists() {
        return Ok(Vec::new());
    }
    let mut removed = Vec::new();
    // Links first: no packet may meet a program without its maps, and none is left half removed.
    for interface in linked_interfaces(pin_dir).map_err(unusable)? {
        fs::remove_file(link_path(pin_dir, &interface)).map_err(unusable)?;
        removed.push(format!("program removed from {interface}"));
    }
    remove_files(pin_dir).map_err(unusable)?;
    fs::remove_dir(pin_dir).map_err(unusable)?;
    removed.push(format!("maps removed from {}", pin_dir.display()));
    Ok(removed)
}

/// As [`remove`], for when no daemon runs: refuses while one does.
pub fn remove_unowned(pin_dir: &Path) -> Result<Vec<String>, DataplaneError> {
    if !pin_dir.exists() {
        return Ok(Vec::new());
    }
    let _lock = lock(pin_dir)?;
    remove(pin_dir)
}
