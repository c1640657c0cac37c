//! Connections that are passed on without being read: TCP, and TLS of which only the name is read that
//! the client asks for.

mod hello;

use std::{
    io,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use hyper::{HeaderMap, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tracing::debug;

use self::hello::Hello;
use super::{
    access_log::{Asker, Noted},
    clock::{milliseconds, now},
    connection::Seat,
    failure::{Failure, Fault},
    pick::{Wish, place},
    snapshot::{Backend, Listener, Pool},
    table::{Asked, host_name},
    tunnel,
    upstream::{Place, dial},
    worker::Worker,
};
use crate::{model::ListenerProtocol, proxy_protocol::Ends};

/// Passes a connection on, until both ends have ended.
pub(super) async fn serve(
    worker: &Rc<Worker>,
    listener: &Arc<Listener>,
    mut client: Seat,
    ends: Ends,
) {
    let from = ends.source;
    let (nth, client_ip) = (worker.nth, from.ip());
    let mut noted =
        Noted::connection(Asker { listener, worker: nth, client: client_ip, session: None });
    let (name, said) = match listener.protocol {
        ListenerProtocol::TlsPassthrough => {
            match timeout(listener.limits.handshake_timeout, hello(&mut client)).await {
                Ok(Ok(found)) => found,
                // Who speaks no TLS would not understand an answer either.
                Ok(Err(error)) => {
                    noted.is_refused("the client said no proper hello");
                    return debug!("listener {}: {from}: {error}", listener.name);
                }
                Err(_) => {
                    noted.is_refused("the client named no server in time");
                    return debug!("listener {}: {from} names no server", listener.name);
                }
            }
        }
        _ => (String::new(), Vec::new()),
    };
    noted.names(&name);
    let (method, headers) = (Method::GET, HeaderMap::new());
    let host = host_name(&name);
    let asked = Asked {
        method: &method,
        host: &host,
        path: "/",
        query: None,
        headers: &headers,
        client: client_ip,
    };
    let Some(route) = listener.rules.table.find(&asked, |_, _| ()) else {
        listener.shared.unrouted.fetch_add(1, Relaxed);
        noted.is_refused("no route");
        return;
    };
    if let Some(hits) = listener.rules.hits.get(route) {
        hits.fetch_add(1, Relaxed);
    }
    noted.takes(route);
    let Some(pool) = listener.pool(route, |below| worker.draw(below)) else {
        return noted.is_refused("no backend");
    };
    noted.goes_to(pool);
    let wish = Wish::new(pool, listener.seed, &headers, client_ip);
    match open(worker, pool, wish, &ends, &mut noted).await {
        Ok((mut server, place)) => {
            if server.write_all(&said).await.is_ok() {
                let limit = pool.settings.tunnel_timeout;
                tunnel::pass(client, server, limit, &mut noted).await;
                noted.receives(said.len());
            } else {
                noted.is_cut(&"the backend closed the connection at once");
            }
            drop(place);
        }
        Err(failure) => {
            noted.failed(&failure);
            worker.report(&listener.name, format_args!("a connection"), &failure);
        }
    }
}

/// A connection to a backend. Nothing of the client was sent when it cannot be opened, so another may be tried.
async fn open(
    worker: &Worker,
    pool: &Arc<Pool>,
    wish: Wish,
    ends: &Ends,
    noted: &mut Noted,
) -> Result<(TcpStream, Place), Failure> {
    let mut tried = Vec::new();
    loop {
        let (nth, place) = place(worker, pool, wish, &tried).await?;
        let Some(backend) = pool.backends.get(nth) else {
            return Err(Failure::NoBackend { pool: pool.name.clone() });
        };
        backend.shared.requests.fetch_add(1, Relaxed);
        noted.is_sent_to(backend.address);
        let was_out = backend.shared.outlier.is_out(now());
        match dial(pool, backend, pool.settings.connect_timeout, ends).await {
            Ok(stream) => {
                backend.shared.outlier.succeeded(was_out);
                return Ok((stream, place));
            }
            Err(failure) => {
                note(pool, backend, &failure);
                if tried.len() >= usize::from(pool.settings.retries) {
                    return Err(failure);
                }
                tried.push(backend.shared.id);
            }
        }
    }
}

fn note(pool: &Pool, backend: &Backend, failure: &Failure) {
    if failure.fault() == Fault::Upstream {
        backend.shared.failures.fetch_add(1, Relaxed);
        let settings = &pool.settings;
        let (limit, time) = (settings.eject_after, milliseconds(settings.eject_time));
        _ = backend.shared.outlier.failed(limit, time, now());
    }
}

/// The name that a client asks for, and all that it has said so far.
async fn hello(client: &mut Seat) -> io::Result<(String, Vec<u8>)> {
    let mut reader = Hello::default();
    let mut bytes = vec![0; 4096];
    loop {
        let read = client.read(&mut bytes).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(name) = reader.read(bytes.get(..read).unwrap_or_default())? {
            return Ok((name, reader.said()));
        }
    }
}
