//! Answers on one connection of HTTP/2, of which a client may take some and leave others.
//!
//! A client that gives a stream no window blocks that answer and nothing else: the socket takes bytes all
//! the while, and what holds the answer is not even asked for more. So each answer notes since when what it
//! gave has not been taken, and the connection's task gives up those that stand still for too long. The stream
//! is then reset (RFC 9113 section 8.1), and the backend's connection let go.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use hyper::rt::Executor;
use tokio::{sync::Notify, task::spawn_local};

use super::{clock::now, io::Watch};

tokio::task_local! {
    /// The answer that the present task is about.
    static PRESENT: Arc<Answer>;
}

/// All answers of a connection.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<Vec<Weak<Answer>>>);

/// One answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Since when the client has not taken what there is; 0 if it has.
    since: AtomicU64,
    given_up: Notify,
    /// Whether it is.
    is_given_up: AtomicBool,
}

impl Answers {
    /// Another one.
    pub(super) fn begin(&self) -> Arc<Answer> {
        let answer = Arc::new(Answer::default());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == all.capacity() {
            all.retain(|answer| answer.strong_count() > 0);
        }
        all.push(Arc::downgrade(&answer));
        answer
    }

    /// Gives up those that have stood still for so long. Says for how long one of the others has at most.
    pub(super) fn give_up_on_those_since(&self, now: u64, limit: u64) -> u64 {
        let mut longest = 0;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|answer| {
            let Some(answer) = answer.upgrade() else { return false };
            let since = answer.since.load(Relaxed);
            let still = if since == 0 { 0 } else { now.saturating_sub(since) };
            if still >= limit {
                answer.is_given_up.store(true, Relaxed);
                answer.given_up.notify_one();
                return false;
            }
            longest = longest.max(still);
            true
        });
        longest
    }
}

impl Answer {
    /// The answer that the present task is about, if it is one of several.
    pub(super) fn present() -> Option<Arc<Self>> {
        PRESENT.try_with(Arc::clone).ok()
    }

    /// Waits until it is given up.
    pub(super) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    /// Whether it was given up.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Relaxed)
    }

    /// There is something for the client, or nothing more so far.
    pub(super) fn gave(&self, something: bool) {
        self.since.store(if something { now().max(1) } else { 0 }, Relaxed);
    }
}

/// Runs the streams of a connection, each as a task that can be given up.
#[derive(Clone, Debug)]
pub(super) struct Streams(pub(super) Arc<Watch>);

impl<F: Future<Output: 'static> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let Some(answer) = self.0.one_of_several() else {
            spawn_local(stream);
            return;
        };
        let task = PRESENT.scope(Arc::clone(&answer), stream);
        spawn_local(async move {
            tokio::select! {
                biased;
                _ = task => {}
                () = answer.given_up() => {}
            }
        });
    }
}
