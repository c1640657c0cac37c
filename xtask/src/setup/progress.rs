//! Runs an installer's command: its output goes to a log, the person sees that it goes on.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::install::Failure;
use crate::process::{Spec, target_dir};

/// How often we look at the command.
const POLL: Duration = Duration::from_millis(200);
/// How often a line is printed where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(30);
/// How many lines of the log a failure shows.
const TAIL: usize = 12;

/// Runs the command with its output in `target/setup.log`.
pub(super) fn run_logged(spec: &Spec, limit: Duration) -> Result<(), Failure> {
    let log = target_dir().join("setup.log");
    let failed =
        |said: String| Failure { command: Some(spec.to_string()), said, log: Some(log.clone()) };
    let (child, start) = spawn(spec, &log).map_err(|error| failed(error.to_string()))?;
    match watch(child, &log, start, limit).map_err(|error| failed(error.to_string()))? {
        End::Success => Ok(()),
        End::Failure => Err(failed(tail(&log, start, TAIL))),
        End::TooLong => Err(failed(format!("not done after {} s, ended", limit.as_secs()))),
    }
}

enum End {
    Success,
    Failure,
    TooLong,
}

/// Starts the command; also says where in the log its output begins.
fn spawn(spec: &Spec, log: &PathBuf) -> io::Result<(Child, u64)> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(log)?;
    let start = file.metadata()?.len();
    // sudo asks for its password on the terminal itself, not on standard input.
    let child = spec
        .command()
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot be run: {error}")))?;
    Ok((child, start))
}

fn watch(mut child: Child, log: &Path, start: u64, limit: Duration) -> io::Result<End> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("    {spinner} {elapsed} {wide_msg:.dim}") {
        bar.set_style(style);
    }
    let began = Instant::now();
    let mut next_line = PLAIN_EVERY;
    let end = loop {
        if let Some(status) = child.try_wait()? {
            break if status.success() { End::Success } else { End::Failure };
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break End::TooLong;
        }
        let last = tail(log, start, 1);
        bar.set_message(last.clone());
        bar.tick();
        if bar.is_hidden() && began.elapsed() > next_line {
            println!("    {} s: {last}", began.elapsed().as_secs());
            next_line += PLAIN_EVERY;
        }
        thread::sleep(POLL);
    };
    bar.finish_and_clear();
    Ok(end)
}

/// The last lines of the log from `start` on.
fn tail(log: &Path, start: u64, lines: usize) -> String {
    const ENOUGH: u64 = 8192;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let from = file.metadata()?.len().saturating_sub(ENOUGH).max(start);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let all: Vec<_> =
        text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
