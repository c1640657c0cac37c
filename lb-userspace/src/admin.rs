//! The HTTP API: JSON over a Unix socket.
//!
//! The server holds no state: each call becomes a [`Request`] to the daemon's event loop, which
//! answers through the channel that the request carries.

pub mod client;
#[cfg(test)]
pub(crate) mod fixture;
pub mod server;
pub mod trace;
pub mod types;

use hyper::body::Bytes;
use tokio::sync::{mpsc, oneshot};

use self::{
    trace::TraceQuery,
    types::{Apply, Changed, FlowView, RouteView, Status},
};
use crate::model::{Change, FlowQuery, Name, Prefix, RequestQuery, Rule};

/// Largest body of a call, in bytes: a configuration with every table full is smaller.
pub const BODY_LIMIT: usize = 16 << 20;

/// What the API asks of the event loop.
#[derive(Debug)]
pub enum Request {
    /// The daemon at a glance; every listing is a part of it.
    Status {
        /// Where the answer goes.
        reply: oneshot::Sender<Box<Status>>,
    },
    /// Which backend a flow gets.
    Flow {
        /// The flow.
        query: FlowQuery,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<FlowView, RequestError>>,
    },
    /// Which route a request would take.
    Route {
        /// The request.
        query: RequestQuery,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<RouteView, RequestError>>,
    },
    /// The prefixes in a list of a service.
    Sources {
        /// The service.
        service: Name,
        /// Which of its lists.
        list: Rule,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Vec<Prefix>, RequestError>>,
    },
    /// What becomes of packets, as it happens.
    Trace {
        /// Which packets.
        query: TraceQuery,
        /// Where the answer goes: the lines that are still to come.
        reply: oneshot::Sender<Result<mpsc::Receiver<Bytes>, RequestError>>,
    },
    /// Changes to make, all or none.
    Change {
        /// The changes.
        changes: Vec<Change>,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Changed, RequestError>>,
    },
    /// A configuration to bring about.
    Apply {
        /// The configuration.
        apply: Apply,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Changed, RequestError>>,
    },
    /// Open the access logs anew.
    Reopen {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Changed, RequestError>>,
    },
    /// Remove programs, maps and addresses, and end.
    Detach {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Changed, RequestError>>,
    },
}

/// Why a request was refused; decides the HTTP status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestError {
    /// 404: what it names does not exist.
    NotFound(String),
    /// 409: it contradicts what is there.
    Conflict(String),
    /// 422: it breaks a rule, or the configuration is wrong; one line a problem.
    Invalid(Vec<String>),
    /// 500: the kernel refused.
    Failed(String),
}
