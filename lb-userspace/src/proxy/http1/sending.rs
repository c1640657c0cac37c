//! A request on its way to a backend.

use std::{
    fmt,
    io::Write as _,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::{
    HeaderMap, Request,
    body::{Body, Bytes, Frame},
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, HOST, HeaderName, MAX_FORWARDS, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
    },
    http::uri::PathAndQuery,
};
use tokio::io::AsyncWrite;

use super::{error::Error, outgoing::Outgoing};
use crate::proxy::{body::Outbound, headers::listed};

/// See the module.
#[derive(Default)]
pub(super) struct Sending {
    bytes: Outgoing,
    /// What is yet to be asked for.
    body: Option<(Outbound, Framed)>,
    /// Whether anything was written, or taken of the body.
    has_begun: bool,
    /// Whether the backend takes no more.
    broken: bool,
}

/// How the end of a body is told.
#[derive(Debug)]
enum Framed {
    /// By its length.
    Length,
    /// In chunks; trailers of these names may follow.
    Chunks(Vec<HeaderName>),
}

impl Sending {
    /// Begins with another request. Its body is taken, if it has one.
    pub(super) fn begin(&mut self, request: &mut Request<Outbound>) {
        let body = mem::replace(request.body_mut(), Outbound::Empty);
        (self.has_begun, self.broken) = (false, false);
        write_head(request, self.bytes.own());
        self.body = (!body.is_empty()).then(|| {
            let framed = frame(request.headers(), &body, self.bytes.own());
            (body, framed)
        });
        self.bytes.own().extend_from_slice(b"\r\n");
    }

    /// Whether the backend has seen nothing of the request, and all of it is still there.
    pub(super) fn is_unsent(&self) -> bool {
        !self.has_begun && !self.bytes.is_begun()
    }

    /// Whether all of it is sent.
    pub(super) fn is_done(&self) -> bool {
        self.body.is_none() && self.bytes.is_empty() && !self.broken
    }

    /// Sends what there is of it, until all of it is sent.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.broken || self.is_done() {
            return Poll::Ready(Ok(()));
        }
        let polled = self.poll_all(stream, cx);
        self.broken = matches!(polled, Poll::Ready(Err(_)));
        polled
    }

    fn poll_all<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            // Small pieces leave together.
            while self.bytes.has_room()
                && let Some((body, framed)) = &mut self.body
                && let Poll::Ready(frame) = Pin::new(body).poll_frame(cx)
            {
                self.has_begun = true;
                match frame.transpose().map_err(Error::Request)? {
                    Some(frame) => put(frame, framed, &mut self.bytes),
                    None => {
                        if let Framed::Chunks(_) = framed {
                            self.bytes.own().extend_from_slice(b"0\r\n\r\n");
                        }
                        self.body = None;
                    }
                }
            }
            if self.bytes.is_empty() {
                return if self.body.is_some() { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            ready!(self.bytes.poll(stream, cx)).map_err(Error::Broken)?;
            self.has_begun = true;
        }
    }
}

/// What a trailer must not say (RFC 9110 section 6.5.1): how a message is framed, whom it is for, how it is read.
const MISPLACED: [HeaderName; 12] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    HOST,
    MAX_FORWARDS,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// Writes the head of a request, but for what ends it.
fn write_head(request: &Request<Outbound>, out: &mut Vec<u8>) {
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    write_fields(request.headers(), |_| true, out);
}

/// Writes the fields of these names.
fn write_fields(fields: &HeaderMap, has: impl Fn(&HeaderName) -> bool, out: &mut Vec<u8>) {
    for (name, value) in fields.iter().filter(|(name, _)| has(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// How a body is framed; what says so is written.
fn frame(headers: &HeaderMap, body: &Outbound, out: &mut Vec<u8>) -> Framed {
    if headers.contains_key(CONTENT_LENGTH) {
        return Framed::Length;
    }
    if let Some(length) = body.size_hint().exact() {
        write(out, format_args!("{CONTENT_LENGTH}: {length}\r\n"));
        return Framed::Length;
    }
    out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    // Those that were not announced are left out, as anybody may who passes them on (RFC 9110 section 6.5.1).
    let announced = listed(headers, &TRAILER).filter_map(|name| HeaderName::try_from(name).ok());
    Framed::Chunks(announced.collect())
}

/// Adds a piece of a body.
fn put(frame: Frame<Bytes>, framed: &mut Framed, out: &mut Outgoing) {
    match (frame.into_data(), &*framed) {
        // An empty chunk would be the last.
        (Ok(data), _) if data.is_empty() => {}
        (Ok(data), Framed::Length) => out.put(data, b""),
        (Ok(data), Framed::Chunks(_)) => {
            write(out.own(), format_args!("{:x}\r\n", data.len()));
            out.put(data, b"\r\n");
        }
        (Err(frame), Framed::Chunks(announced)) => {
            out.own().extend_from_slice(b"0\r\n");
            if let Some(trailers) = frame.trailers_ref() {
                let may = |name: &HeaderName| announced.contains(name) && !MISPLACED.contains(name);
                write_fields(trailers, may, out.own());
            }
            out.own().extend_from_slice(b"\r\n");
            // Nothing is left to be written behind this.
            *framed = Framed::Length;
        }
        (Err(_), Framed::Length) => {}
    }
}

fn write(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // A vector takes all.
    _ = out.write_fmt(text);
}
