//! Processes that are measured: where they run, what they cost.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// Files that a process may have open, if it is let: every idle connection is one.
const FILES: u64 = 100_000;

/// The CPUs: one for whoever is measured, another for everybody else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    proxy: usize,
    others: usize,
}

impl Cpus {
    /// Takes the first and the last CPU that there are, and confines this process to the last.
    pub(crate) fn share() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let (first, last) = (usable.next(), usable.next_back());
        let cpus = first.zip(last).context("two CPUs are needed: one for the proxy alone")?;
        let cpus = Self { proxy: cpus.0, others: cpus.1 };
        confine(cpus.others)?;
        raise_files()?;
        Ok(cpus)
    }

    /// Does some work on the CPU of whoever is measured. What it starts stays there. It is this thread that
    /// does it: servers end when the thread does that has started them.
    pub(crate) fn of_the_proxy<T>(self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        confine(self.proxy)?;
        let result = work();
        confine(self.others)?;
        result
    }
}

/// Raises the limit of open files, for us and those that we start: as far as we want, or else as far as
/// we may.
fn raise_files() -> Result<()> {
    let wanted = Rlimit { current: Some(FILES), maximum: Some(FILES) };
    if setrlimit(Resource::Nofile, wanted).is_ok() {
        return Ok(());
    }
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of open files")
}

/// How many files a process may have open.
pub(crate) fn files() -> u32 {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(FILES);
    u32::try_from(limit.min(FILES)).unwrap_or(u32::MAX)
}

fn confine(cpu: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu);
    Ok(sched_setaffinity(None, &one)?)
}

/// A server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it. It must stay in the foreground.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log)?;
        let shown = ::tests::run::shown(command);
        let command = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        Ok(Self { child, log })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// CPU time of a process, all its threads together.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let mut time = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has ended meanwhile.
        let Ok(said) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let nanoseconds = said.split(' ').next().and_then(|word| word.parse().ok());
        time += Duration::from_nanos(nanoseconds.context("schedstat has no number")?);
    }
    Ok(time)
}

/// The kernel's threads that handle packets which nobody's system call does.
pub(crate) fn packet_threads() -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if comm.starts_with("ksoftirqd/") {
            found.push(pid);
        }
    }
    Ok(found)
}

/// CPU time of this process, and of those that it has started and that have ended.
pub(crate) fn own_cpu_time() -> Result<Duration> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    let own = Duration::new(own.tv_sec.unsigned_abs(), u32::try_from(own.tv_nsec)?);
    let said = fs::read_to_string("/proc/self/stat")?;
    Ok(own + of_children(&said).context("/proc/self/stat cannot be read")?)
}

/// `cutime` and `cstime` of `/proc/PID/stat`, which are in hundredths of a second (proc(5)).
fn of_children(stat: &str) -> Option<Duration> {
    // The name in front may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks = rest.split(' ').skip(13).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<_, _>>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// Memory that a process shares with no other, in bytes.
pub(crate) fn private_memory(pid: u32) -> Result<u64> {
    let said = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kilobytes = said.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes =
        kilobytes.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let sum: u64 = kilobytes.sum();
    ensure!(sum > 0, "smaps_rollup has no numbers");
    Ok(sum * 1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{cpu_time, of_children, private_memory};

    #[test]
    fn the_time_of_children_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 11 12 13 14 20 0 1 0 5";
        assert_eq!(of_children(stat), Some(Duration::from_millis(270)));
        assert_eq!(of_children("7 a"), None);
    }

    #[test]
    fn this_process_costs_something() {
        let pid = std::process::id();
        assert!(cpu_time(pid).is_ok_and(|time| !time.is_zero()));
        assert!(private_memory(pid).is_ok_and(|bytes| bytes > 100_000));
    }
}
