//! CPU time: of this thread, and of the kernel's thread that helps it out with packets.
//!
//! Everything runs on one CPU. A live run handles most packets within the system call, on this
//! thread's account, and leaves the rest to `ksoftirqd` of the CPU.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use rustix::{
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// The CPU that everything runs on.
#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    /// `/proc` of its `ksoftirqd`; none where the kernel's threads cannot be seen.
    helper: Option<PathBuf>,
}

impl Cpu {
    /// Confines this thread, and those that it starts, to the last CPU that it may use.
    pub(crate) fn pin() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu));
        let cpu = last.context("this thread may not use any CPU")?;
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one)?;
        Ok(Self { helper: process(&format!("ksoftirqd/{cpu}")) })
    }

    /// CPU time so far.
    pub(crate) fn time(&self) -> Result<Duration> {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let nanoseconds = u32::try_from(time.tv_nsec)?;
        let thread = Duration::new(time.tv_sec.unsigned_abs(), nanoseconds);
        let Some(helper) = &self.helper else { return Ok(thread) };
        let said = fs::read_to_string(helper.join("schedstat"))?;
        Ok(thread + helped(&said).with_context(|| format!("{}: {said}", helper.display()))?)
    }
}

/// `/proc` of the process of this name.
fn process(name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// The time on a CPU in `/proc/PID/schedstat`.
fn helped(schedstat: &str) -> Option<Duration> {
    schedstat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::helped;

    #[test]
    fn the_first_number_is_the_time() {
        assert_eq!(helped("12345 678 9\n"), Some(Duration::from_nanos(12345)));
        assert_eq!(helped(""), None);
    }
}
