//! What is noted of a client's connection, and what the time says of it.
//!
//! No request has a timer of its own: the task of the connection looks here when something may be due. It
//! looks at least as often as the shortest limit, so a limit that begins between two looks is
//! never missed.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Poll, Waker},
    time::Duration,
};

use hyper::StatusCode;

use crate::{
    model::listener::ClientLimits,
    proxy::{
        answers::{Answer, Answers},
        clock::{milliseconds, now},
        strict::Refused,
    },
};

/// What a client is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
enum Phase {
    /// Its first request.
    New,
    /// Its next request.
    Idle,
    /// The rest of the head of a request.
    Head,
}

/// What the time says of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) enum Verdict {
    /// Look again after so long.
    Later(Duration),
    /// It is idle, and may be for long: what it does not need meanwhile can go.
    Restful,
    /// It has been idle for long enough.
    Stale,
    /// The head of its request took too long.
    Slow,
    /// It has taken nothing of its answer for too long.
    Stuck,
}

/// How long a connection of HTTP/1 is idle before it rests. A client that asks again at once finds everything
/// where it was.
const RESTLESS: u64 = 300;
/// A connection that may come to rest is looked at as often as this.
const LOOK: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(in crate::proxy) struct Watch {
    limits: Arc<ClientLimits>,
    phase: AtomicU8,
    /// When the phase began.
    since: AtomicU64,
    /// Since when the client takes nothing; 0 if it does.
    stuck: AtomicU64,
    /// Requests that are not answered yet.
    busy: AtomicU32,
    /// Of a connection with several requests at one time: then what arrives need not be the head of one.
    answers: Option<Answers>,
    /// Whether there is a refusal, for who has no time to look.
    refused: AtomicBool,
    /// What arrives from now on is not HTTP.
    tunnelled: AtomicBool,
    /// Whether the client has taken nothing for too long.
    cut_off: AtomicBool,
    /// Whether more of a message is to come. It may have been answered already.
    incomplete: AtomicBool,
    refusal: Mutex<Refusal>,
}

#[derive(Debug, Default)]
struct Refusal {
    status: Option<StatusCode>,
    /// What is wrong with what the client sent; nothing if it took too long.
    refused: Option<Refused>,
    /// Who waits for bytes that will not come.
    reader: Option<Waker>,
}

impl Watch {
    /// Of a connection that began at some time. `multiplexed` is whether it may have several
    /// requests at one time.
    pub(in crate::proxy) fn new(multiplexed: bool, limits: &Arc<ClientLimits>, begun: u64) -> Self {
        Self {
            limits: Arc::clone(limits),
            phase: AtomicU8::new(Phase::New as u8),
            since: AtomicU64::new(begun),
            stuck: AtomicU64::new(0),
            busy: AtomicU32::new(0),
            answers: multiplexed.then(Answers::default),
            refused: AtomicBool::new(false),
            tunnelled: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            incomplete: AtomicBool::new(false),
            refusal: Mutex::default(),
        }
    }

    /// Of a connection of HTTP/1 that has rested since some time.
    pub(in crate::proxy) fn again(limits: &Arc<ClientLimits>, since: u64) -> Self {
        let phase = AtomicU8::new(Phase::Idle as u8);
        Self { phase, ..Self::new(false, limits, since) }
    }

    /// What the client is held to.
    pub(in crate::proxy) fn limits(&self) -> &Arc<ClientLimits> {
        &self.limits
    }

    /// A request is there.
    pub(in crate::proxy) fn asked(&self) {
        self.busy.fetch_add(1, Relaxed);
    }

    /// A request is answered.
    pub(in crate::proxy) fn answered(&self) {
        self.busy.fetch_sub(1, Relaxed);
        self.enter(Phase::Idle);
    }

    /// An answer begins, which may come to stand still while others do not.
    pub(in crate::proxy) fn one_of_several(&self) -> Option<Arc<Answer>> {
        self.answers.as_ref().map(Answers::begin)
    }

    /// The connection ends, because the client has taken nothing for too long.
    pub(in crate::proxy) fn cut_off(&self) {
        self.cut_off.store(true, Relaxed);
    }

