//! What was read of a connection and is yet to be taken.

use std::{
    io,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::proxy::body::ROOM;

/// Bytes that there is room for at first. A head and a small body fit.
const FIRST: usize = 8 << 10;
/// With less room than this nothing is read before there is more.
const LEAST: usize = 1 << 10;

/// See the module.
pub(super) struct Buffer {
    pub(super) bytes: BytesMut,
    /// Bytes to make room for. It grows while all of it is filled at once, as by a large body.
    step: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: BytesMut::new(), step: FIRST }
    }
}

impl Buffer {
    /// Reads more; how many bytes that is. At the end of the stream it is none.
    pub(super) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < LEAST {
            self.bytes.reserve(self.step);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let read = ready!(pin!(stream.read_buf(&mut self.bytes)).poll(cx))?;
        if read == room {
            self.step = (2 * self.step).min(ROOM);
        }
        Poll::Ready(Ok(read))
    }
}
