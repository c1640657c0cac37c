//! One probe: a connection, and a request if need be, before a deadline.
//!
//! The words of an outcome are for people who want to know why a backend is down; they say how far
//! the probe came.

mod http;
#[cfg(test)]
mod tests;
mod tls;

use std::{error::Error, io, net::SocketAddr, time::Duration};

use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Instant, timeout_at},
};

use self::{http::Request, tls::Tls};
use super::{CheckError, board::Outcome, check::Check};
use crate::{
    model::{
        Name, duration,
        health::{HttpsProbe, Probe},
        upstream::ProxyProtocol,
    },
    proxy_protocol::{Ends, Header, write},
};

/// Probes backends of one pool.
pub(super) struct Prober {
    check: Check,
    kind: Kind,
}

enum Kind {
    Tcp,
    Http(Request),
    Https(Request, Tls),
}

/// Why a probe came to nothing.
#[derive(Debug)]
enum Failure {
    /// The backend failed.
    Backend(String),
    /// We failed.
    Ours(String),
}

/// When a probe has failed, and how long it had.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Prober {
    pub(super) fn new(pool: &Name, check: &Check) -> Result<Self, CheckError> {
        let kind = match &check.health.probe {
            Probe::Tcp => Kind::Tcp,
            Probe::Http(request) => Kind::Http(Request::new(request)),
            Probe::Https(HttpsProbe { request, ca }) => {
                let tls = Tls::new(request.host.as_ref(), ca.as_deref());
                let tls = tls.map_err(|reason| CheckError::Ca {
                    pool: pool.clone(),
                    path: ca.clone().unwrap_or_default(),
                    reason,
                })?;
                Kind::Https(Request::new(request), tls)
            }
        };
        Ok(Self { check: check.clone(), kind })
    }

    pub(super) fn interval(&self) -> Duration {
        self.check.health.interval
    }

    /// Probes a backend once.
    pub(super) async fn probe(&self, backend: SocketAddr) -> Outcome {
        let allowed = self.check.health.timeout;
        let deadline = Deadline { at: Instant::now() + allowed, allowed };
        match self.attempt(self.check.health.target(backend), deadline).await {
            Ok(result) => Outcome::Passed(result),
            Err(Failure::Backend(reason)) => Outcome::Failed(reason),
            Err(Failure::Ours(reason)) => Outcome::Skipped(reason),
        }
    }

    async fn attempt(&self, target: SocketAddr, deadline: Deadline) -> Result<String, Failure> {
        let stream = deadline.of("connection", TcpStream::connect(target)).await?;
        let mut stream = stream.map_err(|error| Failure::of_connection(&error))?;
        if let Some(version) = self.check.proxy_protocol {
            let sent = stream.write_all(&header(version, &stream, target)).await;
            sent.map_err(|error| Failure::of_talk("no PROXY header taken", &error))?;
        }
        match &self.kind {
            Kind::Tcp => Ok("connected".to_owned()),
            Kind::Http(request) => request.send(stream, target, deadline).await,
            Kind::Https(request, tls) => {
                let stream = tls.begin(stream, target, deadline).await?;
                request.send(stream, target, deadline).await
            }
        }
    }
}

/// Says that a probe is for nobody but us. In version 1 that is said by our own addresses: `UNKNOWN` is not always
/// accepted (`proxy-protocol.txt` section 2.1).
fn header(version: ProxyProtocol, stream: &TcpStream, target: SocketAddr) -> Vec<u8> {
    let own = match version {
        ProxyProtocol::V1 => stream.local_addr().ok(),
        ProxyProtocol::V2 => None,
    };
    write(version, &own.map_or(Header::Own, |own| Header::Proxied(Ends::new(own, target))))
}

impl Deadline {
    /// Waits for something that must be there in time.
    async fn of<T>(self, what: &str, future: impl Future<Output = T>) -> Result<T, Failure> {
        let late =
            |_| Failure::Backend(format!("no {what} within {}", duration::text(self.allowed)));
        timeout_at(self.at, future).await.map_err(late)
    }
}

impl Failure {
    /// Of opening a connection. Some errors are about this host.
    fn of_connection(error: &io::Error) -> Self {
        const OURS: [i32; 5] =
            [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
        match error.raw_os_error() {
            Some(code) if OURS.contains(&code) => Self::Ours(format!("cannot probe: {error}")),
            _ => Self::Backend(words(error)),
        }
    }

    /// Of what was said over a connection.
    fn of_talk(what: &str, error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>().filter(|e| e.get_ref().is_none())
            {
                return Self::Backend(format!("{what}: {}", words(error)));
            }
            cause = error.source();
        }
        Self::Backend(format!("{what}: {error}"))
    }
}

/// An error without the number that the standard library puts behind it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default().to_owned();
    // The C library begins with a capital letter.
    if error.raw_os_error().is_some() { words.to_lowercase() } else { words }
}
