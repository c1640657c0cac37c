//! Writes the lines of one log.
//!
//! What cannot be written is kept and tried again; meanwhile the queue fills, and then loses lines. A line of which a
//! part was written when the disk became full is continued there, or written as a whole to the file that follows.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::net::UnixDatagram,
    path::Path,
    process,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use tracing::{info, warn};

use super::queue::{KEPT, Queue};
use crate::{
    access_log::{Sink, connect},
    model::listener::LogTarget,
};

/// How long lines are gathered.
const NAP: Duration = Duration::from_millis(100);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often lost lines are told of at most.
const TOLD: Duration = Duration::from_secs(10);
/// Facility local7 and severity informational (RFC 5424 section 6.2.1), as nginx has it.
const PRIORITY: u8 = 23 * 8 + 6;

/// See the module.
pub(super) struct Writer {
    queue: Arc<Queue>,
    to: LogTarget,
    sink: Sink,
    pending: Pending,
    /// Room for lines that come.
    spare: Vec<u8>,
    /// Lines that were lost when it was told last, and when that was.
    told: (u64, Option<Instant>),
}

/// Lines that were taken from the queue.
#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    /// How much of them was written.
    at: usize,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, to: LogTarget, sink: Sink) -> Self {
        Self { queue, to, sink, pending: Pending::default(), spare: Vec::new(), told: (0, None) }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        self.queue.is_written_by(thread::current());
        loop {
            // Before lines are taken: none comes afterwards.
            let last = self.queue.is_closed();
            if let Some((sink, done)) = self.queue.next() {
                self.pending.begin_anew();
                self.sink = sink;
                // Who asked may have lost patience.
                _ = done.send(());
            }
            let written = self.round();
            self.tell_lost();
            match written {
                Ok(0) | Err(()) if last => return self.give_up_rest(),
                Ok(_) if last => {}
                Ok(0) => self.sleep(),
                Ok(_) => self.pause(NAP),
                Err(()) => self.pause(RETRY),
            }
        }
    }

    /// Writes what there is. Says how many bytes that were.
    fn round(&mut self) -> Result<usize, ()> {
        let Self { queue, pending, sink, spare, .. } = self;
        if pending.lines.is_empty() {
            queue.take(&mut pending.lines, spare);
        }
        let length = pending.lines.len();
        match pending.write(sink, queue) {
            Ok(()) => {
                if length > 0 && self.queue.note(None).is_some() {
                    let lost = self.queue.lost.load(Relaxed);
                    info!("access log {} is written again; {lost} lines were lost so far", self.to);
                }
                Ok(length)
            }
            Err(error) => {
                if self.queue.note(Some(error.to_string())).is_none() {
                    warn!(
                        "access log {} cannot be written: {error}; lines wait while there is room for them, then they are lost",
                        self.to
                    );
                }
                Err(())
            }
        }
    }

    /// What cannot be written at the end is lost.
    fn give_up_rest(mut self) {
        self.queue.take(&mut self.pending.lines, &mut self.spare);
        let lost = self.pending.count_left();
        if lost > 0 {
            self.queue.lost.fetch_add(lost, Relaxed);
            warn!("access log {}: {lost} lines are lost, because it ends", self.to);
        }
    }

    fn tell_lost(&mut self) {
        let lost = self.queue.lost.load(Relaxed);
        let (before, when) = self.told;
        if lost > before && when.is_none_or(|when| when.elapsed() >= TOLD) {
            warn!(
                "access log {}: {} lines were lost, because more came than could be written",
                self.to,
                lost - before
            );
            self.told = (lost, Some(Instant::now()));
        }
    }

    /// Waits for a line.
    fn sleep(&self) {
        self.queue.lie_down(true);
        if self.queue.may_sleep() {
            thread::park();
        }
        self.queue.lie_down(false);
    }

    /// Waits for so long, unless called.
    fn pause(&self, time: Duration) {
        if !self.queue.is_called() {
            thread::park_timeout(time);
        }
    }
}

impl Pending {
    /// Writes all.
    fn write(&mut self, sink: &mut Sink, queue: &Queue) -> io::Result<()> {
        match sink {
            Sink::File(file) => self.write_bytes(file, queue)?,
            Sink::Syslog(socket, path) => self.send(socket, path, queue)?,
        }
        self.lines.clear();
        self.lines.shrink_to(KEPT);
        self.at = 0;
        Ok(())
    }

    fn write_bytes(&mut self, file: &mut File, queue: &Queue) -> io::Result<()> {
        while let Some(rest) = self.lines.get(self.at..).filter(|rest| !rest.is_empty()) {
            let written = match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            queue.written.fetch_add(ends(rest.get(..written).unwrap_or(rest)), Relaxed);
            self.at += written;
        }
        Ok(())
    }

    /// Sends each line as a datagram. A daemon that was started again has a new socket.
    fn send(&mut self, socket: &mut UnixDatagram, path: &Path, queue: &Queue) -> io::Result<()> {
        let mut head = head();
        let length = head.len();
        let mut may_connect = true;
        while let Some(rest) = self.lines.get(self.at..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            head.truncate(length);
            head.extend_from_slice(rest.get(..end).unwrap_or_default());
            match socket.send(&head) {
                Ok(_) => _ = queue.written.fetch_add(1, Relaxed),
                // It will never fit.
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    queue.lost.fetch_add(1, Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if may_connect && !is_late(&error) => {
                    *socket = connect(path)?;
                    may_connect = false;
                    continue;
                }
                Err(error) if is_late(&error) => {
                    let late = "the syslog daemon takes nothing";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, late));
                }
                Err(error) => return Err(error),
            }
            self.at += end + 1;
        }
        Ok(())
    }

    /// What follows goes elsewhere: the line of which a part was written from its beginning on.
    fn begin_anew(&mut self) {
        let written = self.lines.get(..self.at).unwrap_or_default();
        self.at = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    }

    fn count_left(&self) -> u64 {
        ends(self.lines.get(self.at..).unwrap_or_default())
    }
}

/// How many lines end in some bytes.
fn ends(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |ends, byte| ends + u64::from(*byte == b'\n'))
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What is in front of each line for a syslog daemon of this host: RFC 3164 without the name of the host, as syslog(3)
/// sends it, which all of them read. The time is local, and that of sending: each line has its own besides.
fn head() -> Vec<u8> {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    format!("<{PRIORITY}>{} shunt[{}]: ", now.strftime("%b %e %H:%M:%S"), process::id())
        .into_bytes()
}
