//! Network namespaces: made, entered by commands and by threads, removed on drop.
//!
//! Commands enter by `nsenter --net`, never by `ip netns exec`, which mounts a fresh `/sys` and
//! thereby hides the BPF file system.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::fd::AsFd,
    panic,
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::run::{self, Finished};

/// Where `ip netns` keeps the names.
pub const DIRECTORY: &str = "/run/netns";
/// Programs of the system answer in milliseconds; this is for a machine under load.
const BOUND: Duration = Duration::from_secs(20);

/// A network namespace of our own.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes a namespace, with loopback up and without waiting for duplicate addresses.
    pub fn new(name: &str) -> Result<Self> {
        system("ip", &["netns", "add", name])?;
        let netns = Self { name: name.to_owned() };
        netns.ip("link set lo up")?;
        for (key, value) in [
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/default/dad_transmits", "0"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
        ] {
            netns.sysctl(key, value)?;
        }
        Ok(netns)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={DIRECTORY}/{}", self.name)).arg(program);
        command
    }

    /// Runs a program inside to its end.
    pub fn run(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Result<Finished> {
        run::run(self.command(program).args(args), BOUND)
    }

    /// Runs `ip`, its arguments separated by spaces; what it prints.
    pub fn ip(&self, args: &str) -> Result<String> {
        let words: Vec<_> = ["-n", &self.name].into_iter().chain(args.split(' ')).collect();
        system("ip", &words)
    }

    /// Sets `/proc/sys/net/KEY`.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/net/{key}");
        self.enter(|| {
            fs::write(&path, value).with_context(|| format!("{}: {path} = {value}", self.name))
        })
    }

    /// Does some work on a thread inside; sockets made there belong to the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let ended = thread::scope(|scope| scope.spawn(|| enter(&self.name, work)).join());
        ended.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    /// Begins some work on a thread inside that goes on meanwhile.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> JoinHandle<Result<T>> {
        let name = self.name.clone();
        thread::spawn(move || enter(&name, work))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            eprintln!("{error:#}");
        }
    }
}

/// Moves this thread into a namespace for good, and does some work.
fn enter<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let path = format!("{DIRECTORY}/{name}");
    let handle = File::open(&path).with_context(|| path.clone())?;
    move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("cannot enter {path}"))?;
    work()
}

/// Removes a namespace by its name.
pub(crate) fn remove(name: &str) -> Result<()> {
    system("ip", &["netns", "del", name]).map(drop)
}

/// Runs a program of the system, which must succeed; what it prints.
pub(crate) fn system(program: &str, args: &[&str]) -> Result<String> {
    run::run(Command::new(program).args(args), BOUND)?.success()
}
