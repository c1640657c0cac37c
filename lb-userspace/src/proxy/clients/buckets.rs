//! Requests by client: a bucket for each that has asked lately, in a table that never grows.
//!
//! A bucket is one word, the time at which it is full again ([`Rate`]). One that is full says nothing that an absent
//! one would not, so it is free for the next client, and nothing is forgotten by that. The table is many small sets, each with a
//! lock of its own; a keyed hash says which a client belongs to, so nobody can choose whom to share a set with.
//!
//! When no bucket of a set is free, all its other clients share one more. So a flood from very many addresses never takes a
//! bucket from a client that owes something: who is limited stays limited, and who is known is served by its own measure. Who
//! comes new meanwhile is limited together with the flood. And who gets a bucket owes what the shared one does, of which it may have
//! had a part: no client ever gets more than its burst and its rate, whatever others do.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use lb_common::limit::Rate;

use super::Client;

/// Sets of a table, and buckets of a set: together the clients that may owe something at one time.
const SETS: usize = 8192;
pub(super) const WAYS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(in crate::proxy) struct Buckets {
    sets: Box<[Mutex<Set>]>,
    hasher: RandomState,
}

impl Default for Buckets {
    fn default() -> Self {
        let sets = (0..SETS).map(|_| Mutex::default()).collect();
        Self { sets, hasher: RandomState::new() }
    }
}

impl Buckets {
    /// A client makes a request now, in nanoseconds. If it may not, after how many it may.
    pub(super) fn ask(&self, client: Client, rate: Rate, now: u64) -> Result<(), u64> {
        let nth = usize::try_from(self.hasher.hash_one(client) % SETS as u64).unwrap_or_default();
        let Some(set) = self.sets.get(nth) else { return Ok(()) };
        set.lock().unwrap_or_else(PoisonError::into_inner).ask(client, rate, now)
    }
}

/// Clients whose hashes are alike.
#[derive(Debug, Default)]
pub(super) struct Set {
    own: [Bucket; WAYS],
    /// When the bucket of all others is full again.
    shared: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    client: Client,
    /// When it is full again.
    full: u64,
}

impl Set {
    /// See [`Buckets::ask`].
    pub(super) fn ask(&mut self, client: Client, rate: Rate, now: u64) -> Result<(), u64> {
        let room = rate.interval.saturating_mul(rate.burst);
        // The limit may have been another when a bucket was emptied.
        let most = now.saturating_add(room);
        self.shared = self.shared.min(most);
        let shared = self.shared;
        let take = |word: &mut u64| {
            let late = word.saturating_add(rate.interval).saturating_sub(most);
            *word = rate.take(*word, now).ok_or(late)?;
            Ok(())
        };
        match self.bucket(client, now) {
            Some(bucket) if bucket.client == client => {
                bucket.full = bucket.full.min(most);
                take(&mut bucket.full)
            }
            Some(bucket) => {
                let mut full = shared;
                take(&mut full)?;
                *bucket = Bucket { client, full };
                Ok(())
            }
            None => take(&mut self.shared),
        }
    }

    /// The bucket of a client, or else the one that has been full for longest.
    fn bucket(&mut self, client: Client, now: u64) -> Option<&mut Bucket> {
        let own = self.own.iter().position(|bucket| bucket.client == client);
        let free = || {
            let free = self.own.iter().enumerate().filter(|(_, bucket)| bucket.full <= now);
            free.min_by_key(|(_, bucket)| bucket.full).map(|(nth, _)| nth)
        };
        let nth = own.or_else(free)?;
        self.own.get_mut(nth)
    }
}
