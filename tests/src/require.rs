//! What a test needs of the machine.
//!
//! A test whose needs are not met is skipped with the reason printed. With `SHUNT_REQUIRE_ALL=1`,
//! which CI sets, it fails instead.

use std::{
    env, fmt, fs,
    io::{self, Write},
    path::Path,
};

use crate::{daemon, link};

/// Something a test cannot do without.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// To be root, with every capability.
    Root,
    /// Network namespaces.
    Namespaces,
    /// A program on the path.
    Program(&'static str),
    /// The daemon's binary.
    Shunt,
}

impl Need {
    /// What is missing and what to do, if it is.
    fn lack(self) -> Option<String> {
        match self {
            Self::Root if !rustix::process::geteuid().is_root() => {
                Some("it needs root; run as root".to_owned())
            }
            Self::Namespaces if !Path::new("/proc/self/ns/net").exists() => {
                Some("the kernel has no network namespaces (CONFIG_NET_NS)".to_owned())
            }
            Self::Program(program) if !on_path(program) => {
                Some(format!("there is no `{program}`; run `cargo xtask setup`"))
            }
            Self::Shunt => daemon::binary().err().map(|error| error.to_string()),
            _ => None,
        }
    }
}

/// Everything a network of namespaces needs.
pub fn network() -> Vec<Need> {
    let programs = link::NEEDS.into_iter().map(Need::Program);
    [Need::Root, Need::Namespaces].into_iter().chain(programs).collect()
}

/// Everything the daemon needs to run in such a network.
pub fn balancer() -> Vec<Need> {
    network().into_iter().chain([Need::Program("setpriv"), Need::Shunt]).collect()
}

/// What is missing, one reason each.
pub fn lacks(needs: &[Need]) -> Vec<String> {
    needs.iter().filter_map(|need| need.lack()).collect()
}

/// Whether a test can run. If not, the reason is printed.
///
/// # Panics
/// If something is missing and `SHUNT_REQUIRE_ALL=1`.
pub fn met(needs: &[Need]) -> bool {
    let lacks = lacks(needs);
    if lacks.is_empty() {
        return true;
    }
    assert!(!all_required(), "cannot run, and SHUNT_REQUIRE_ALL is set: {}", lacks.join("; "));
    skip(lacks.join("; "));
    false
}

/// Says that the running test is skipped, and why.
pub fn skip(why: impl fmt::Display) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("test");
    // Written past the capture of the test harness, which would hide it.
    _ = writeln!(io::stderr(), "skipped {name}: {why}");
}

/// Whether nothing may be skipped.
pub fn all_required() -> bool {
    env::var("SHUNT_REQUIRE_ALL").is_ok_and(|value| value == "1")
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| fs::metadata(directory.join(program)).is_ok())
}
