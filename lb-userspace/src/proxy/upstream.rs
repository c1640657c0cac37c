//! Connections to backends: each worker opens its own, and keeps those that can be used again.

mod received;
mod sender;

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

pub(super) use self::{
    received::{Received, Trouble},
    sender::{Sender, Unanswered},
};
use super::{
    clock::{milliseconds, now},
    failure::Failure,
    shared::{BackendShared, PoolShared},
    snapshot::{Backend, Pool},
};
use crate::{
    model::upstream::Speaks,
    proxy_protocol::{Ends, Header, write},
};

/// Connections to one backend that a worker keeps.
const MOST_KEPT: usize = 128;
/// How long a connection is kept that nobody uses. Shorter than what servers keep theirs, so that they rarely
/// close one that is about to be used.
const KEPT: Duration = Duration::from_secs(30);

/// Connections without a request.
#[derive(Default)]
pub(super) struct Kept {
    by_backend: HashMap<u64, Vec<Idle>>,
    /// Those that have named a client: nobody else may use them.
    by_client: HashMap<Ends, Vec<Idle>>,
}

struct Idle {
    sender: Sender,
    since: u64,
    backend: Arc<BackendShared>,
}

impl Kept {
    /// A connection that can be used at once, the last one used first: those kept for longer need not be looked
    /// at. It has named `client`, or nobody.
    pub(super) fn take(
        &mut self,
        backend: &BackendShared,
        client: Option<&Ends>,
    ) -> Option<Sender> {
        let idle = match client {
            None => self.by_backend.get_mut(&backend.id)?,
            Some(client) => self.by_client.get_mut(client)?,
        };
        let mut place = idle.len();
        loop {
            place = place.checked_sub(1)?;
            let found = idle.get_mut(place)?;
            if client.is_some() && found.backend.id != backend.id {
                continue;
            }
            if found.sender.is_closed() {
                idle.remove(place);
            } else if found.sender.is_ready() {
                let Some(sender) = found.sender.another() else {
                    return Some(idle.remove(place).sender);
                };
                found.since = now();
                return Some(sender);
            }
        }
    }

    /// Keeps a connection for the next request; if it has named a client, for the next of that one.
    pub(super) fn put(
        &mut self,
        backend: &Arc<BackendShared>,
        client: Option<&Ends>,
        sender: Sender,
    ) {
        if backend.retired.load(Relaxed) {
            return;
        }
        let idle = match client {
            None => self.by_backend.entry(backend.id).or_default(),
            Some(client) => self.by_client.entry(*client).or_default(),
        };
        if idle.len() >= MOST_KEPT {
            idle.retain_mut(|idle| !idle.sender.is_closed());
        }
        if idle.len() < MOST_KEPT {
            idle.push(Idle { sender, since: now(), backend: Arc::clone(backend) });
        }
    }

    /// Closes what was kept for long enough, and all to backends that get no more requests.
    pub(super) fn prune(&mut self) {
        let oldest = now().saturating_sub(milliseconds(KEPT));
        let any_left = |idle: &mut Vec<Idle>| {
            idle.retain_mut(|idle| {
                !idle.sender.is_closed()
                    && idle.since >= oldest
                    && !idle.backend.retired.load(Relaxed)
            });
            !idle.is_empty()
        };
        self.by_backend.retain(|_, idle| any_left(idle));
        self.by_client.retain(|_, idle| any_left(idle));
    }

    /// Closes what was kept for a client, which is gone.
    pub(super) fn forget(&mut self, client: &Ends) {
        if !self.by_client.is_empty() {
            self.by_client.remove(client);
        }
    }
}

/// The place of a request at a backend.
pub(super) struct Place {
    backend: Arc<BackendShared>,
    pool: Arc<PoolShared>,
}

impl Place {
    /// Takes one, if there is one.
    pub(super) fn take(backend: &Backend, pool: &Arc<PoolShared>, most: u32) -> Option<Self> {
        let shared = &backend.shared;
        let taken = shared.enter(most);
        taken.then(|| Self { backend: Arc::clone(shared), pool: Arc::clone(pool) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.backend.leave();
        if self.pool.waiting.load(Relaxed) > 0 {
            self.pool.freed.notify_one();
        }
    }
}

/// A place, and where the connection is kept that the request is on.
pub(super) struct Lease {
    place: Place,
    /// The client that the connection has named.
    client: Option<Rc<Ends>>,
    kept: Rc<RefCell<Kept>>,
}

impl Lease {
    pub(super) fn new(place: Place, client: Option<Rc<Ends>>, kept: &Rc<RefCell<Kept>>) -> Self {
        Self { place, client, kept: Rc::clone(kept) }
    }

    /// The answer is complete, so its connection may be used again. Without this it is closed.
    pub(super) fn finish(self, received: Received) {
        if let Some(sender) = received.into_sender() {
            self.kept.borrow_mut().put(&self.place.backend, self.client.as_deref(), sender);
        }
    }
}

/// Opens a connection without saying more than whom it is for, if the pool says that.
pub(super) async fn dial(
    pool: &Pool,
    backend: &Backend,
    time: Duration,
    client: &Ends,
) -> Result<TcpStream, Failure> {
    let address = backend.address;
    let late = |_| Failure::ConnectTimeout { backend: address, time };
    let lost = |source| Failure::Connect { backend: address, source };
    let stream = timeout(time, TcpStream::connect(address)).await.map_err(late)?;
    let mut stream = stream.map_err(lost)?;
    // Small requests shall not wait for each other.
    _ = stream.set_nodelay(true);
    if let Some(version) = pool.settings.proxy_protocol {
        // It is the first that is sent, so there is room for it.
        stream.write_all(&write(version, &Header::Proxied(*client))).await.map_err(lost)?;
    }
    Ok(stream)
}

/// Opens a connection for requests; one of HTTP/1.1, whatever else is spoken, if `only_h1`.
pub(super) async fn connect(
    pool: &Pool,
    backend: &Backend,
    time: Duration,
    client: &Ends,
    only_h1: bool,
) -> Result<Sender, Failure> {
    let address = backend.address;
    let stream = dial(pool, backend, time, client).await?;
    let begun = match &pool.tls {
        None => Sender::begin(stream, !only_h1 && pool.settings.speaks == Speaks::H2).await,
        Some(tls) => {
            let late = |_| Failure::ConnectTimeout { backend: address, time };
            let session = timeout(time, tls.begin(stream, address, only_h1)).await.map_err(late)?;
            let (stream, h2) =
                session.map_err(|source| Failure::Tls { backend: address, source })?;
            Sender::begin(stream, h2).await
        }
    };
    begun.map_err(|source| Failure::Exchange { backend: address, source: source.into() })
}
