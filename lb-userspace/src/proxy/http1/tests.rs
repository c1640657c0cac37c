//! HTTP/1.1 as backends may speak it, and as they are spoken to.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod asking;
mod chunks;
mod clients;
mod heads;
mod judged;
mod outgoing;
mod peer;
mod plain;
mod sending;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use hyper::{Method, Request, Response, StatusCode, body::Bytes, http::response::Parts};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    asking::Unanswered,
    fields::{MOST, Spans},
    framing::{Chunk, Framing, Piece},
    head::Head,
    sending::Sending,
    *,
};
use crate::proxy::body::{Outbound, ROOM};

/// The head that these bytes begin with, and what follows it.
fn head_of(bytes: &[u8], method: &Method) -> Result<Option<(Head, BytesMut)>, Error> {
    let mut read = BytesMut::from(bytes);
    let head = head::parse(&mut read, &mut Spans::new(), method)?;
    Ok(head.map(|head| (head, read)))
}
