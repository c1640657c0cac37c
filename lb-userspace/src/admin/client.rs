//! Calls the API of a running daemon.

mod lines;
#[cfg(test)]
mod tests;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{net::UnixStream, time};

pub use self::lines::Lines;
use super::{BODY_LIMIT, types::Refusal};

/// How long a call may take altogether. The longest is a full configuration being applied.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a call came to nothing: a line for each problem, which says what to do.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There is no socket.
    #[error(
        "the daemon is not running (no socket at {}); start it with `shunt run --config FILE`, or name its socket with --socket",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Nobody listens on the socket.
    #[error(
        "the daemon has ended (nobody answers on {}); start it with `shunt run --config FILE`, or name its socket with --socket",
        path.display()
    )]
    Ended {
        /// The socket.
        path: PathBuf,
    },
    /// The socket's mode keeps us out.
    #[error("no permission to use {}; run as root or join the group that owns the socket", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// The socket cannot be used for another reason.
    #[error("cannot connect to {}: {reason}; name the daemon's socket with --socket", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// More than the daemon takes.
    #[error("a body of {size} bytes is more than the {BODY_LIMIT} that the daemon takes; split it")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The daemon refused.
    #[error("{}", errors.join("\n"))]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// The daemon's own lines.
        errors: Vec<String>,
    },
    /// What came back is not an answer.
    #[error(
        "no proper answer on {}: {what}; see the daemon's log, and whether `shunt --version` is the version of the daemon",
        path.display()
    )]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No answer came in time.
    #[error(
        "no answer on {} within {} s, so it is unknown what was done; look at `shunt status` and the daemon's log",
        path.display(), patience.as_secs()
    )]
    Slow {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        patience: Duration,
    },
}

impl ClientError {
    /// Whether no daemon is there to be asked.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Ended { .. })
    }
}

/// Calls one daemon, with a new connection for each call.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

impl Client {
    /// A client of the daemon that listens on `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, patience: PATIENCE }
    }

    /// The socket it calls.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for what is at a path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, Vec::new()).await
    }

    /// Sends a body to a path. Calls without a body take `&()`.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.protocol(&error))?;
        if body.len() > BODY_LIMIT {
            return Err(ClientError::TooLarge { size: body.len() });
        }
        self.call(method, path, body).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let slow = |_| ClientError::Slow { path: self.socket.clone(), patience: self.patience };
        let exchange = self.exchange(method, path, body);
        let (status, body) = time::timeout(self.patience, exchange).await.map_err(slow)??;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|error| self.protocol(&error));
        }
        Err(self.refused(status, &body))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice(body) {
            Ok(Refusal { errors }) => ClientError::Refused { status, errors },
            Err(_) => self.protocol(&format!("status {status}")),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let answer = self.open(method, path, body).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| self.protocol(&error))?;
        Ok((status, body.to_bytes()))
    }

    /// Sends a request; the answer's body is still to come.
    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unconnected(e))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| self.protocol(&error))?;
        converse(stream, request).await.map_err(|error| self.protocol(&error))
    }

    fn unconnected(&self, reason: io::Error) -> ClientError {
        let path = self.socket.clone();
        match reason.kind() {
            ErrorKind::NotFound => ClientError::Missing { path },
            ErrorKind::ConnectionRefused => ClientError::Ended { path },
            ErrorKind::PermissionDenied => ClientError::Denied { path },
            _ => ClientError::Connect { path, reason },
        }
    }

    fn protocol(&self, what: &impl ToString) -> ClientError {
        ClientError::Protocol { path: self.socket.clone(), what: what.to_string() }
    }
}

async fn converse(
    stream: UnixStream,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends by itself when `sender` is dropped; its errors reach us through the answer.
    tokio::spawn(connection);
    sender.send_request(request).await
}