    /// Whether [`Self::cut_off`] was called.
    pub(in crate::proxy) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Relaxed)
    }

    /// Another protocol is spoken from now on.
    pub(in crate::proxy) fn tunnel(&self) {
        self.tunnelled.store(true, Relaxed);
    }

    /// Whether [`Self::tunnel`] was called.
    pub(super) fn is_tunnelled(&self) -> bool {
        self.tunnelled.load(Relaxed)
    }

    /// Notes whether more of a message is to come.
    pub(super) fn expects(&self, more: bool) {
        self.incomplete.store(more, Relaxed);
    }

    /// Whether there are several requests at one time.
    pub(in crate::proxy) fn is_multiplexed(&self) -> bool {
        self.answers.is_some()
    }

    /// Whether nothing is under way, in either direction.
    pub(in crate::proxy) fn is_idle(&self) -> bool {
        self.busy.load(Relaxed) == 0 && self.stuck.load(Relaxed) == 0
    }

    /// Begins a phase.
    fn enter(&self, phase: Phase) {
        self.since.store(now(), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    /// The shortest time after which anything can be due.
    fn shortest(&self) -> Duration {
        let ClientLimits { head_timeout, keep_alive_timeout, send_timeout, .. } = *self.limits;
        let shortest = head_timeout.min(keep_alive_timeout).min(send_timeout);
        if self.is_multiplexed() { shortest } else { shortest.min(LOOK) }
    }

    /// Since when the client is waited for.
    pub(in crate::proxy) fn since(&self) -> u64 {
        self.since.load(Relaxed)
    }

    /// Until when a connection that rests may go on doing so.
    pub(in crate::proxy) fn until(&self) -> u64 {
        self.since().saturating_add(milliseconds(self.limits.keep_alive_timeout))
    }

    /// Whether it is time to do something. Gives up single answers that stand still.
    pub(in crate::proxy) fn verdict(&self, now: u64) -> Verdict {
        let limits = &self.limits;
        let (phase, since) = (self.phase.load(Relaxed), self.since.load(Relaxed));
        let stuck = self.stuck.load(Relaxed);
        let (limit, since, verdict) = if stuck > 0 {
            (limits.send_timeout, stuck, Verdict::Stuck)
        } else if self.busy.load(Relaxed) > 0 {
            let still = self.answers.as_ref().map_or(0, |answers| {
                answers.give_up_on_those_since(now, milliseconds(limits.send_timeout))
            });
            let left = limits.send_timeout.saturating_sub(Duration::from_millis(still));
            return Verdict::Later(left.min(self.shortest()));
        } else if phase == Phase::New as u8 {
            (limits.head_timeout, since, Verdict::Stale)
        } else if phase == Phase::Idle as u8 {
            (limits.keep_alive_timeout, since, Verdict::Stale)
        } else {
            (limits.head_timeout, since, Verdict::Slow)
        };
        let age = now.saturating_sub(since);
        let idle = phase == Phase::Idle as u8 && verdict == Verdict::Stale;
        // Who begins anew would take the rest of a body for a request.
        let may_rest = idle && !self.is_multiplexed() && !self.incomplete.load(Relaxed);
        match milliseconds(limit).checked_sub(age) {
            None | Some(0) => verdict,
            Some(_) if may_rest && age >= RESTLESS => Verdict::Restful,
            Some(left) => Verdict::Later(Duration::from_millis(left).min(self.shortest())),
        }
    }

    /// Ends what is read, and leaves the status that the client is told.
    pub(in crate::proxy) fn refuse(&self, status: StatusCode, refused: Option<Refused>) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if refusal.status.is_none() {
            (refusal.status, refusal.refused) = (Some(status), refused);
        }
        self.refused.store(true, Release);
        if let Some(reader) = refusal.reader.take() {
            reader.wake();
        }
    }

    /// The status that the client is to be told, if it was refused, and what is wrong with what it sent.
    pub(in crate::proxy) fn refusal(&self) -> Option<(StatusCode, Option<Refused>)> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        Some((refusal.status?, refusal.refused))
    }

    /// Notes bytes that have arrived.
    pub(super) fn heard(&self) {
        let reads_head = self.phase.load(Relaxed) == Phase::Head as u8;
        if !reads_head && !self.is_multiplexed() && self.busy.load(Relaxed) == 0 {
            self.enter(Phase::Head);
        }
    }

    /// Notes whether the client takes what we write.
    pub(super) fn wrote<T>(&self, written: &Poll<T>) {
        if written.is_ready() {
            if self.stuck.load(Relaxed) != 0 {
                self.stuck.store(0, Relaxed);
            }
        } else if self.stuck.load(Relaxed) == 0 {
            self.stuck.store(now().max(1), Relaxed);
        }
    }

    /// Whether the client was refused; if not, `waiting` is told when it is.
    pub(super) fn is_refused(&self, waiting: Option<&Waker>) -> bool {
        let Some(waker) = waiting else { return self.refused.load(Acquire) };
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if refusal.status.is_none() {
            match &mut refusal.reader {
                Some(reader) => reader.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        refusal.status.is_some()
    }
}
