//! Times after which requests are given up: one list for all of a worker, in place of a timer for each.
//!
//! Nearly every request is answered long before its time. So to set an alarm and to take it back is what must cost
//! little: it is a place in a list. The list is gone through every few milliseconds while there is something in it; a
//! thousand requests under way take a microsecond then.

#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::{sync::Notify, time::sleep};

use super::clock::now;

/// How often the list is gone through. No alarm is later than this and what the clock is coarse by.
const TICK: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Default)]
pub(super) struct Alarms {
    set: RefCell<Slab<Entry>>,
    /// Whether the list is being gone through.
    ticks: Cell<bool>,
    first: Notify,
}

struct Entry {
    due: u64,
    /// Who is told; nobody if that has happened.
    waker: Option<Waker>,
}

impl Alarms {
    /// Rings, for as long as it is polled.
    pub(super) async fn ring(&self) {
        loop {
            self.first.notified().await;
            while self.ticks.get() {
                sleep(TICK).await;
                self.tick(now());
            }
        }
    }

    /// Waits for something until some time; nothing if it comes too late.
    pub(super) async fn until<T>(
        self: &Rc<Self>,
        due: u64,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let (mut work, mut alarm) = (pin!(work), Alarm::new(self));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => alarm.poll(cx, due).map(|()| None),
        })
        .await
    }

    /// Wakes who is due.
    fn tick(&self, now: u64) {
        let mut set = self.set.borrow_mut();
        self.ticks.set(!set.is_empty());
        for (_, entry) in set.iter_mut().filter(|(_, entry)| entry.due <= now) {
            // Waking takes no turn yet: it only says that there is one to take.
            if let Some(waker) = entry.waker.take() {
                waker.wake();
            }
        }
    }

    fn insert(&self, entry: Entry) -> usize {
        if !self.ticks.replace(true) {
            self.first.notify_one();
        }
        self.set.borrow_mut().insert(entry)
    }
}

/// Something that is waited for until some time.
pub(super) struct Alarm {
    alarms: Rc<Alarms>,
    place: Option<usize>,
}

impl Alarm {
    /// One that is not set.
    pub(super) fn new(alarms: &Rc<Alarms>) -> Self {
        Self { alarms: Rc::clone(alarms), place: None }
    }

    /// Ready when it is time. Otherwise the task is told when it is.
    pub(super) fn poll(&mut self, cx: &Context<'_>, due: u64) -> Poll<()> {
        if due <= now() {
            self.unset();
            return Poll::Ready(());
        }
        match self.place {
            None => {
                let waker = Some(cx.waker().clone());
                self.place = Some(self.alarms.insert(Entry { due, waker }));
            }
            Some(place) => {
                if let Some(entry) = self.alarms.set.borrow_mut().get_mut(place) {
                    entry.due = due;
                    match &mut entry.waker {
                        Some(waker) => waker.clone_from(cx.waker()),
                        none => *none = Some(cx.waker().clone()),
                    }
                }
            }
        }
        Poll::Pending
    }

    /// What was waited for has come.
    pub(super) fn unset(&mut self) {
        if let Some(place) = self.place.take() {
            self.alarms.set.borrow_mut().try_remove(place);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.unset();
    }
}
