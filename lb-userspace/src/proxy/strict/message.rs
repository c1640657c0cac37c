//! Requests of HTTP/2, whose frames hyper has read: what it lets through, and a backend of HTTP/1.1 could read
//! in another way.
//!
//! hyper sees to what ends a line, to names, pseudo headers and those of a connection (RFC 9113 section 8.2). Here is
//! what it leaves: targets, hosts and lengths are held to the same rules as those of HTTP/1.

use hyper::{
    HeaderMap, Method, Request,
    body::Body,
    header::{CONTENT_LENGTH, HOST, HeaderValue},
    http::uri::Scheme,
};

use super::{fault::Fault, head::length, host::Host};

/// The first fault of a request.
pub(in crate::proxy) fn look_at<B: Body>(request: &Request<B>) -> Result<(), Fault> {
    let headers = request.headers();
    target(request)?;
    hosts(request)?;
    lengths(headers, request.body().is_end_stream())?;
    if headers.values().any(is_padded) { Err(Fault::FieldValue) } else { Ok(()) }
}

/// As the request line would have it (RFC 9112 section 3.2).
fn target<B>(request: &Request<B>) -> Result<(), Fault> {
    // Of other schemes there is nothing here (RFC 9113 section 8.3.1).
    if !request.uri().scheme().is_some_and(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it)) {
        return Err(Fault::TargetForm);
    }
    let target = request.uri().path_and_query().ok_or(Fault::TargetForm)?.as_str();
    if !target.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) {
        return Err(Fault::TargetCharacter);
    }
    let of_server = target == "*" && request.method() == Method::OPTIONS;
    if target.starts_with('/') || of_server { Ok(()) } else { Err(Fault::TargetForm) }
}

fn hosts<B>(request: &Request<B>) -> Result<(), Fault> {
    let authority = request.uri().authority().map(|host| host.as_str().as_bytes());
    let headers = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
    if authority.into_iter().chain(headers).all(|host| Host::parse(host).is_some()) {
        Ok(())
    } else {
        Err(Fault::BadHost)
    }
}

/// `is_over` is whether there is no body.
fn lengths(headers: &HeaderMap, is_over: bool) -> Result<(), Fault> {
    let mut all = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(given), second) = (all.next(), all.next()) else { return Ok(()) };
    if second.is_some() {
        return Err(Fault::SeveralLengths);
    }
    let length = length(given.as_bytes()).ok_or(Fault::BadLength)?;
    if is_over && length > 0 { Err(Fault::BadLength) } else { Ok(()) }
}

/// RFC 9113 section 8.2.1.
fn is_padded(value: &HeaderValue) -> bool {
    matches!(value.as_bytes(), [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}
