//! The logs of all listeners, as the control loop sees them.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
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

    /// Has the writer go on with the same target opened anew, and says when it does. There is nothing to open of
    /// standard output.
    fn reopen(&self, to: &LogTarget) -> Result<Option<oneshot::Receiver<()>>, LogError> {
        if *to == LogTarget::Stdout {
            return Ok(None);
        }
        Ok(Some(self.queue.switch(Sink::open(to)?)))
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

    /// Opens every log anew. Says of each whether that is done, or why it goes on as it was. A writer that hangs holds
    /// up the others no longer than it may.
    pub(in crate::proxy) async fn reopen(all: &AllLogs) -> Vec<(LogTarget, Result<(), String>)> {
        let end = Instant::now() + PATIENCE;
        let begun: Vec<_> = all.iter().map(|(to, log)| (to, log.reopen(to))).collect();
        let mut done = Vec::new();
        for (to, switching) in begun {
            let result = match switching {
                Err(error) => Err(error.to_string()),
                Ok(None) => Ok(()),
                Ok(Some(told)) => timeout_at(end, told).await.map(|_| ()).map_err(|_| {
                    format!(
                        "what is written at present does not come to its end within {} s; see its disk, or who reads it",
                        PATIENCE.as_secs()
                    )
                }),
            };
            done.push((to.clone(), result));
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
