//! Where a body ends (RFC 9112 sections 6 and 7.1).

use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use httparse::Status;
use hyper::{
    HeaderMap,
    body::{Bytes, Frame, SizeHint},
};
use tokio::io::AsyncRead;

use super::{
    buffer::Buffer,
    error::Error,
    fields::{self, Spans},
};
use crate::proxy::body::ROOM;

/// What of a body is yet to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunks(Chunk),
    /// All until the connection ends.
    Close,
    /// Nothing.
    Over,
}

/// What is next where there are chunks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Chunk {
    /// The size of one.
    Size,
    /// So many bytes of it.
    Data(u64),
    /// The end of its line.
    End,
    /// What follows the last.
    Trailers,
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Framing {
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Over | Self::Length(0))
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Over => SizeHint::with_exact(0),
            Self::Chunks(_) | Self::Close => SizeHint::default(),
        }
    }

    /// Takes what is next of what was read. Nothing if more must be read, or it is over.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Option<Piece>, Error> {
        loop {
            let (next, piece) = match *self {
                Self::Over => return Ok(None),
                Self::Close => (Self::Close, take(read, u64::MAX).0),
                Self::Length(left) => {
                    let (piece, left) = take(read, left);
                    (Self::Length(left), piece)
                }
                Self::Chunks(Chunk::Data(left)) => {
                    let (piece, left) = take(read, left);
                    let next = if left == 0 { Chunk::End } else { Chunk::Data(left) };
                    (Self::Chunks(next), piece)
                }
                Self::Chunks(Chunk::Size) => match size(read)? {
                    None => return Ok(None),
                    Some(0) => (Self::Chunks(Chunk::Trailers), None),
                    Some(size) => (Self::Chunks(Chunk::Data(size)), None),
                },
                Self::Chunks(Chunk::End) => match line_end(read)? {
                    None => return Ok(None),
                    Some(()) => (Self::Chunks(Chunk::Size), None),
                },
                Self::Chunks(Chunk::Trailers) => match trailers(read)? {
                    None => return Ok(None),
                    Some(none) if none.is_empty() => (Self::Over, None),
                    Some(trailers) => (Self::Over, Some(Piece::Trailers(trailers))),
                },
            };
            let stays = next == *self;
            *self = next;
            if piece.is_some() || stays {
                return Ok(piece);
            }
        }
    }

    /// The connection has ended.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if *self != Self::Close && !self.is_over() {
            return Err(Error::Incomplete);
        }
        *self = Self::Over;
        Ok(())
    }
}

/// More of a body, from what was read or can be.
pub(super) fn poll_frame<S: AsyncRead + Unpin>(
    framing: &mut Framing,
    read: &mut Buffer,
    stream: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
    loop {
        match framing.next(&mut read.bytes)? {
            Some(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::Trailers(trailers)) => {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            None if framing.is_over() => return Poll::Ready(None),
            None => {}
        }
        if ready!(read.poll_fill(stream, cx)).map_err(Error::Broken)? == 0 {
            framing.end()?;
        }
    }
}

/// Takes as much as there is, at most what is left; and what is left then.
fn take(read: &mut BytesMut, left: u64) -> (Option<Piece>, u64) {
    let length = usize::try_from(left).map_or(read.len(), |left| left.min(read.len()));
    let piece = (length > 0).then(|| Piece::Data(read.split_to(length).freeze()));
    (piece, left - length as u64)
}

/// The size of a chunk, if its line is there.
fn size(read: &mut BytesMut) -> Result<Option<u64>, Error> {
    const WRONG: Error = Error::Framing("size of a chunk");
    if read.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
        return Err(WRONG);
    }
    match httparse::parse_chunk_size(read).map_err(|_| WRONG)? {
        Status::Complete((end, size)) => {
            // In an extension `httparse` takes anything, also what others may take for the end of the line.
            if read.iter().position(|byte| *byte == b'\n') != end.checked_sub(1) {
                return Err(WRONG);
            }
            read.advance(end);
            Ok(Some(size))
        }
        Status::Partial if read.len() >= ROOM => Err(WRONG),
        Status::Partial => Ok(None),
    }
}

/// What stands behind the data of a chunk, if it is there.
fn line_end(read: &mut BytesMut) -> Result<Option<()>, Error> {
    match &**read {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => {
            read.advance(2);
            Ok(Some(()))
        }
        _ => Err(Error::Framing("end of a chunk")),
    }
}

/// The trailers, if all are there; there may be none.
fn trailers(read: &mut BytesMut) -> Result<Option<HeaderMap>, Error> {
    let mut room = [httparse::EMPTY_HEADER; fields::MOST];
    match httparse::parse_headers(read, &mut room).map_err(Error::Head)? {
        Status::Complete((end, found)) => {
            let mut spans = Spans::new();
            fields::note(found, read, &mut spans);
            let (trailers, _) = fields::take(&spans, &read.split_to(end).freeze(), 0)?;
            Ok(Some(trailers))
        }
        Status::Partial if read.len() >= ROOM => Err(Error::LongHead(ROOM)),
        Status::Partial => Ok(None),
    }
}
