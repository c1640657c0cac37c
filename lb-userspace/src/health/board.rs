//! What is known of every backend that is checked. Pure: time and results are arguments.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use super::{
    check::Check,
    tally::{State, Tally},
};
use crate::model::{Desired, Name, Pool};

/// A backend: its pool and its address.
pub type Key = (Name, SocketAddr);

/// What a probe came to, and why, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It succeeded.
    Passed(String),
    /// It failed.
    Failed(String),
    /// It could not be made, which says nothing about the backend.
    Skipped(String),
}

/// What a probe found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The backend.
    pub key: Key,
    /// Which of the successive probes of that backend it was. Those that were stopped may still
    /// have something to say, which is not heard.
    pub generation: u64,
    /// What it came to.
    pub outcome: Outcome,
}

/// What became different.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The backend is down.
    Down,
    /// The backend is up again.
    Up,
    /// The backend cannot be probed, for a reason that was not met just before.
    Skipped,
}

/// Something worth telling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    /// The backend.
    pub key: Key,
    /// What is new.
    pub change: Change,
    /// Why.
    pub reason: String,
}

/// What is known of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Whether it is down; nothing before the first result.
    pub down: Option<bool>,
    /// Since when.
    pub since: Instant,
    /// What the last probe came to.
    pub result: Option<&'a str>,
}

/// Something for the caller to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// Begin to probe a backend.
    Start(Key, u64),
    /// Probe it no longer.
    Stop(Key),
}

#[derive(Debug)]
struct Entry {
    check: Arc<Check>,
    generation: u64,
    tally: Tally,
    since: Instant,
    result: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Board {
    entries: BTreeMap<Key, Entry>,
    /// Down before anything was checked, and not met in a configuration yet.
    adopted: BTreeSet<Key>,
    generations: u64,
}

impl Board {
    pub(super) fn adopt(&mut self, down: impl IntoIterator<Item = Key>) {
        self.adopted.extend(down);
    }

    /// Moves to a configuration, whose checks by pool are `settings`. A backend keeps its state
    /// when the settings of its check change; the count begins anew.
    pub(super) fn follow(
        &mut self,
        desired: &Desired,
        settings: &BTreeMap<&Name, &Arc<Check>>,
        now: Instant,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        self.entries.retain(|key, _| {
            let pool = desired.pools.get(&key.0);
            let kept = settings.contains_key(&key.0)
                && pool.is_some_and(|pool| pool.backends.contains_key(&key.1));
            if !kept {
                actions.push(Action::Stop(key.clone()));
            }
            kept
        });
        for (name, check) in settings {
            let Some(pool) = desired.pools.get(*name) else { continue };
            for address in pool.backends.keys() {
                self.begin((*name).clone(), *address, check, now, &mut actions);
            }
        }
        // Only the first configuration is a continuation of what was before.
        self.adopted.clear();
        actions
    }

    fn begin(
        &mut self,
        pool: Name,
        address: SocketAddr,
        check: &Arc<Check>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let key = (pool, address);
        self.generations += 1;
        let generation = self.generations;
        if let Some(entry) = self.entries.get_mut(&key) {
            if *entry.check == **check {
                return;
            }
            entry.check = Arc::clone(check);
            entry.generation = generation;
            entry.tally.restart();
            actions.push(Action::Stop(key.clone()));
        } else {
            let adopted = self.adopted.contains(&key);
            let tally = if adopted { Tally::down() } else { Tally::default() };
            let result = adopted.then(|| "down before the daemon was started".to_owned());
            let check = Arc::clone(check);
            let entry = Entry { check, generation, tally, since: now, result };
            self.entries.insert(key.clone(), entry);
        }
        actions.push(Action::Start(key, generation));
    }

    pub(super) fn record(&mut self, report: Report, now: Instant) -> Option<News> {
        let Report { key, generation, outcome } = report;
        let entry = self.entries.get_mut(&key).filter(|entry| entry.generation == generation)?;
        let before = entry.tally.state();
        let (passed, reason) = match outcome {
            Outcome::Passed(reason) => (true, reason),
            Outcome::Failed(reason) => (false, reason),
            Outcome::Skipped(reason) => {
                let known = entry.result.as_ref() == Some(&reason);
                entry.result = Some(reason.clone());
                return (!known).then_some(News { key, change: Change::Skipped, reason });
            }
        };
        let health = &entry.check.health;
        entry.tally.record(passed, health.rise, health.fall);
        entry.result = Some(reason.clone());
        let after = entry.tally.state();
        if before == after {
            return None;
        }
        entry.since = now;
        let change = match (before, after) {
            (_, State::Down) => Change::Down,
            (State::Down, _) => Change::Up,
            _ => return None,
        };
        Some(News { key, change, reason })
    }

    pub(super) fn down(&self, desired: &Desired) -> BTreeSet<Key> {
        let open = self.pools_down(desired);
        let mut down = BTreeSet::new();
        for (name, pool) in &desired.pools {
            if open.get(name) != Some(&true) {
                let failed = self.failed(name, pool);
                down.extend(failed.map(|address| (name.clone(), address)));
            }
        }
        down
    }

    pub(super) fn pools_down(&self, desired: &Desired) -> BTreeMap<Name, bool> {
        let mut found = BTreeMap::new();
        for (name, pool) in &desired.pools {
            let Some(health) = &pool.health else { continue };
            let failed: BTreeSet<SocketAddr> = self.failed(name, pool).collect();
            let mut enabled = pool.enabled().map(|(address, _)| address).peekable();
            if enabled.peek().is_some() && enabled.all(|address| failed.contains(&address)) {
                found.insert(name.clone(), health.fail_open);
            }
        }
        found
    }

    /// Backends of a pool that are down, whatever that means for the pool.
    fn failed<'a>(&'a self, name: &'a Name, pool: &'a Pool) -> impl Iterator<Item = SocketAddr> {
        let checked = pool.health.iter().flat_map(|_| pool.backends.keys().copied());
        checked.filter(|address| {
            let entry = self.entries.get(&(name.clone(), *address));
            entry.is_some_and(|entry| entry.tally.state() == State::Down)
        })
    }

    pub(super) fn standing(&self, pool: &Name, address: SocketAddr) -> Option<Standing<'_>> {
        let entry = self.entries.get(&(pool.clone(), address))?;
        let down = match entry.tally.state() {
            State::Unchecked => None,
            State::Up => Some(false),
            State::Down => Some(true),
        };
        Some(Standing { down, since: entry.since, result: entry.result.as_deref() })
    }
}
