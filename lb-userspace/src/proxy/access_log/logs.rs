//! The logs of all listeners, as the control loop sees them.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::{sync::oneshot, time::timeout};
use tracing::warn;

use super::{Line, Logging, combined, json, queue::Queue, writer::Writer};
use crate::{
    access_log::{LogError, Sink},
    model::{
        Desired,
        listener::{LogFormat, LogTarget},
    },
    proxy::{ProxyError, worker::drop_privileges},
};

/// How long a writer may take to write to another file, and at the end to write what waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Logs by what they are written to.
pub(in crate::proxy) type AllLogs = BTreeMap<LogTarget, Arc<Log>>;

/// An open log. When nobody has it any more, what waits is written and its thread ends.
#[derive(Debug)]
pub(in crate::proxy) struct Log {
    queue: Arc<Queue>,
    zone: TimeZone,
}

/// What was counted of a log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogCounts {
    /// Lines that were written.
    pub written: u64,
    /// Lines that were lost.
    pub lost: u64,
    /// Why nothing can be written at present.
    pub error: Option<String>,
}

impl Log {
    /// Adds a line.
    pub(super) fn push(&self, worker: usize, format: LogFormat, line: &Line<'_>) {
        self.queue.push(worker, |out| match format {
            LogFormat::Combined => combined::write(out, line, &self.zone),
            LogFormat::Json => json::write(out, line),
        });
    }

    fn counts(&self) -> LogCounts {
        LogCounts {
            written: self.queue.written.load(Relaxed),
            lost: self.queue.lost.load(Relaxed),
            error: self.queue.error(),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Opens logs, and waits for them to end.
#[derive(Debug)]
pub(in crate::proxy) struct Logs {
    workers: usize,
    /// Told when a writer has ended.
    ended: Vec<oneshot::Receiver<()>>,
}

impl Logs {
    /// For so many workers.
    pub(in crate::proxy) fn new(workers: usize) -> Self {
        Self { workers, ended: Vec::new() }
    }

    /// The logs of a configuration: those there are, and new ones.
    pub(in crate::proxy) fn of(
        &mut self,
        desired: &Desired,
        present: &AllLogs,
    ) -> Result<AllLogs, ProxyError> {
        let mut all = AllLogs::new();
        for (name, listener) in &desired.listeners {
            let Some(settings) = &listener.access_log else { continue };
            let to = &settings.to;
            if let Some(log) = all.get(to).or_else(|| present.get(to)) {
                let log = Arc::clone(log);
                all.insert(to.clone(), log);
                continue;
            }
            let fail = |source| ProxyError::AccessLog { listener: name.clone(), source };
            let sink = Sink::open(to).map_err(fail)?;
            all.insert(to.clone(), Arc::new(self.begin(to, sink)?));
        }
        Ok(all)
    }

    fn begin(&mut self, to: &LogTarget, sink: Sink) -> io::Result<Log> {
        let queue = Arc::new(Queue::new(self.workers));
        let writer = Writer::new(Arc::clone(&queue), to.clone(), sink);
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("shunt-log".to_owned()).spawn(move || {
            drop_privileges();
            writer.run();
            drop(end);
        })?;
        self.ended.retain_mut(|ended| ended.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        self.ended.push(ended);
        Ok(Log { queue, zone: TimeZone::system() })
    }

    /// Opens every log anew. Says of each what it is, and why it could not be; then it goes on as it was.
    pub(in crate::proxy) async fn reopen(all: &AllLogs) -> Vec<(LogTarget, Result<(), String>)> {
        let mut done = Vec::new();
        for (to, log) in all {
            done.push((to.clone(), reopen(to, log).await));
        }
        done
    }

    /// Writes what waits, and ends.
    pub(in crate::proxy) async fn end(&mut self, all: &AllLogs) {
        for log in all.values() {
            log.queue.close();
        }
        let all_ended = async {
            for ended in self.ended.drain(..) {
                _ = ended.await;
            }
        };
        if timeout(PATIENCE, all_ended).await.is_err() {
            warn!("access logs could not be written to their end within {} s", PATIENCE.as_secs());
        }
    }
}

async fn reopen(to: &LogTarget, log: &Log) -> Result<(), String> {
    if *to == LogTarget::Stdout {
        return Ok(());
    }
    let sink = Sink::open(to).map_err(|error: LogError| error.to_string())?;
    match timeout(PATIENCE, log.queue.switch(sink)).await {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "access log {to} has been opened anew, but what was written before is not done after {} s; see its disk",
            PATIENCE.as_secs()
        )),
    }
}

impl Logging {
    /// What was counted.
    pub(in crate::proxy) fn counts(&self) -> LogCounts {
        self.log.counts()
    }

    /// Adds a line.
    pub(super) fn push(&self, worker: usize, line: &Line<'_>) {
        self.log.push(worker, self.format, line);
    }
}
