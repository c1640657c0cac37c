//! The daemon under test, in the balancer's namespace, and its command line.
//!
//! The harness knows `shunt` as its users do: it starts `shunt run`, speaks to it by `shunt` and
//! reads `--json`. When a test fails, the daemon's log is printed.

use std::{
    env,
    fs::OpenOptions,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::{
    netns::Netns,
    run::{self, Finished},
    sweep, wait,
};

/// How long the daemon may take to start, to stop, and to answer.
const BOUND: Duration = Duration::from_secs(20);
/// Environment variable that names the binary.
const BINARY: &str = "SHUNT_BIN";

/// Where things are that belong to one daemon.
#[derive(Clone, Debug)]
pub struct Files {
    /// The binary.
    pub binary: PathBuf,
    /// The configuration.
    pub config: PathBuf,
    /// The socket that the configuration names.
    pub socket: PathBuf,
    /// The directory of pins that the configuration names.
    pub pin_dir: PathBuf,
    /// The state directory that the configuration names.
    pub state_dir: PathBuf,
    /// Where the daemon's log goes.
    pub log: PathBuf,
}

/// A daemon. Dropping it detaches it.
#[derive(Debug)]
pub struct Daemon {
    netns: Arc<Netns>,
    files: Files,
    child: Option<Child>,
}

impl Daemon {
    /// Starts the daemon in a namespace and waits until it answers.
    pub fn start(netns: &Arc<Netns>, files: Files) -> Result<Self> {
        let mut daemon = Self { netns: Arc::clone(netns), files, child: None };
        daemon.restart()?;
        Ok(daemon)
    }

    /// Starts it again, after it has been stopped or killed, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the daemon is running already");
        self.child = Some(self.spawn()?);
        // The outer error is one to try again on, the inner one is final.
        wait::until("the daemon to answer", BOUND, || {
            if let Some(status) = self.ended()? {
                return Ok(Err(anyhow!("the daemon ended: {status}\n{}", self.log())));
            }
            self.cli(&["status"])?.success()?;
            Ok(Ok(()))
        })
        .with_context(|| format!("its log:\n{}", self.log()))?
    }

    fn spawn(&self) -> Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.files.log)?;
        self.netns
            .command("setpriv")
            // It ends with us, even if we are killed.
            .args(["--pdeathsig", "TERM"])
            .arg(&self.files.binary)
            .args(["run", "--config"])
            .arg(&self.files.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us; we stop the daemon in order.
            .process_group(0)
            .spawn()
            .context("cannot start the daemon")
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Where its files are.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.files.log).unwrap_or_default()
    }

    /// The command `shunt ARGS`, speaking to this daemon.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.netns.command(&self.files.binary);
        command.arg("--socket").arg(&self.files.socket).args(args);
        command
    }

    /// Runs `shunt ARGS` to its end.
    pub fn cli(&self, args: &[&str]) -> Result<Finished> {
        run::run(&mut self.command(args), BOUND)
    }

    /// Runs `shunt ARGS`, which must succeed; what it prints.
    pub fn ok(&self, args: &[&str]) -> Result<String> {
        self.cli(args)?.success()
    }

    /// `shunt status --json`.
    pub fn status(&self) -> Result<Value> {
        self.json(&["status"])
    }

    /// `shunt ARGS --json`.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let words = [args, &["--json"]].concat();
        Ok(serde_json::from_str(&self.ok(&words)?)?)
    }

    /// Waits until the next hop of every backend is known.
    pub fn wait_resolved(&self) -> Result<()> {
        wait::until("every next hop to be resolved", BOUND, || {
            let status = self.status()?;
            let open = unresolved(&status);
            ensure!(open.is_empty(), "not resolved: {}", open.join("; "));
            Ok(())
        })
    }

    /// Ends it by SIGTERM.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the daemon is not running")?;
        run::terminate(child.id())?;
        run::wait(&mut child, BOUND).context("the daemon, after SIGTERM")
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the daemon is not running")?;
        child.kill()?;
        let status = child.wait()?;
        ensure!(status.signal().is_some(), "the daemon had ended before it was killed: {status}");
        Ok(())
    }

    /// Removes programs, maps and addresses, and waits for the daemon to end if it runs.
    pub fn detach(&mut self) -> Result<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let (pin_dir, state_dir) = (path(&self.files.pin_dir), path(&self.files.state_dir));
        let said = self.ok(&["detach", "--pin-dir", &pin_dir, "--state-dir", &state_dir])?;
        if let Some(mut child) = self.child.take() {
            run::wait(&mut child, BOUND).context("the daemon, after detach")?;
        }
        Ok(said)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of the daemon\n{}", self.log());
            if let Ok(status) = self.cli(&["status"]) {
                eprintln!("--- shunt status\n{}{}", status.stdout, status.stderr);
            }
        }
        if self.files.pin_dir.exists()
            && let Err(error) = self.detach()
        {
            eprintln!("cannot detach: {error:#}");
        }
        if let Some(mut child) = self.child.take() {
            // Both fail only if it has ended.
            _ = child.kill();
            _ = child.wait();
        }
        if let Err(error) = sweep::remove_directory(&self.files.pin_dir) {
            eprintln!("{error:#}");
        }
    }
}

/// Backends of a status whose next hop is not known, with the reason.
pub fn unresolved(status: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&status["pools"])
        .iter()
        .flat_map(|pool| list(&pool["backends"]))
        .filter(|backend| backend["next_hop"]["state"] == "unresolved")
        .map(|backend| format!("{}: {}", backend["address"], backend["next_hop"]["reason"]))
        .collect()
}

/// The binary: what `SHUNT_BIN` names, otherwise the one built next to this program.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(BINARY).map(PathBuf::from) {
        ensure!(path.is_file(), "{BINARY} names {}, which is not a file", path.display());
        return Ok(path);
    }
    let ours = env::current_exe()?;
    let beside = |directory: &Path| directory.join("shunt");
    match ours.ancestors().skip(1).take(2).map(beside).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => {
            bail!("there is no `shunt` next to this program; run `cargo build -p lb-userspace`")
        }
    }
}
