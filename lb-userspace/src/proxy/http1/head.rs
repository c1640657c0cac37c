//! The head of an answer (RFC 9112 section 4), and what it says of the body.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use httparse::{ParserConfig, Status};
use hyper::{
    HeaderMap, Method, Response, StatusCode, Version,
    body::Bytes,
    ext::ReasonPhrase,
    header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING},
    http::response::Parts,
};

use super::{
    error::Error,
    fields::{self, Seen, Spans},
    framing::{Chunk, Framing},
    switches,
};
use crate::proxy::{body::ROOM, strict};

const NO_STATUS: Error = Error::Head(httparse::Error::Status);

/// See the module.
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) framing: Framing,
    /// Whether the connection goes on.
    pub(super) persists: bool,
}

/// Takes the next head of what was read, if it is complete. `spans` is room for what is remembered meanwhile.
pub(super) fn parse(
    read: &mut BytesMut,
    spans: &mut Spans,
    method: &Method,
) -> Result<Option<Head>, Error> {
    loop {
        let Some((parts, seen)) = next(read, spans)? else { return Ok(None) };
        // Answers that only say that there will be one (RFC 9110 section 15.2) have served their purpose.
        if !parts.status.is_informational() || switches(parts.status) {
            return of(parts, seen, method).map(Some);
        }
    }
}

fn next(read: &mut BytesMut, spans: &mut Spans) -> Result<Option<(Parts, Seen)>, Error> {
    let mut room = [const { MaybeUninit::uninit() }; fields::MOST];
    let mut found = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut found, read, &mut room);
    let Status::Complete(end) = parsed.map_err(Error::Head)? else { return Ok(None) };
    // However much of it was read at one time.
    if end > ROOM {
        return Err(Error::LongHead(ROOM));
    }
    let status = found.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(NO_STATUS)?;
    let version = if found.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let reason = found.reason.filter(|reason| status.canonical_reason() != Some(reason));
    let reason = reason.map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
    fields::note(found.headers, read, spans);
    let (headers, seen) = fields::take(spans, &read.split_to(end).freeze(), 0)?;
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
        parts.extensions.insert(reason);
    }
    Ok(Some((parts, seen)))
}

/// What a head says of the body (RFC 9112 section 6.3) and of the connection (section 9.3).
fn of(mut parts: Parts, seen: Seen, method: &Method) -> Result<Head, Error> {
    let headers = &mut parts.headers;
    let persists = fields::persists(headers, seen, parts.version);
    let bodiless = method == Method::HEAD
        || switches(parts.status)
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = if bodiless {
        Framing::Over
    } else if seen.coding {
        if parts.version < Version::HTTP_11 {
            return Err(Error::Framing("head: Transfer-Encoding in HTTP/1.0"));
        }
        // It overrides a length, which would mislead whoever is next.
        headers.remove(CONTENT_LENGTH);
        // Also one that is no text is the last.
        let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
        let last = last.and_then(|list| list.as_bytes().rsplit(|byte| *byte == b',').next());
        let chunked = last.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        if chunked { Framing::Chunks(Chunk::Size) } else { Framing::Close }
    } else if seen.length {
        Framing::Length(length(headers)?)
    } else {
        Framing::Close
    };
    let persists = persists && framing != Framing::Close && !switches(parts.status);
    Ok(Head { parts, framing, persists })
}

/// The length that a head gives; several must be the same, and become one.
fn length(headers: &mut HeaderMap) -> Result<u64, Error> {
    const WRONG: Error = Error::Framing("Content-Length");
    let length = {
        // Also what is no text counts: as if it were not there, there would be no length, or another.
        let all = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
        let each = all.flat_map(|value| value.split(|byte| *byte == b','));
        let mut lengths = each.map(|length| strict::length(length.trim_ascii()));
        let first = lengths.next().flatten();
        let length = first.ok_or(WRONG)?;
        match lengths.next() {
            None => return Ok(length),
            Some(second) if second == first && lengths.all(|other| other == first) => length,
            Some(_) => return Err(WRONG),
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(length)
}
