//! Lines between those who have them and the one who writes them.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::Thread,
};

use tokio::sync::oneshot;

use crate::access_log::Sink;

/// Bytes of lines that wait for each worker. At 100,000 lines a second of one worker that is a third of a second;
/// the writer comes ten times as often.
const MOST: usize = 8 << 20;
/// Bytes at which the writer is called before it would come by itself.
const MANY: usize = 256 << 10;
/// Bytes of room that is kept when it is empty.
pub(super) const KEPT: usize = 512 << 10;

/// See the module. A worker has a shard of its own, so that it waits for no other.
#[derive(Debug)]
pub(super) struct Queue {
    shards: Box<[Mutex<Vec<u8>>]>,
    writer: OnceLock<Thread>,
    /// Whether the writer waits to be woken.
    asleep: AtomicBool,
    /// Whether no more lines come.
    closed: AtomicBool,
    /// What to write to from now on, and who wants to know when that is so.
    next: Mutex<Option<(Sink, oneshot::Sender<()>)>>,
    /// Lines that were written.
    pub(super) written: AtomicU64,
    /// Lines that were lost.
    pub(super) lost: AtomicU64,
    /// Why nothing can be written.
    error: Mutex<Option<String>>,
}

impl Queue {
    /// With a shard for each worker.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            shards: (0..workers.max(1)).map(|_| Mutex::default()).collect(),
            writer: OnceLock::new(),
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            next: Mutex::default(),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            error: Mutex::default(),
        }
    }

    /// Adds a line, which `write` appends to what it is given; unless too many wait.
    pub(super) fn push(&self, worker: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(shard) = self.shards.get(worker % self.shards.len()) else { return };
        let (before, after) = {
            let mut lines = locked(shard);
            let before = lines.len();
            if before < MOST {
                write(&mut lines);
            }
            (before, lines.len())
        };
        if before >= MOST {
            self.lost.fetch_add(1, Relaxed);
        }
        // Who goes to sleep looks at the shards afterwards: either it has seen the line, or this sees it asleep.
        let sleeps = self.asleep.load(Relaxed) && self.asleep.swap(false, Relaxed);
        if sleeps || (before < MANY && after >= MANY) {
            self.wake();
        }
    }

    /// Takes all lines that wait. `spare` is empty, and room for those that come.
    pub(super) fn take(&self, lines: &mut Vec<u8>, spare: &mut Vec<u8>) {
        for shard in &self.shards {
            mem::swap(spare, &mut *locked(shard));
            lines.extend_from_slice(spare);
            spare.clear();
            spare.shrink_to(KEPT);
        }
    }

    fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| locked(shard).is_empty())
    }

    /// Has the writer write to something else. The answer comes when it does.
    pub(super) fn switch(&self, sink: Sink) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        *locked(&self.next) = Some((sink, done));
        self.wake();
        told
    }

    /// What to write to from now on, if it is to change.
    pub(super) fn next(&self) -> Option<(Sink, oneshot::Sender<()>)> {
        locked(&self.next).take()
    }

    /// No more lines come: the writer ends when it has written those there are.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        self.wake();
    }

    /// Whether no more lines come.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Whether there is a reason not to wait.
    pub(super) fn is_called(&self) -> bool {
        self.is_closed() || locked(&self.next).is_some()
    }

    /// Whether the writer may sleep until it is woken. It must have said that it is about to by [`Self::lie_down`].
    pub(super) fn may_sleep(&self) -> bool {
        self.is_empty() && !self.is_called()
    }

    /// The writer is about to sleep, or is up again.
    pub(super) fn lie_down(&self, asleep: bool) {
        self.asleep.store(asleep, Relaxed);
    }

    /// Whom to wake.
    pub(super) fn is_written_by(&self, writer: Thread) {
        _ = self.writer.set(writer);
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    /// Why nothing can be written, if that is so.
    pub(super) fn error(&self) -> Option<String> {
        locked(&self.error).clone()
    }

    /// Notes that nothing can be written, or that it can; says what was so before.
    pub(super) fn note(&self, error: Option<String>) -> Option<String> {
        mem::replace(&mut *locked(&self.error), error)
    }
}

/// Nobody panics while holding one of these.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
