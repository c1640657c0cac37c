//! The body of an answer as it comes from a backend, of either version of HTTP.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use thiserror::Error;

use super::Sender;
use crate::proxy::http1::{self, Connection, Raw};

/// See the module.
pub(in crate::proxy) enum Received {
    /// The connection that it comes by.
    Http1(Box<Connection>),
    /// A stream of one.
    Http2(Incoming),
}

/// What goes wrong between a request and the end of its answer.
#[derive(Debug, Error)]
pub(in crate::proxy) enum Trouble {
    #[error(transparent)]
    Http1(#[from] http1::Error),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

impl Received {
    /// Sends more of what is left of the request, while nothing of the answer is asked for. hyper does so by itself.
    pub(in crate::proxy) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Self::Http1(connection) = self {
            connection.poll_upload(cx);
        }
    }

    /// The connection, if it is one that another request can be sent by now.
    pub(super) fn into_sender(self) -> Option<Sender> {
        match self {
            Self::Http1(connection) => connection.can_go_on().then_some(Sender::One(connection)),
            // It is kept from its beginning on.
            Self::Http2(_) => None,
        }
    }

    /// The connection, when what comes is not HTTP any more. HTTP/2 has no such change.
    pub(in crate::proxy) fn into_raw(self) -> Option<Raw> {
        match self {
            Self::Http1(connection) => Some(connection.into_raw()),
            Self::Http2(_) => None,
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Trouble;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        match self.get_mut() {
            Self::Http1(connection) => {
                connection.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Http2(body) => {
                let polled = Pin::new(body).poll_frame(cx);
                polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_over(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(connection) => connection.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

impl Trouble {
    /// Whether the backend may have closed the connection before the request had arrived.
    pub(in crate::proxy) fn may_be_stale(&self) -> bool {
        match self {
            Self::Http1(error) => error.may_be_stale(),
            Self::Http2(error) => broke_off(error),
        }
    }
}

/// Whether the backend closed the connection before it said anything.
fn broke_off(error: &hyper::Error) -> bool {
    use std::{error::Error, io};
    let reset = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    };
    error.is_incomplete_message()
        || error.is_canceled()
        || error.source().and_then(|it| it.downcast_ref()).is_some_and(reset)
}
