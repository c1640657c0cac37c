//! The thread of a worker: it listens and stops as it is told.

use std::{collections::HashMap, io, net::TcpListener, rc::Rc, sync::Arc, thread, time::Duration};

use arc_swap::ArcSwap;
use caps::CapSet;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::{LocalSet, spawn_local},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{error, warn};

use super::{Worker, listening::Listening, parking::Parking};
use crate::proxy::snapshot::Snapshot;

/// How often a worker tidies up.
const TIDY: Duration = Duration::from_millis(500);

/// What a worker is told.
#[derive(Debug)]
pub(in crate::proxy) enum Command {
    /// Serve who comes by this socket, for the listener of this number.
    Open(u32, TcpListener),
    /// Whether clients of this listener speak first, from now on.
    Defer(u32, bool),
    /// Take no more connections for this listener, and end those there are after their request.
    Close(u32),
    /// The same for all listeners; end when all is served, or after this time.
    End(Duration),
}

/// A worker as the control loop sees it.
#[derive(Debug)]
pub(in crate::proxy) struct Thread {
    commands: mpsc::UnboundedSender<Command>,
    ended: oneshot::Receiver<()>,
}

impl Thread {
    /// Starts a worker.
    pub(in crate::proxy) fn start(
        nth: usize,
        snapshot: Arc<ArcSwap<Snapshot>>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let epoll = {
            let _inside = runtime.enter();
            Parking::epoll()?
        };
        let (commands, told) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new().name(format!("shunt-http-{nth}")).spawn(move || {
            drop_privileges();
            let parking = Rc::new(Parking::new(epoll));
            let worker = Rc::new(Worker::new(nth, snapshot, &parking));
            LocalSet::new().block_on(&runtime, run(&worker, &parking, told));
            drop(end);
        })?;
        Ok(Self { commands, ended })
    }

    /// Tells it something. A worker that has ended hears nothing.
    pub(in crate::proxy) fn tell(&self, command: Command) {
        _ = self.commands.send(command);
    }

    /// Waits until it has ended.
    pub(in crate::proxy) async fn ended(self) {
        _ = self.ended.await;
    }
}

/// What clients send is read here, and nothing that it could lead to needs privileges.
pub(in crate::proxy) fn drop_privileges() {
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        if let Err(error) = caps::clear(None, set) {
            warn!("cannot give up privileges of a worker: {error}");
        }
    }
}

async fn run(
    worker: &Rc<Worker>,
    parking: &Rc<Parking>,
    mut told: mpsc::UnboundedReceiver<Command>,
) {
    let mut listeners: HashMap<u32, Listening> = HashMap::new();
    let mut tidy = interval(TIDY);
    let alarms = Rc::clone(worker.alarms());
    spawn_local(async move { alarms.ring().await });
    spawn_local(Rc::clone(parking).look_after());
    tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = told.recv() => command,
            _ = tidy.tick() => {
                worker.tidy();
                continue;
            }
        };
        match command {
            Some(Command::Open(number, socket)) => match Listening::begin(worker, number, socket) {
                Ok(listening) => drop(listeners.insert(number, listening)),
                Err(error) => error!("a worker cannot use its socket: {error}"),
            },
            Some(Command::Defer(number, clients_speak_first)) => {
                if let Some(listening) = listeners.get(&number) {
                    listening.defer(clients_speak_first);
                }
            }
            Some(Command::Close(number)) => {
                if let Some(listening) = listeners.remove(&number) {
                    listening.end();
                    parking.clear();
                }
            }
            Some(Command::End(grace)) => return end(worker, parking, &listeners, grace).await,
            None => return,
        }
    }
}

async fn end(
    worker: &Worker,
    parking: &Parking,
    listeners: &HashMap<u32, Listening>,
    grace: Duration,
) {
    listeners.values().for_each(Listening::end);
    parking.clear();
    let all_served = async {
        while worker.open.get() > 0 {
            worker.idle.notified().await;
        }
    };
    if timeout(grace, all_served).await.is_err() {
        warn!("{} connections are cut off after {} s", worker.open.get(), grace.as_secs());
    }
}
