//! Numbered datagrams at a steady rate, of which every one is answered, or its number is missed.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use crate::{
    interrupt,
    netns::Netns,
    udp::{self, Echo, RECEIVE_BUFFER},
    wait,
};

/// Client ports that take turns, so that many slots are used.
const PORTS: usize = 16;
/// After the last datagram, answers are waited for until none has come for this long.
const QUIET: Duration = Duration::from_secs(2);

/// A stream of datagrams.
#[derive(Debug)]
pub struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    sender: JoinHandle<Result<()>>,
    receivers: Vec<JoinHandle<Answers>>,
}

/// How often each number was answered, and by whom datagrams were.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// By number.
    pub times: BTreeMap<u64, u32>,
    /// By backend.
    pub backends: BTreeMap<String, u64>,
}

/// What became of a stream.
#[derive(Clone, Debug)]
pub struct Record {
    /// Datagrams sent.
    pub sent: u64,
    /// What came back.
    pub answers: Answers,
}

impl Record {
    /// Numbers that were not answered exactly once.
    pub fn wrong(&self) -> Vec<(u64, u32)> {
        let times = |number| self.answers.times.get(&number).copied().unwrap_or(0);
        (0..self.sent).map(|number| (number, times(number))).filter(|(_, n)| *n != 1).collect()
    }
}

impl Stream {
    /// Begins to send, from inside a namespace, one datagram every `pause`.
    pub fn start(netns: &Netns, server: SocketAddr, pause: Duration) -> Result<Self> {
        let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse()?;
        let socket = || {
            let socket = UdpSocket::bind(any)?;
            socket.connect(server)?;
            set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            Ok(socket)
        };
        let sockets = netns.enter(|| (0..PORTS).map(|_| socket()).collect::<Result<Vec<_>>>())?;
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let receiver = |socket: &UdpSocket| {
            let (socket, stop) = (socket.try_clone()?, Arc::clone(&stop));
            Ok(thread::spawn(move || receive(&socket, &stop)))
        };
        let receivers = sockets.iter().map(receiver).collect::<Result<_>>()?;
        let sender = {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || send(&sockets, pause, &stop, &sent))
        };
        Ok(Self { stop, sent, sender, receivers })
    }

    /// Waits until so many more have been sent.
    pub fn wait_more(&self, more: u64, bound: Duration) -> Result<()> {
        let goal = self.sent.load(Ordering::Relaxed) + more;
        wait::until("more datagrams to be sent", bound, || {
            ensure!(!self.sender.is_finished(), "the sender has ended");
            let sent = self.sent.load(Ordering::Relaxed);
            ensure!(sent >= goal, "{sent} of {goal}");
            Ok(())
        })
    }

    /// Stops sending, and waits for the last answers.
    pub fn finish(self) -> Result<Record> {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().map_err(|_| anyhow!("the sender panicked"))??;
        let mut answers = Answers::default();
        for receiver in self.receivers {
            let some = receiver.join().map_err(|_| anyhow!("a receiver panicked"))?;
            for (number, times) in some.times {
                *answers.times.entry(number).or_default() += times;
            }
            for (backend, count) in some.backends {
                *answers.backends.entry(backend).or_default() += count;
            }
        }
        Ok(Record { sent: self.sent.load(Ordering::Relaxed), answers })
    }
}

fn send(sockets: &[UdpSocket], pause: Duration, stop: &AtomicBool, sent: &AtomicU64) -> Result<()> {
    let mut due = Instant::now();
    for (number, socket) in (0_u64..).zip(sockets.iter().cycle()) {
        if stop.load(Ordering::Relaxed) || interrupt::requested() {
            break;
        }
        socket.send(&number.to_be_bytes()).with_context(|| format!("datagram {number}"))?;
        sent.store(number + 1, Ordering::Relaxed);
        // Late ones are not made up for in a burst, which queues might not hold.
        due = (due + pause).max(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()).max(pause / 2));
    }
    Ok(())
}

fn receive(socket: &UdpSocket, stop: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    let Ok(local) = socket.local_addr() else { return answers };
    let mut buffer = [0; 256];
    let mut quiet_since = Instant::now();
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                quiet_since = Instant::now();
                let Some(Echo { backend, payload, .. }) = udp::parse(&buffer[..length], local)
                else {
                    continue;
                };
                let Ok(number) = payload.try_into().map(u64::from_be_bytes) else { continue };
                *answers.times.entry(number).or_default() += 1;
                *answers.backends.entry(backend).or_default() += 1;
            }
            // A refusal is news of an answer that will not come; its number will be missing.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(_) if !stop.load(Ordering::Relaxed) => quiet_since = Instant::now(),
            Err(_) if quiet_since.elapsed() > QUIET || interrupt::requested() => return answers,
            Err(_) => {}
        }
    }
}
