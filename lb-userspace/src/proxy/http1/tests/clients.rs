//! Requests as clients send them, and time for what is done with them.

use std::{convert::Infallible, future::pending, time::Duration};

use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::{LocalSet, spawn_local},
    time::timeout,
};

use super::*;
use crate::proxy::{
    body::{ClientBody, Upload},
    headers::strip_hop_by_hop,
};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client's connection.
pub(super) struct Client {
    stream: DuplexStream,
    requests: UnboundedReceiver<Request<Outbound>>,
}

impl Client {
    pub(super) fn new() -> Self {
        let (stream, ours) = duplex(1 << 20);
        let (found, requests) = unbounded_channel();
        let service = service_fn(move |request: Request<Incoming>| {
            let request = request.map(Upload::Http2);
            let request = ClientBody::of(request, None, None);
            let mut request = request.map(|body| Outbound::new(body).0);
            strip_hop_by_hop(request.headers_mut());
            _ = found.send(request);
            pending::<Result<Response<Empty<Bytes>>, Infallible>>()
        });
        spawn_local(http1::Builder::new().serve_connection(TokioIo::new(ours), service));
        Self { stream, requests }
    }

    pub(super) async fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The request that begins with these bytes. They need not be all of it.
    pub(super) async fn asks(&mut self, bytes: impl AsRef<[u8]>) -> Request<Outbound> {
        self.sends(bytes).await;
        self.requests.recv().await.unwrap()
    }
}

/// Does what must come to its end.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async { timeout(PATIENCE, work).await.unwrap() })
}
