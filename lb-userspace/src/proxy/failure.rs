//! Why a request got no answer from a backend: whose fault it was, what the client is told, and whether
//! the request may be sent again.

use std::{io, net::SocketAddr, time::Duration};

use hyper::StatusCode;
use thiserror::Error;

use super::{body::Cut, upstream::Trouble};
use crate::model::{Name, duration::text};

/// Whose fault it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The client's.
    Client,
    /// The backend's, or that of the way to it.
    Upstream,
    /// That of the balancer or its configuration.
    Ours,
}

/// See the module.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// There is no backend.
    #[error("pool {pool} has no backend that takes requests; look at `shunt pool show {pool}`")]
    NoBackend {
        /// The pool.
        pool: Name,
    },
    /// Every backend has its most, and so has the queue.
    #[error(
        "every backend of pool {pool} has its `max-connections`, and {queue} requests wait already; add backends, or raise one of the two"
    )]
    QueueFull {
        /// The pool.
        pool: Name,
        /// Places of the queue.
        queue: u32,
    },
    /// No place became free in time.
    #[error(
        "no backend of pool {pool} had a place within {}, the `queue-timeout`; add backends, or raise `max-connections`", text(*time)
    )]
    QueueTimeout {
        /// The pool.
        pool: Name,
        /// How long was waited.
        time: Duration,
    },
    /// No connection.
    #[error("backend {backend}: no connection: {source}; see whether it runs and listens there")]
    Connect {
        /// The backend.
        backend: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// No connection in time.
    #[error(
        "backend {backend}: no connection within {}, the `connect-timeout`; see whether it runs, and the way to it", text(*time)
    )]
    ConnectTimeout {
        /// The backend.
        backend: SocketAddr,
        /// How long was waited.
        time: Duration,
    },
    /// No session of TLS.
    #[error(
        "backend {backend}: no TLS session: {source}; see its certificate, and `tls` of its pool"
    )]
    Tls {
        /// The backend.
        backend: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// No answer, or none that is HTTP.
    #[error("backend {backend}: no proper answer: {source}; see its log")]
    Exchange {
        /// The backend.
        backend: SocketAddr,
        /// The reason.
        #[source]
        source: Trouble,
    },
    /// No answer in time.
    #[error(
        "backend {backend}: no answer within {}, the `first-byte-timeout`; see its log, or allow more", text(*time)
    )]
    FirstByte {
        /// The backend.
        backend: SocketAddr,
        /// How long was waited.
        time: Duration,
    },
    /// The backend takes no more of the request.
    #[error(
        "backend {backend}: took nothing of the request for {}, the `idle-timeout`; see its log, or allow more", text(*time)
    )]
    Stuck {
        /// The backend.
        backend: SocketAddr,
        /// How long was waited.
        time: Duration,
    },
    /// The client sends no more of its request.
    #[error("the client sent nothing of its request for {}, the `idle-timeout`", text(*time))]
    Silent {
        /// How long was waited.
        time: Duration,
    },
    /// The client's body is damaged.
    #[error("the client's request broke off: {source}")]
    Broken {
        /// The reason.
        #[source]
        source: Trouble,
    },
    /// The client's body is too large.
    #[error("the client's request has more than {most} bytes, the `max-body`")]
    TooLarge {
        /// How many it may have.
        most: u64,
    },
    /// It took too long altogether.
    #[error("the request took longer than {}, the `total-timeout` of pool {pool}", text(*time))]
    Total {
        /// The pool.
        pool: Name,
        /// How long it may take.
        time: Duration,
    },
    /// The client wants to change the protocol, which HTTP/2 has no way to.
    #[error(
        "the client asks to change the protocol (WebSocket), and pool {pool} speaks HTTP/2 only; send such requests to a pool of `protocol = \"h1\"`, or of \"auto\" with `tls`"
    )]
    NoUpgrade {
        /// The pool.
        pool: Name,
    },
    /// The backend changed the protocol unasked.
    #[error(
        "backend {backend}: switched protocols, which the request had not asked for; see what it runs"
    )]
    Switched {
        /// The backend.
        backend: SocketAddr,
    },
}

impl Failure {
    /// Whose fault it was.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Silent { .. } | Self::Broken { .. } | Self::TooLarge { .. } => Fault::Client,
            Self::NoBackend { .. }
            | Self::QueueFull { .. }
            | Self::QueueTimeout { .. }
            | Self::NoUpgrade { .. } => Fault::Ours,
            Self::Connect { source, .. } if is_ours(source) => Fault::Ours,
            _ => Fault::Upstream,
        }
    }

    /// What the client is told.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoBackend { .. } | Self::QueueFull { .. } | Self::QueueTimeout { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::ConnectTimeout { .. }
            | Self::FirstByte { .. }
            | Self::Stuck { .. }
            | Self::Total { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Silent { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NoUpgrade { .. } => StatusCode::NOT_IMPLEMENTED,
            Self::Broken { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Exchange { .. }
            | Self::Switched { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    /// Whether the backend has certainly seen nothing of the request, so that any may be sent again.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::ConnectTimeout { .. } | Self::Tls { .. })
    }

    /// Whether it makes sense to try another backend with a request that may be sent twice.
    pub(super) fn may_differ_elsewhere(&self) -> bool {
        self.is_unsent() || matches!(self, Self::Exchange { .. } | Self::FirstByte { .. })
    }
}

impl From<Cut> for Failure {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Broken(source) => Self::Broken { source },
            Cut::TooLarge(most) => Self::TooLarge { most },
        }
    }
}

/// Errors of connecting that are about this host.
fn is_ours(error: &io::Error) -> bool {
    const OURS: [i32; 5] =
        [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| OURS.contains(&code))
}
