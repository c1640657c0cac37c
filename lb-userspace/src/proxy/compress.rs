//! Answers in fewer bytes: what a client says it can decode, of what the listener offers.
//!
//! What an answer says about itself decides whether it is coded ([`Compressing::apply`]); what the client accepts, how
//! ([`accept`]). A body is coded as it comes ([`body`]), never held, and what is not given is never waited for.
//!
//! Left out: coding what is coded already, in any way; ranges, which are of the bytes as they are; and gRPC, which has
//! codings of its own for each message.

mod accept;
mod body;
mod encoder;
mod kinds;
#[cfg(test)]
mod tests;

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Body,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY,
    },
    http::response,
};

pub(super) use self::body::Compressed;
use self::encoder::Encoder;
use super::{body::Inbound, headers::listed};
use crate::model::listener::Coding;

/// Shorter bodies gain nothing: with what has to be said of a coding they would hardly be shorter.
const LEAST: u64 = 256;

/// Sums of the bytes as they were (RFC 1864, RFC 3230, RFC 9530).
const SUMS: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// How the answer to a request may be coded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressing {
    /// Nothing if the client wants no coding that is offered.
    coding: Option<Coding>,
}

impl Compressing {
    /// What a request asks for, of what is offered. None if that is nothing at all.
    pub(super) fn of<B>(offered: &[Coding], request: &Request<B>) -> Option<Self> {
        if offered.is_empty() {
            return None;
        }
        // An answer to HEAD tells of a body that would depend on this, but has none.
        let coding = if request.method() == Method::HEAD || forbids(request.headers()) {
            None
        } else {
            accept::best(offered, request.headers())
        };
        Some(Self { coding })
    }

    /// Codes an answer, if it can be and is worth it.
    pub(super) fn apply(self, response: Response<Inbound>) -> Response<Inbound> {
        let (mut parts, body) = response.into_parts();
        if !may_be_coded(&parts) {
            return Response::from_parts(parts, body);
        }
        put_vary(&mut parts.headers);
        let long_enough =
            !body.is_end_stream() && body.size_hint().upper().is_none_or(|it| it >= LEAST);
        // An encoder that cannot be made for want of memory is no reason to give nothing.
        let encoder = self.coding.filter(|_| long_enough);
        let encoder = encoder.and_then(|coding| Some((coding, Encoder::new(coding).ok()?)));
        let Some((coding, encoder)) = encoder else { return Response::from_parts(parts, body) };
        put_coding(&mut parts.headers, coding);
        Response::from_parts(parts, Inbound::Compressed(Box::new(Compressed::new(body, encoder))))
    }
}

/// Whether an answer with this head could be coded, for a client that accepts it.
fn may_be_coded(parts: &response::Parts) -> bool {
    let without_body = matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    let headers = &parts.headers;
    let is_part =
        parts.status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE);
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    !without_body
        && !is_part
        && !parts.status.is_informational()
        && !headers.contains_key(CONTENT_ENCODING)
        && kind.is_some_and(kinds::is_compressible)
        && !forbids(headers)
}

/// Whether a message forbids to change its content (RFC 9111 sections 5.2.1.6 and 5.2.2.6).
fn forbids(headers: &HeaderMap) -> bool {
    listed(headers, &CACHE_CONTROL).any(|word| word.eq_ignore_ascii_case("no-transform"))
}

/// Caches must not give the answer to who accepts something else (RFC 9110 section 12.5.5).
fn put_vary(headers: &mut HeaderMap) {
    let is_said = listed(headers, &VARY)
        .any(|name| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()));
    if !is_said {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// What is said of the bytes as they were, and does not hold for those that are sent.
fn put_coding(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    for name in &SUMS {
        headers.remove(name);
    }
    // Other bytes with the same meaning: a weak tag (RFC 9110 section 8.8.1).
    if let Some(tag) = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}
