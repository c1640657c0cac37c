//! What a client may send on an HTTP/1 connection: a second, stricter look at the raw bytes.
//!
//! Two parsers that read the same bytes differently are how requests are smuggled. So whatever two
//! parsers could read differently is refused before the proxy's own parser has seen the end of it: a
//! request that is forwarded was unambiguous. The scanner follows the messages of a connection by their
//! framing (RFC 9112 section 6), one after the other, pipelined ones too. It keeps a few words, and
//! only the part of a line that is yet to be completed.
//!
//! It says at which byte the trouble begins. The bytes before it may be passed on: they never are a
//! whole head, because a fault is found at its last byte at the latest.
//!
//! What follows an upgrade is not HTTP: whoever answers with 101 stops asking. What is left to others:
//! the meaning of methods, targets and fields, beyond what the framing needs.

mod body;
mod fault;
mod head;
mod host;
mod message;
#[cfg(test)]
pub(super) mod tests;

use memchr::memchr;

use self::{body::Body, head::Head};
pub(super) use self::{
    fault::Fault,
    head::{is_token, length},
    host::Host,
    message::look_at,
};
use crate::model::listener::ClientLimits;

/// How much a client may send before it is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of the request line.
    pub(super) request_line: usize,
    /// Bytes of one field line.
    pub(super) field_line: usize,
    /// Bytes of a head.
    pub(super) head: usize,
    /// Fields of a head, or of a trailer.
    pub(super) fields: usize,
}

impl Limits {
    /// Those that a listener has.
    pub(super) fn of(limits: &ClientLimits) -> Self {
        let bytes = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            request_line: bytes(limits.max_request_line),
            field_line: bytes(limits.max_header),
            head: bytes(limits.max_head),
            fields: bytes(limits.max_headers),
        }
    }
}

/// Bytes of a line that begins a chunk, extensions included. Nobody needs more.
const CHUNK_LINE: usize = 512;
/// Empty lines in front of a request that are skipped (RFC 9112 section 2.2 wants one at least).
const EMPTY_LINES: usize = 2;

/// A fault, and where it begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    /// So many bytes of those given are in front of it.
    pub(super) after: usize,
    /// What is wrong.
    pub(super) fault: Fault,
    /// Whether it is in the body of a request whose head was all right.
    pub(super) of_body: bool,
}

/// Follows the messages of a connection.
#[derive(Debug)]
pub(super) struct Scanner {
    limits: Limits,
    state: State,
    /// A line whose end is yet to come.
    partial: Vec<u8>,
    /// Empty lines since the last message.
    empty: usize,
    /// Heads that were whole, and right.
    heads: u64,
}

#[derive(Debug)]
enum State {
    /// In front of a message.
    Between,
    /// In its head, behind the request line.
    Head(Head),
    /// In its body.
    Body(Body),
    /// A fault was found: nothing that follows counts.
    Refused,
}

/// What to do with a piece of the bytes.
enum Step {
    /// So many bytes were taken.
    Took(usize),
    /// They end within a line.
    Partial,
}

impl Scanner {
    /// At the beginning of a connection.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: State::Between, partial: Vec::new(), empty: 0, heads: 0 }
    }

    /// Whether the client has sent a whole number of messages so far.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.state, State::Between) && self.partial.is_empty()
    }

    /// How many heads there were, all of each and without a fault.
    pub(super) const fn heads(&self) -> u64 {
        self.heads
    }

    /// Looks at what comes next.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Ok(Step::Took(taken)) => at += taken,
                Ok(Step::Partial) => return Ok(()),
                Err(fault) => {
                    let of_body = matches!(self.state, State::Body(_));
                    self.state = State::Refused;
                    self.partial = Vec::new();
                    return Err(Refused { after: at, fault, of_body });
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, rest: &[u8]) -> Result<Step, Fault> {
        match &mut self.state {
            State::Body(body) if body.data() > 0 => {
                let taken = body.take(rest.len());
                self.end_of_body();
                Ok(Step::Took(taken))
            }
            State::Refused => Err(Fault::AfterRefusal),
            State::Between | State::Head(_) | State::Body(_) => self.line(rest),
        }
    }

    /// Takes bytes up to the end of a line.
    fn line(&mut self, rest: &[u8]) -> Result<Step, Fault> {
        let end = memchr(b'\n', rest);
        let piece = rest.get(..end.map_or(rest.len(), |end| end + 1)).unwrap_or(rest);
        let length = self.partial.len() + piece.len();
        self.fits(length)?;
        if end.is_none() {
            self.partial.extend_from_slice(piece);
            return Ok(Step::Partial);
        }
        if self.partial.is_empty() {
            self.whole_line(piece)?;
        } else {
            self.partial.extend_from_slice(piece);
            let line = std::mem::take(&mut self.partial);
            self.whole_line(&line)?;
        }
        Ok(Step::Took(piece.len()))
    }

    /// Whether a line may be so long.
    fn fits(&self, length: usize) -> Result<(), Fault> {
        // The end of the line does not count.
        let length = length.saturating_sub(2);
        match &self.state {
            State::Between if length > self.limits.request_line => Err(Fault::LongRequestLine),
            State::Head(_) if length > self.limits.field_line => Err(Fault::LongField),
            State::Head(head) if head.bytes() + length > self.limits.head => Err(Fault::LongHead),
            State::Body(body) => body.fits(length, &self.limits),
            _ => Ok(()),
        }
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = line.strip_suffix(b"\r\n").ok_or(Fault::BareLf)?;
        if line.contains(&b'\r') {
            return Err(Fault::BareCr);
        }
        match &mut self.state {
            State::Between if line.is_empty() => {
                self.empty += 1;
                if self.empty > EMPTY_LINES { Err(Fault::EmptyLines) } else { Ok(()) }
            }
            State::Between => {
                self.empty = 0;
                self.state = State::Head(Head::begin(line)?);
                Ok(())
            }
            State::Head(head) if line.is_empty() => {
                self.state = State::Body(head.end()?);
                self.heads += 1;
                self.end_of_body();
                Ok(())
            }
            State::Head(head) => head.field(line, &self.limits),
            State::Body(body) => {
                body.line(line, &self.limits)?;
                self.end_of_body();
                Ok(())
            }
            State::Refused => Err(Fault::AfterRefusal),
        }
    }

    fn end_of_body(&mut self) {
        if matches!(&self.state, State::Body(body) if body.is_over()) {
            self.state = State::Between;
        }
    }
}
