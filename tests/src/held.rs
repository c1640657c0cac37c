//! Connections that stay open and keep asking, while something is changed under them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    client::{Client, End},
    interrupt,
    netns::Netns,
    wait,
};

/// How long until every connection has asked once more.
const ROUND: Duration = Duration::from_secs(20);

/// Connections being held.
#[derive(Debug)]
pub struct Held {
    stop: Arc<AtomicBool>,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    answers: Arc<AtomicUsize>,
    thread: JoinHandle<Record>,
}

/// What became of a connection.
#[derive(Clone, Debug)]
pub struct Record {
    /// Our end.
    pub client: SocketAddr,
    /// Who answered, each time.
    pub backends: Vec<String>,
    /// How it ended.
    pub end: End,
}

impl Held {
    /// Opens connections from inside a namespace, each of which asks again after `pause`. Returns
    /// when all of them have been answered once.
    pub fn open(
        netns: &Netns,
        server: SocketAddr,
        connections: usize,
        pause: Duration,
    ) -> Result<Self> {
        let mut held = Self { stop: Arc::default(), connections: Vec::new() };
        let clients = netns.enter(|| {
            (0..connections)
                .map(|_| {
                    interrupt::check()?;
                    Client::connect(server).with_context(|| format!("cannot connect to {server}"))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        for client in clients {
            let (stop, answers) = (Arc::clone(&held.stop), Arc::<AtomicUsize>::default());
            let counted = Arc::clone(&answers);
            let thread = thread::spawn(move || keep_asking(client, pause, &stop, &counted));
            held.connections.push(Connection { answers, thread });
        }
        held.wait_rounds(1)?;
        Ok(held)
    }

    /// Connections that are still alive.
    pub fn alive(&self) -> usize {
        self.connections.iter().filter(|connection| !connection.thread.is_finished()).count()
    }

    /// Waits until every connection that is alive has been answered so many more times.
    pub fn wait_rounds(&self, more: usize) -> Result<()> {
        let goals: Vec<_> = self
            .connections
            .iter()
            .map(|connection| (connection, connection.answers.load(Ordering::Relaxed) + more))
            .collect();
        wait::until("every held connection to be answered", ROUND, || {
            let waiting = goals.iter().filter(|(connection, goal)| {
                connection.answers.load(Ordering::Relaxed) < *goal
                    && !connection.thread.is_finished()
            });
            let waiting = waiting.count();
            ensure!(waiting == 0, "{waiting} of {} are not", goals.len());
            Ok(())
        })
    }

    /// Ends all of them.
    pub fn close(mut self) -> Result<Vec<Record>> {
        self.stop.store(true, Ordering::Relaxed);
        let join = |connection: Connection| {
            connection.thread.join().map_err(|_| anyhow!("a held connection panicked"))
        };
        std::mem::take(&mut self.connections).into_iter().map(join).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn keep_asking(
    mut client: Client,
    pause: Duration,
    stop: &AtomicBool,
    answers: &AtomicUsize,
) -> Record {
    let mut record = Record { client: client.local(), backends: Vec::new(), end: End::Whole };
    while !stop.load(Ordering::Relaxed) && !interrupt::requested() {
        match client.get("/") {
            Ok(reply) => record.backends.push(reply.backend),
            Err(error) => {
                record.end = error.into();
                break;
            }
        }
        answers.fetch_add(1, Ordering::Relaxed);
        thread::sleep(pause);
    }
    record
}
