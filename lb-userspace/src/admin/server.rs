//! Serves the API on the daemon's Unix socket.
//!
//! Each connection is a task that ends by itself: a client that stops sending or reading is cut off
//! after a while, and connections beyond [`MAX_CONNECTIONS`] wait. Who may call is decided by the
//! mode of the socket alone, so there is no authentication here.

mod answer;
mod body;
mod query;
mod route;
mod socket;
mod stream;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    time,
};
use tracing::{debug, warn};

pub use self::socket::{BindError, bind};
use self::stream::Streaming;
use super::Request;

/// Connections served at a time.
const MAX_CONNECTIONS: u32 = 64;

/// Pause after the kernel refused a connection, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For the head of a request, the wait for it included.
    head: Duration,
    /// For the body of a request.
    body: Duration,
    /// For all requests of a connection together.
    connection: Duration,
    /// For a last answer to be taken, once the connection shall end.
    farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            connection: Duration::from_mins(5),
            farewell: Duration::from_secs(10),
        }
    }
}

/// Answers calls until the receiver of `requests` is dropped or closed, and returns when the
/// answers under way have been taken.
pub async fn serve(listener: UnixListener, requests: mpsc::Sender<Request>) {
    serve_with(listener, requests, Patience::default()).await;
}

async fn serve_with(listener: UnixListener, requests: mpsc::Sender<Request>, patience: Patience) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = requests.closed() => break,
        };
        let Some((stream, place)) = accepted else {
            time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let requests = requests.clone();
        tokio::spawn(async move {
            connection(stream, requests, patience).await;
            drop(place);
        });
    }
    drop(listener);
    // Each connection ends within this time, too, and then gives its place back.
    let all_ended = places.acquire_many(MAX_CONNECTIONS);
    _ = time::timeout(patience.farewell, all_ended).await;
}

/// The next connection and its place among those served, or nothing when the kernel refused.
async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> Option<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            warn!(%error, "cannot accept a connection to the admin socket; trying again");
            None
        }
    }
}

async fn connection(stream: UnixStream, requests: mpsc::Sender<Request>, patience: Patience) {
    let streaming = Streaming::default();
    let service = service_fn(|call| {
        let (requests, streaming) = (&requests, &streaming);
        async move {
            Ok::<_, Infallible>(answer::answer(call, requests, patience.body, streaming).await)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    tokio::select! {
        result = served.as_mut() => {
            if let Err(error) = result {
                debug!(%error, "a connection to the admin socket failed");
            }
            return;
        }
        () = requests.closed() => {}
        () = streaming.grows_old(patience.connection) => {}
    }
    served.as_mut().graceful_shutdown();
    _ = time::timeout(patience.farewell, served).await;
}
