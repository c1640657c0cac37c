//! A `shunt trace` that runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tests::{
    run::{self, Finished},
    wait,
};

use crate::netns::scene::Scene;

const BOUND: Duration = Duration::from_secs(20);

/// See the module. It is killed when it is dropped.
pub(super) struct Tracer {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Tracer {
    /// Starts it, and waits until it has begun.
    pub(super) fn start(scene: &Scene, args: &[&str]) -> Result<Self> {
        let path = |name| scene.network.files().config.with_file_name(name);
        let (stdout, stderr) = (path("trace.out"), path("trace.err"));
        let child = scene
            .daemon
            .command(&[&["trace"], args].concat())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()?;
        let mut tracer = Self { child, stdout, stderr };
        wait::until("the trace to begin", BOUND, || {
            let said = read(&tracer.stderr)?;
            if let Some(status) = tracer.child.try_wait()? {
                return Ok(Err(anyhow::anyhow!("it ended: {status}\n{said}")));
            }
            ensure!(said.contains("tracing"), "it says {said:?}");
            Ok(Ok(()))
        })??;
        Ok(tracer)
    }

    /// Waits for a line with all these words.
    pub(super) fn wait_for(&self, words: &[&str]) -> Result<()> {
        wait::until("a packet", BOUND, || {
            let shown = read(&self.stdout)?;
            let has_all = |line: &str| words.iter().all(|word| line.contains(word));
            ensure!(shown.lines().any(has_all), "no {words:?} in\n{shown}");
            Ok(())
        })
    }

    /// Ends it as Ctrl-C does.
    pub(super) fn interrupt(self) -> Result<Finished> {
        run::terminate(self.child.id())?;
        let finished = self.wait()?;
        ensure!(finished.code == Some(0), "{finished}");
        Ok(finished)
    }

    /// Kills it.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        let status = self.child.wait()?;
        if status.code().is_some() {
            bail!("it had ended before it was killed: {status}");
        }
        Ok(())
    }

    /// Waits until it has ended.
    pub(super) fn wait(mut self) -> Result<Finished> {
        let status = run::wait(&mut self.child, BOUND).context("shunt trace")?;
        let (stdout, stderr) = (read(&self.stdout)?, read(&self.stderr)?);
        Ok(Finished { command: "shunt trace".to_owned(), code: status.code(), stdout, stderr })
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn read(path: &Path) -> Result<String> {
    Ok(fs::read_to_string(path)?)
}
