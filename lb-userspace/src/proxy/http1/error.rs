//! What goes wrong on a connection of HTTP/1.

use std::io;

use thiserror::Error;

use crate::proxy::body::BodyError;

/// See the module.
#[derive(Debug, Error)]
pub(in crate::proxy) enum Error {
    /// Nothing came.
    #[error("the connection was closed before the answer")]
    Closed,
    /// Not all came.
    #[error("the connection was closed in the middle of the answer")]
    Incomplete,
    /// The client's end of its connection.
    #[error("the connection was closed in the middle of the request")]
    HalfRequest,
    /// The connection.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The client's part of it.
    #[error("the request broke off: {0}")]
    Request(#[source] BodyError),
    /// No answer of HTTP/1.1.
    #[error("malformed head: {0}")]
    Head(#[source] httparse::Error),
    /// More than anybody needs.
    #[error("the head has more than {0} bytes")]
    LongHead(usize),
    /// The length of the body cannot be told (RFC 9112 section 6.3).
    #[error("malformed {0}")]
    Framing(&'static str),
}

impl Error {
    /// Whether the connection may have been closed before the request had arrived.
    pub(in crate::proxy) fn may_be_stale(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match self {
            Self::Closed => true,
            Self::Broken(error) => {
                matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe)
            }
            _ => false,
        }
    }
}
