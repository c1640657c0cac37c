//! Removing what a killed harness left behind.
//!
//! Names carry the id of the process that made them: `shunt-test-PID-N`, followed by the role for
//! a namespace. What belongs to a process that is gone is removed; the rest is left alone.

use std::{
    env, fs,
    path::Path,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result};

use crate::netns;

/// Prefix of all that tests make, before the process id.
const TEST: &str = "shunt-test-";
/// Where tests pin maps and links.
const BPF: &str = "/sys/fs/bpf";

/// A name that no other test uses: `shunt-test-PID-N`.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{TEST}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Removes, once in this process, namespaces, pins and directories of test processes that no longer run.
pub fn once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = orphans() {
            // Another process may be doing the same.
            eprintln!("leftovers of an earlier run: {error:#}");
        }
    });
}

fn orphans() -> Result<()> {
    for name in names_in(netns::DIRECTORY).into_iter().filter(|name| is_orphan(name)) {
        netns::remove(&name)?;
    }
    for directory in [Path::new(BPF), &env::temp_dir()] {
        for name in names_in(directory).into_iter().filter(|name| is_orphan(name)) {
            remove_directory(&directory.join(name))?;
        }
    }
    Ok(())
}

/// Removes the namespaces with a prefix; their names.
pub fn namespaces(prefix: &str) -> Result<Vec<String>> {
    let found: Vec<_> =
        names_in(netns::DIRECTORY).into_iter().filter(|name| name.starts_with(prefix)).collect();
    found.iter().try_for_each(|name| netns::remove(name))?;
    Ok(found)
}

/// Removes a directory, if it is there. Links that were pinned in it and nowhere else detach.
pub fn remove_directory(directory: &Path) -> Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))
}

fn names_in(directory: impl AsRef<Path>) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn is_orphan(name: &str) -> bool {
    let pid = name.strip_prefix(TEST).and_then(|rest| rest.split('-').next());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}
