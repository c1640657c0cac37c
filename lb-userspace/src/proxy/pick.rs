//! From a pool to a place at one of its backends, which may have to be waited for.

use std::{
    net::IpAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use hyper::{HeaderMap, header::COOKIE};
use tokio::time::{Instant, timeout_at};

use super::{
    balance::{Field, hash_of_bytes, hash_of_client, least, random, two_choices},
    clock,
    failure::Failure,
    shared::PoolShared,
    snapshot::{Choice, Pool},
    table::cookie,
    upstream::Place,
    worker::Worker,
};
use crate::model::upstream::{Balance, HashKey};

/// What the choice of a backend depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// The hash of what is hashed.
    hash: u32,
    /// The backend that the client's cookie names.
    pub(super) sticky: Option<usize>,
}

impl Wish {
    /// The wish of a request.
    pub(super) fn new(pool: &Pool, seed: u64, headers: &HeaderMap, client: IpAddr) -> Self {
        let sticky = pool.sticky.as_ref().and_then(|sticky| sticky.backend(headers));
        let hash = match &pool.settings.balance {
            Balance::Hash(HashKey::Client) => hash_of_client(seed, client),
            Balance::Hash(HashKey::Header(name)) => headers.get(name).map_or_else(
                || hash_of_client(seed, client),
                |value| hash_of_bytes(seed, value.as_bytes()),
            ),
            Balance::Hash(HashKey::Cookie(name)) => {
                let mut all = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
                all.find_map(|header| cookie(header, name.as_str())).map_or_else(
                    || hash_of_client(seed, client),
                    |value| hash_of_bytes(seed, value.as_bytes()),
                )
            }
            _ => 0,
        };
        Self { hash, sticky }
    }
}

/// What came of looking for a backend.
enum Found {
    Backend(usize),
    /// All have their most.
    Full,
    Nothing,
}

/// A place at a backend of a pool, and which one it is. Those in `tried` get it only if there is no other.
pub(super) async fn place(
    worker: &Worker,
    pool: &Arc<Pool>,
    wish: Wish,
    tried: &[u64],
) -> Result<(usize, Place), Failure> {
    match taken(worker, pool, wish, tried)? {
        Some(taken) => Ok(taken),
        None => queue(worker, pool, wish, tried).await,
    }
}

/// A place that is free; none if all have their most.
fn taken(
    worker: &Worker,
    pool: &Arc<Pool>,
    wish: Wish,
    tried: &[u64],
) -> Result<Option<(usize, Place)>, Failure> {
    loop {
        let nth = match find(worker, pool, wish, tried) {
            Found::Nothing => return Err(Failure::NoBackend { pool: pool.name.clone() }),
            Found::Full => return Ok(None),
            Found::Backend(nth) => nth,
        };
        let backend = pool.backends.get(nth);
        let place = backend.and_then(|it| Place::take(it, &pool.shared, pool.most()));
        // If not, another worker was faster.
        if let Some(place) = place {
            return Ok(Some((nth, place)));
        }
    }
}

/// Waits for a place.
async fn queue(
    worker: &Worker,
    pool: &Arc<Pool>,
    wish: Wish,
    tried: &[u64],
) -> Result<(usize, Place), Failure> {
    let settings = &pool.settings;
    let deadline = Instant::now() + settings.queue_timeout;
    let _ticket = Ticket::take(&pool.shared, settings.queue)
        .ok_or_else(|| Failure::QueueFull { pool: pool.name.clone(), queue: settings.queue })?;
    loop {
        let mut freed = pin!(pool.shared.freed.notified());
        // Who looks after it has queued up misses no place that becomes free.
        freed.as_mut().enable();
        if let Some(taken) = taken(worker, pool, wish, tried)? {
            return Ok(taken);
        }
        let time = settings.queue_timeout;
        let late = |_| Failure::QueueTimeout { pool: pool.name.clone(), time };
        timeout_at(deadline, freed).await.map_err(late)?;
    }
}

/// A place in the queue of a pool.
struct Ticket<'a>(&'a PoolShared);

impl<'a> Ticket<'a> {
    fn take(pool: &'a PoolShared, most: u32) -> Option<Self> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let taken = pool.waiting.fetch_add(1, Relaxed) < most;
        let ticket = Self(pool);
        taken.then_some(ticket)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

fn find(worker: &Worker, pool: &Arc<Pool>, wish: Wish, tried: &[u64]) -> Found {
    let now = clock::now();
    // When all are out because they failed, none is: it may be something else that failed.
    for spares_outliers in [true, false] {
        let choice = Choice { pool, now, tried, spares_outliers, spares_full: true };
        if let Some(nth) = pick(worker, pool, wish, &choice) {
            return Found::Backend(nth);
        }
        let choice = Choice { spares_full: false, ..choice };
        if (0..choice.len()).any(|nth| choice.usable(nth)) {
            return Found::Full;
        }
    }
    if tried.is_empty() { Found::Nothing } else { find(worker, pool, wish, &[]) }
}

fn pick(worker: &Worker, pool: &Arc<Pool>, wish: Wish, choice: &Choice<'_>) -> Option<usize> {
    if let Some(nth) = wish.sticky
        && choice.usable(nth)
    {
        return Some(nth);
    }
    let mut draw = |below| worker.draw(below);
    match (&pool.settings.balance, &pool.ring) {
        (Balance::Hash(_), Some(ring)) => ring.owner(wish.hash, choice),
        (Balance::LeastRequests, _) => {
            let start = draw(choice.len().max(1) as u64);
            least(choice, usize::try_from(start).unwrap_or_default())
        }
        (Balance::TwoChoices, _) => two_choices(choice, &mut draw),
        (Balance::Random, _) => random(choice, &mut draw),
        _ => worker.turn(pool, choice),
    }
}
