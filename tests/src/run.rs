//! Running a program to its end, in bounded time, with its output kept.

use std::{
    fmt,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command as one would type it.
    pub command: String,
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Finished {
    /// What it printed, if it succeeded.
    pub fn success(self) -> Result<String> {
        if self.code != Some(0) {
            bail!("{self}");
        }
        Ok(self.stdout)
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "`{}` ended with exit code {code}", self.command)?,
            None => write!(f, "`{}` was ended by a signal", self.command)?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.trim().is_empty() {
                write!(f, "\n--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// Runs a program. After `bound` it is killed, which is an error; a bad exit code is not.
pub fn run(command: &mut Command, bound: Duration) -> Result<Finished> {
    run_with(command, "", bound)
}

/// The same for a program that is told something.
pub fn run_with(command: &mut Command, input: &str, bound: Duration) -> Result<Finished> {
    let shown = shown(command);
    let mut child = command
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for us: the programs that clean up afterwards must not be hit by it.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ends before it has read all of it shows why.
        _ = pipe.write_all(input.as_bytes());
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child, bound).with_context(|| format!("`{shown}`"))?;
    let text = |thread: thread::JoinHandle<String>| thread.join().unwrap_or_default();
    let (stdout, stderr) = (text(stdout), text(stderr));
    Ok(Finished { command: shown, code: status.code(), stdout, stderr })
}

/// Asks a process to end, by SIGTERM.
pub fn terminate(pid: u32) -> Result<()> {
    signal(pid, Signal::TERM).with_context(|| format!("cannot end process {pid}"))
}

/// Tells a process to open its files anew, by SIGHUP.
pub fn hang_up(pid: u32) -> Result<()> {
    signal(pid, Signal::HUP).with_context(|| format!("cannot send SIGHUP to process {pid}"))
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(kill_process(raw.with_context(|| format!("{pid} is no process"))?, signal)?)
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for a child; kills it after `bound`.
pub fn wait(child: &mut Child, bound: Duration) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() >= bound {
            child.kill()?;
            child.wait()?;
            bail!("did not end within {} s and was killed", bound.as_secs_f32());
        }
        thread::sleep(Duration::from_millis(2));
    }
}
