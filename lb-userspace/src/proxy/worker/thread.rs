//! The thread of a worker: it listens and stops as it is told.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use caps::CapSet;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::{mpsc, oneshot, watch},
    task::{LocalSet, spawn_local},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, error, warn};

use super::{Worker, parking::Parking};
use crate::proxy::{connection::Arrival, snapshot::Snapshot};

/// How often a worker tidies up.
const TIDY: Duration = Duration::from_millis(500);
/// How long is waited when a connection cannot be accepted for want of something.
const BREATH: Duration = Duration::from_millis(50);

/// What a worker is told.
#[derive(Debug)]
pub(in crate::proxy) enum Command {
    /// Serve who comes by this socket, for the listener of this number.
    Open(u32, StdListener),
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
    let mut listeners: HashMap<u32, watch::Sender<bool>> = HashMap::new();
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
            Some(Command::Open(number, socket)) => match TcpListener::from_std(socket) {
                Ok(socket) => {
                    let (ending, told) = watch::channel(false);
                    listeners.insert(number, ending);
                    spawn_local(accept(Rc::clone(worker), number, socket, told));
                }
                Err(error) => error!("a worker cannot use its socket: {error}"),
            },
            Some(Command::Close(number)) => {
                if let Some(ending) = listeners.remove(&number) {
                    ending.send_replace(true);
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
    listeners: &HashMap<u32, watch::Sender<bool>>,
    grace: Duration,
) {
    for ending in listeners.values() {
        ending.send_replace(true);
    }
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

/// Takes connections until told to end; then those that wait already, and no more.
async fn accept(
    worker: Rc<Worker>,
    number: u32,
    socket: TcpListener,
    mut ending: watch::Receiver<bool>,
) {
    let told = ending.clone();
    let serve = |(stream, client): (TcpStream, SocketAddr)| {
        let arrival = Arrival { worker: Rc::clone(&worker), number, client, ending: told.clone() };
        spawn_local(arrival.serve(stream));
    };
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        match accepted {
            Ok(accepted) => serve(accepted),
            Err(error) if is_of_the_client(&error) => debug!("a client went at once: {error}"),
            Err(error) => {
                warn!("cannot take a connection: {error}; raise the limit of open files");
                sleep(BREATH).await;
            }
        }
    }
    while let Ok(Ok(accepted)) = timeout(Duration::ZERO, socket.accept()).await {
        serve(accepted);
    }
}

/// Errors of accept(2) that are about the connection, not about us.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
