//! One demo at a time, and none where a daemon works: the configuration that the demo runs uses the
//! default directories.
//!
//! The claim is a directory in `/run`. It names the process and the directories that were not there
//! before; only those are removed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tests::{run::terminate, sweep, wait};

/// Names of the demo's namespaces begin so.
pub(super) const NAME: &str = "shunt-demo";
/// Where the configuration puts things: the defaults.
pub(super) const SOCKET: &str = "/run/shunt/admin.sock";
pub(super) const PIN_DIR: &str = "/sys/fs/bpf/shunt";
pub(super) const STATE_DIR: &str = "/var/lib/shunt";
/// Directory of the socket.
const RUN_DIR: &str = "/run/shunt";
/// The claim, and the files in it.
const CLAIM: &str = "/run/shunt-demo";
const OWNER: &str = "owner";
const MADE: &str = "made";
/// How long a running demo may take to end.
const BOUND: Duration = Duration::from_secs(30);

/// The right to be the demo. Dropping it removes the directories that the daemon has made.
pub(super) struct Claim {
    made: Vec<PathBuf>,
}

impl Claim {
    /// Takes the claim; removes what a killed demo has left, and refuses beside a running one or
    /// where a daemon has its things.
    pub(super) fn take() -> Result<Self> {
        if let Some(pid) = running() {
            bail!(
                "a demo is running (process {pid}); end it by Ctrl-C there or by `cargo xtask demo --clean`"
            );
        }
        if remove_leftovers()? {
            println!("Removed what an earlier demo had left.");
        }
        refuse_beside_a_daemon()?;
        let absent = |path: &&str| !Path::new(path).exists();
        let made: Vec<_> = [STATE_DIR, RUN_DIR].into_iter().filter(absent).collect();
        fs::create_dir(CLAIM).with_context(|| format!("cannot make {CLAIM}"))?;
        let claim = Self { made: made.iter().map(PathBuf::from).collect() };
        fs::write(claim.file(OWNER), std::process::id().to_string())?;
        fs::write(claim.file(MADE), made.join("\n"))?;
        Ok(claim)
    }

    /// The directory of what goes with the claim.
    #[expect(clippy::unused_self, reason = "there is no such directory without the claim")]
    pub(super) fn directory(&self) -> &Path {
        Path::new(CLAIM)
    }

    /// A file that goes with the claim.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let all = self.made.iter().map(PathBuf::as_path).chain([Path::new(CLAIM)]);
        for path in all {
            if let Err(error) = sweep::remove_directory(path) {
                eprintln!("{error:#}");
            }
        }
    }
}

/// Ends a running demo and removes what is left; says what it did.
pub(super) fn clean() -> Result<&'static str> {
    if let Some(pid) = running() {
        terminate(pid)?;
        wait::until("the running demo to end", BOUND, || {
            ensure!(!Path::new(CLAIM).exists(), "process {pid} has not removed {CLAIM} yet");
            Ok(())
        })?;
        return Ok("Ended the running demo; it has removed everything.");
    }
    Ok(if remove_leftovers()? {
        "Removed what an earlier demo had left."
    } else {
        "There is nothing to remove."
    })
}

/// The process of a demo that runs.
fn running() -> Option<u32> {
    let pid = fs::read_to_string(Path::new(CLAIM).join(OWNER)).ok()?.parse().ok()?;
    // The number may have come to another program since.
    let program = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (program.trim_end() == "xtask").then_some(pid)
}

/// Removes what a demo that no longer runs has left; whether there was anything.
fn remove_leftovers() -> Result<bool> {
    let namespaces = sweep::namespaces(&format!("{NAME}-"))?;
    if !Path::new(CLAIM).exists() {
        return Ok(!namespaces.is_empty());
    }
    sweep::remove_directory(Path::new(PIN_DIR))?;
    let made = fs::read_to_string(Path::new(CLAIM).join(MADE)).unwrap_or_default();
    made.lines().try_for_each(|path| sweep::remove_directory(Path::new(path)))?;
    sweep::remove_directory(Path::new(CLAIM))?;
    Ok(true)
}

fn refuse_beside_a_daemon() -> Result<()> {
    let state = Path::new(STATE_DIR);
    let traces = [
        PathBuf::from(SOCKET),
        PathBuf::from(PIN_DIR),
        state.join("changes.json"),
        state.join("vips.json"),
    ];
    if let Some(trace) = traces.iter().find(|path| path.exists()) {
        bail!(
            "{} belongs to a Shunt daemon of this host, and the demo would use the same places; stop the daemon, run `shunt detach`, and move {STATE_DIR} away",
            trace.display()
        );
    }
    Ok(())
}
