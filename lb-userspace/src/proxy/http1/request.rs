//! The head of a request that the scanner has found nothing wrong with, as hyper's types have it.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use httparse::{ParserConfig, Status};
use hyper::{HeaderMap, Method, Request, Uri, Version, header::CONTENT_LENGTH};

use super::{
    fields::{self, Seen, Spans},
    framing::{Chunk, Framing},
};
use crate::proxy::{
    headers::{OURS, only},
    strict::{self, Fault},
};

/// What a request says of itself and its answer.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "none of them says anything of another")]
pub(super) struct Asked {
    /// Whether it asks for no more than a head.
    pub(super) head_only: bool,
    /// Whether it is of HTTP/1.0.
    pub(super) old: bool,
    /// Whether the client will go on after it (RFC 9112 section 9.3).
    pub(super) persists: bool,
    /// How its body ends.
    pub(super) framing: Framing,
    /// Whether the client waits to be told to send it.
    pub(super) waits: bool,
}

/// Takes a head that is complete.
pub(super) fn parse(
    read: &mut BytesMut,
    spans: &mut Spans,
    most_fields: usize,
) -> Result<(Request<()>, Asked), Fault> {
    let mut on_stack = [const { MaybeUninit::uninit() }; fields::MOST];
    let mut on_heap = Vec::new();
    let room = if most_fields <= fields::MOST {
        &mut on_stack[..]
    } else {
        on_heap.resize_with(most_fields, MaybeUninit::uninit);
        &mut on_heap[..]
    };
    let mut found = httparse::Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut found, read, room);
    let Ok(Status::Complete(end)) = parsed else { return Err(Fault::FieldValue) };
    let (Some(method), Some(target)) = (found.method, found.path) else {
        return Err(Fault::RequestLine);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Fault::Method)?;
    let version = if found.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let target = fields::span(target.as_bytes(), read);
    fields::note(found.headers, read, spans);
    let bytes = read.split_to(end).freeze();
    let uri = Uri::from_maybe_shared(bytes.slice(target)).map_err(|_| Fault::TargetForm)?;
    let (headers, seen) = fields::take(spans, &bytes, OURS).map_err(|_| Fault::FieldValue)?;
    let asked = Asked {
        head_only: method == Method::HEAD,
        old: version == Version::HTTP_10,
        persists: fields::persists(&headers, seen, version),
        framing: framing(&headers, seen)?,
        waits: seen.expect && version == Version::HTTP_11,
    };
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok((request, asked))
}

/// The scanner has made sure that there is one length or one coding at most.
fn framing(headers: &HeaderMap, seen: Seen) -> Result<Framing, Fault> {
    if seen.coding {
        return Ok(Framing::Chunks(Chunk::Size));
    }
    if !seen.length {
        return Ok(Framing::Over);
    }
    let length = only(headers, &CONTENT_LENGTH).ok_or(Fault::SeveralLengths)?;
    strict::length(length.as_bytes()).map(Framing::Length).ok_or(Fault::BadLength)
}
