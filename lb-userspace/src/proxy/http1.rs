//! HTTP/1, on both sides: what clients ask ([`Serving`]), and what backends are asked ([`Connection`]).
//!
//! hyper, which speaks HTTP/2 here, could do this too, and did. But a library must run a backend's connection as a task
//! of its own, which a request is handed to and the answer comes back from, and take messages by value; that was
//! half of what a small request cost a proxy in user time. Here the task that has a request writes to the sockets
//! and reads from them itself, and a head is written from where it is, so that it can be sent again without a copy.
//!
//! Lines are parsed by `httparse`, as in hyper. What clients send has passed the scanner of raw bytes before
//! ([`strict`](super::strict)), which says when a head is complete; where a body ends is told by one reader for both sides
//! ([`framing`]), and written by one writer ([`sending`]).

mod answer;
mod asking;
mod buffer;
mod error;
mod fields;
mod framing;
mod head;
mod outgoing;
mod raw;
mod request;
mod sending;
mod serving;
#[cfg(test)]
mod tests;
mod wire;

use hyper::StatusCode;
use tokio::io::AsyncRead;

pub(super) use self::{
    asking::Connection, error::Error, outgoing::Outlet, raw::Raw, serving::Serving,
    wire::RequestBody,
};

/// What somebody is connected by.
pub(super) trait Stream: AsyncRead + Outlet {}

impl<S: AsyncRead + Outlet> Stream for S {}

/// Whether an answer of this status is the last of HTTP on its connection.
const fn switches(status: StatusCode) -> bool {
    status.as_u16() == StatusCode::SWITCHING_PROTOCOLS.as_u16()
}
