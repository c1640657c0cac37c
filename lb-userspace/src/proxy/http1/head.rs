//! The head of an answer (RFC 9112 section 4), and what it says of the body.

use std::{mem::MaybeUninit, ops::Range};

use bytes::BytesMut;
use httparse::{Header, ParserConfig, Status};
use hyper::{
    HeaderMap, Method, Response, StatusCode, Version,
    body::Bytes,
    ext::ReasonPhrase,
    header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING},
    http::response::Parts,
};

use super::{
    error::Error,
    framing::{Chunk, Framing},
    switches,
};
use crate::proxy::{headers::listed, strict};

/// Fields that a head may have, or trailers.
pub(super) const MOST_FIELDS: usize = 100;

const NO_STATUS: Error = Error::Head(httparse::Error::Status);

/// See the module.
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) framing: Framing,
    /// Whether the connection goes on.
    pub(super) persists: bool,
}

/// Where the name and the value of a field are.
pub(super) type Spans = Vec<(Range<usize>, Range<usize>)>;

/// Takes the next head of what was read, if it is complete. `spans` is room for what is remembered meanwhile.
pub(super) fn parse(
    read: &mut BytesMut,
    spans: &mut Spans,
    method: &Method,
) -> Result<Option<Head>, Error> {
    loop {
        let Some(parts) = next(read, spans)? else { return Ok(None) };
        // Answers that only say that there will be one (RFC 9110 section 15.2) have served their purpose.
        if !parts.status.is_informational() || switches(parts.status) {
            return of(parts, method).map(Some);
        }
    }
}

fn next(read: &mut BytesMut, spans: &mut Spans) -> Result<Option<Parts>, Error> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut found = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut found, read, &mut room);
    let Status::Complete(end) = parsed.map_err(Error::Head)? else { return Ok(None) };
    let status = found.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(NO_STATUS)?;
    let version = if found.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let reason = found.reason.filter(|reason| status.canonical_reason() != Some(reason));
    let reason = reason.map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
    let start = read.as_ptr().addr();
    let span = |part: &[u8]| {
        let from = part.as_ptr().addr() - start;
        from..from + part.len()
    };
    spans.clear();
    spans
        .extend(found.headers.iter().map(|field| (span(field.name.as_bytes()), span(field.value))));
    let bytes = read.split_to(end).freeze();
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version) = (status, version);
    parts.headers.reserve(spans.len());
    for (name, value) in spans {
        let name = bytes.get(name.clone()).unwrap_or_default();
        let name =
            HeaderName::from_bytes(name).map_err(|_| Error::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(bytes.slice(value.clone()))
            .map_err(|_| Error::Head(httparse::Error::HeaderValue))?;
        parts.headers.append(name, value);
    }
    if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
        parts.extensions.insert(reason);
    }
    Ok(Some(parts))
}

/// What a head says of the body (RFC 9112 section 6.3) and of the connection (section 9.3).
fn of(mut parts: Parts, method: &Method) -> Result<Head, Error> {
    let headers = &mut parts.headers;
    let has = |word| listed(headers, &CONNECTION).any(|it| it.eq_ignore_ascii_case(word));
    let persists = match parts.version {
        Version::HTTP_11 => !has("close"),
        _ => has("keep-alive") && !has("close"),
    };
    let bodiless = method == Method::HEAD
        || switches(parts.status)
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = if bodiless {
        Framing::Over
    } else if headers.contains_key(TRANSFER_ENCODING) {
        if parts.version < Version::HTTP_11 {
            return Err(Error::Framing("head: Transfer-Encoding in HTTP/1.0"));
        }
        // It overrides a length, which would mislead whoever is next.
        headers.remove(CONTENT_LENGTH);
        let last = listed(headers, &TRANSFER_ENCODING).last();
        let chunked = last.is_some_and(|last| last.eq_ignore_ascii_case("chunked"));
        if chunked { Framing::Chunks(Chunk::Size) } else { Framing::Close }
    } else {
        length(headers)?.map_or(Framing::Close, Framing::Length)
    };
    let persists = persists && framing != Framing::Close && !switches(parts.status);
    Ok(Head { parts, framing, persists })
}

/// The length that a head gives; several must be the same, and become one.
fn length(headers: &mut HeaderMap) -> Result<Option<u64>, Error> {
    const WRONG: Error = Error::Framing("Content-Length");
    let length = {
        let mut lengths = listed(headers, &CONTENT_LENGTH).map(|it| strict::length(it.as_bytes()));
        let Some(first) = lengths.next() else { return Ok(None) };
        let length = first.ok_or(WRONG)?;
        match lengths.next() {
            None => return Ok(Some(length)),
            Some(second) if second == first && lengths.all(|other| other == first) => length,
            Some(_) => return Err(WRONG),
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(Some(length))
}

/// Trailers that were found.
pub(super) fn trailers_of(found: &[Header<'_>]) -> Result<HeaderMap, Error> {
    let mut trailers = HeaderMap::with_capacity(found.len());
    for field in found {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| Error::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_bytes(field.value)
            .map_err(|_| Error::Head(httparse::Error::HeaderValue))?;
        trailers.append(name, value);
    }
    Ok(trailers)
}
