//! Many short connections, some of them at a time: one request each.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Result, ensure};

use crate::{
    blob,
    client::{Client, End, SILENCE},
    interrupt,
    netns::Netns,
    servers::INTACT,
};

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Where to connect to.
    pub server: SocketAddr,
    /// How many connections.
    pub connections: usize,
    /// How many of them at a time.
    pub at_once: usize,
    /// Bytes to fetch over each, then to send over each, and to compare; none asks for the short
    /// greeting.
    pub bytes: Option<usize>,
}

/// What became of one connection.
#[derive(Clone, Debug)]
pub struct Record {
    /// Our end, if it got so far.
    pub client: Option<SocketAddr>,
    /// The client that the backend saw.
    pub seen: Option<SocketAddr>,
    /// Who answered.
    pub backend: Option<String>,
    /// How it ended.
    pub end: End,
}

impl Load {
    /// Makes the connections from inside a namespace. `go_on` is called after each, from several
    /// threads, with the number that have ended; when it says no, no more are made.
    pub fn run(&self, netns: &Netns, go_on: impl Fn(usize) -> bool + Sync) -> Result<Vec<Record>> {
        let (next, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let records = Mutex::new(Vec::new());
        let work = || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= self.connections || interrupt::requested() {
                    break;
                }
                let record = self.one(n);
                records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
                if !go_on(ended.fetch_add(1, Ordering::Relaxed) + 1) {
                    next.store(self.connections, Ordering::Relaxed);
                }
            }
        };
        netns.enter(|| {
            thread::scope(|scope| {
                for _ in 0..self.at_once {
                    scope.spawn(work);
                }
            });
            interrupt::check()
        })?;
        Ok(records.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn one(&self, n: usize) -> Record {
        let mut record = Record { client: None, seen: None, backend: None, end: End::Whole };
        if let Err(end) = self.ask(n, &mut record) {
            record.end = end;
        }
        record
    }

    fn ask(&self, n: usize, record: &mut Record) -> Result<(), End> {
        // Hundreds of transfers at a time overflow the queues of veth, and the unlucky ones wait.
        let silence = self.bytes.map_or(SILENCE, |_| 6 * SILENCE);
        let mut client = Client::connect_patiently(self.server, silence)?;
        record.client = Some(client.local());
        let path = match self.bytes {
            Some(length) => format!("/blob/{n}/{length}"),
            None => "/".to_owned(),
        };
        let reply = client.get(&path)?;
        record.backend = Some(reply.backend);
        record.seen = Some(reply.client);
        let Some(length) = self.bytes else { return Ok(()) };
        if let Some(damage) = blob::damage(n as u64, length, &reply.body) {
            return Err(End::Damaged(damage));
        }
        let said = client.post(&path, &blob::blob(n as u64, length))?.body;
        if said == INTACT.as_bytes() {
            return Ok(());
        }
        Err(End::Damaged(format!("on its way there: {}", String::from_utf8_lossy(&said))))
    }
}

/// Connections by backend; an error if any did not end as it should.
pub fn spread(records: &[Record]) -> Result<BTreeMap<String, usize>> {
    let bad = ends(records.iter().map(|record| &record.end).filter(|end| **end != End::Whole));
    ensure!(bad.is_empty(), "of {} connections failed: {bad:?}", records.len());
    Ok(by_backend(records))
}

/// Connections that were answered, by backend.
pub fn by_backend(records: &[Record]) -> BTreeMap<String, usize> {
    count(records.iter().filter_map(|record| record.backend.clone()))
}

/// How connections ended.
pub fn ends<'a>(ends: impl Iterator<Item = &'a End>) -> BTreeMap<End, usize> {
    count(ends.cloned())
}

/// How often each item occurs.
pub fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}
