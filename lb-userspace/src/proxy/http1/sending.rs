//! A message on its way: a request to a backend, or an answer to a client.

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
        CONTENT_TYPE, HOST, HeaderName, HeaderValue, MAX_FORWARDS, SET_COOKIE, TE, TRAILER,
        TRANSFER_ENCODING,
    },
    http::uri::PathAndQuery,
};

use super::{
    error::Error,
    outgoing::{Outgoing, Outlet},
};
use crate::proxy::{
    body::{BodyError, Outbound},
    headers::listed,
};

/// See the module.
pub(super) struct Sending<B> {
    pub(super) bytes: Outgoing,
    /// What is yet to be asked for.
    pub(super) body: Option<(B, Framed)>,
    /// Whether anything was written, or taken of the body.
    pub(super) has_begun: bool,
    /// Whether the other end takes no more, or the body broke off.
    pub(super) broken: bool,
    /// Whether the end of the connection comes behind it at once.
    pub(super) ends: bool,
}

/// How the end of a body is told.
#[derive(Debug)]
pub(super) enum Framed {
    /// By its length, or the end of the connection.
    Plain,
    /// In chunks; trailers of these names may follow.
    Chunks(Vec<HeaderName>),
}

impl<B> Default for Sending<B> {
    fn default() -> Self {
        Self {
            bytes: Outgoing::default(),
            body: None,
            has_begun: false,
            broken: false,
            ends: false,
        }
    }
}

impl Sending<Outbound> {
    /// Begins with another request. Its body is taken, if it has one.
    pub(super) fn request(&mut self, request: &mut Request<Outbound>) {
        let body = mem::replace(request.body_mut(), Outbound::Empty);
        (self.has_begun, self.broken) = (false, false);
        let out = self.bytes.own();
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        write(out, &[request.method().as_str(), " ", target, " HTTP/1.1\r\n"]);
        write_fields(request.headers(), |_| true, out);
        self.body = (!body.is_empty()).then(|| {
            let has_length = request.headers().contains_key(CONTENT_LENGTH);
            let framed =
                if has_length { Framed::Plain } else { frame(request.headers(), &body, out) };
            (body, framed)
        });
        out.extend_from_slice(b"\r\n");
    }

    /// The body of the request, if it is still there.
    pub(super) fn take_body(&mut self) -> Outbound {
        self.body.take().map_or(Outbound::Empty, |(body, _)| body)
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Sending<B> {
    /// Whether the backend has seen nothing of the request, and all of it is still there.
    pub(super) fn is_unsent(&self) -> bool {
        !self.has_begun && !self.bytes.is_begun()
    }

    /// Whether all of it is sent.
    pub(super) fn is_done(&self) -> bool {
        self.body.is_none() && self.bytes.is_empty() && !self.broken
    }

    /// Sends what there is of it, until all of it is sent.
    pub(super) fn poll(
        &mut self,
        stream: &mut impl Outlet,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.broken || self.is_done() {
            return Poll::Ready(Ok(()));
        }
        let polled = self.poll_all(stream, cx);
        self.broken = matches!(polled, Poll::Ready(Err(_)));
        polled
    }

    fn poll_all(
        &mut self,
        stream: &mut impl Outlet,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            // Small pieces leave together.
            while self.bytes.has_room()
                && let Some((body, framed)) = &mut self.body
                && let Poll::Ready(frame) = Pin::new(body).poll_frame(cx)
            {
                self.has_begun = true;
                if let Some(frame) = frame.transpose().map_err(Error::Request)? {
                    put(frame, framed, &mut self.bytes);
                } else {
                    if let Framed::Chunks(_) = framed {
                        self.bytes.own().extend_from_slice(b"0\r\n\r\n");
                    }
                    self.body = None;
                }
            }
            if self.bytes.is_empty() {
                return if self.body.is_some() { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if self.ends && self.body.is_none() {
                stream.ends();
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

/// Writes the fields of these names.
fn write_fields(fields: &HeaderMap, has: impl Fn(&HeaderName) -> bool, out: &mut Vec<u8>) {
    for (name, value) in fields.iter().filter(|(name, _)| has(name)) {
        write_field(name, value, out);
    }
}

/// Writes a field.
pub(super) fn write_field(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// How a body is framed whose length the head does not tell yet; what says so is written.
pub(super) fn frame<B: Body>(headers: &HeaderMap, body: &B, out: &mut Vec<u8>) -> Framed {
    if let Some(length) = body.size_hint().exact() {
        write_length(length, out);
        return Framed::Plain;
    }
    write(out, &["transfer-encoding: chunked\r\n"]);
    // Those that were not announced are left out, as anybody may who passes them on (RFC 9110 section 6.5.1).
    let announced = listed(headers, &TRAILER).filter_map(|name| HeaderName::try_from(name).ok());
    Framed::Chunks(announced.collect())
}

/// Writes the length of a body.
pub(super) fn write_length(length: u64, out: &mut Vec<u8>) {
    write_formatted(out, format_args!("content-length: {length}\r\n"));
}

/// Adds a piece of a body.
fn put(frame: Frame<Bytes>, framed: &mut Framed, out: &mut Outgoing) {
    match (frame.into_data(), &*framed) {
        // An empty chunk would be the last.
        (Ok(data), _) if data.is_empty() => {}
        (Ok(data), Framed::Plain) => out.put(data, b""),
        (Ok(data), Framed::Chunks(_)) => {
            write_formatted(out.own(), format_args!("{:x}\r\n", data.len()));
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
            *framed = Framed::Plain;
        }
        (Err(_), Framed::Plain) => {}
    }
}

/// Writes texts one behind the other.
pub(super) fn write(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

fn write_formatted(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // A vector takes all.
    _ = out.write_fmt(text);
}
