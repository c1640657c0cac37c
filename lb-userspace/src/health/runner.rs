//! The thread that probes, with a task for each backend.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    io,
    sync::Arc,
};

use caps::CapSet;
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tracing::warn;

use super::{
    board::{Key, Report},
    probe::Prober,
};

/// See the module.
pub(super) struct Runner {
    /// Not before there is something to probe.
    runtime: Option<Runtime>,
    tasks: BTreeMap<Key, JoinHandle<()>>,
    reports: mpsc::Sender<Report>,
    random: RandomState,
}

impl Runner {
    pub(super) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self { runtime: None, tasks: BTreeMap::new(), reports, random: RandomState::new() }
    }

    /// Starts the thread if it does not run yet.
    pub(super) fn start(&mut self) -> io::Result<()> {
        if self.runtime.is_none() {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).thread_name("shunt-health").enable_all();
            // To open connections takes no privileges, and what is read comes from others.
            builder.on_thread_start(drop_privileges);
            self.runtime = Some(builder.build()?);
        }
        Ok(())
    }

    /// Probes a backend from now on.
    pub(super) fn spawn(&mut self, key: Key, generation: u64, prober: Arc<Prober>) {
        let Some(runtime) = &self.runtime else { return };
        // Backends that are added together are not probed together for ever.
        let interval = prober.interval();
        let share = self.random.hash_one(&key) % 1024 + 1;
        let first = interval.mul_f64(f64::from(u16::try_from(share).unwrap_or(1024)) / 1024.0);
        let reports = self.reports.clone();
        let name = key.clone();
        let task = async move {
            let report = |outcome| Report { key: name.clone(), generation, outcome };
            let mut next = Instant::now();
            let mut pause = first;
            loop {
                let outcome = prober.probe(name.1).await;
                if reports.send(report(outcome)).await.is_err() {
                    return;
                }
                next = (next + pause).max(Instant::now());
                pause = interval;
                sleep_until(next).await;
            }
        };
        self.tasks.insert(key, runtime.spawn(task));
    }

    /// Probes a backend no longer.
    pub(super) fn stop(&mut self, key: &Key) {
        if let Some(task) = self.tasks.remove(key) {
            task.abort();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops us may not wait.
            runtime.shutdown_background();
        }
    }
}

fn drop_privileges() {
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        if let Err(error) = caps::clear(None, set) {
            warn!("the thread of the health checks cannot give up privileges: {error}");
        }
    }
}
