//! What backends are told of who asks. They see these headers as they are written here, and in no other way.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

use hyper::{
    HeaderMap,
    header::{FORWARDED, HOST, HeaderName, HeaderValue},
};

use super::{Caller, Said, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO};
use crate::{
    model::listener::ForwardingHeaders,
    proxy::strict::{Host, is_token},
};

/// Who asks, and by whom and where.
pub(in crate::proxy) struct Origin<'a> {
    pub(in crate::proxy) caller: &'a Caller,
    /// Who has connected, and its address as a header has it.
    pub(in crate::proxy) peer: IpAddr,
    pub(in crate::proxy) peer_value: &'a HeaderValue,
    /// The port that it has connected to.
    pub(in crate::proxy) port: &'a HeaderValue,
    /// What is written.
    pub(in crate::proxy) headers: ForwardingHeaders,
}

/// Puts who asks into the headers of a request, which have been [cleaned](Caller::clean), in place of what they say about it.
pub(in crate::proxy) fn put_origin(headers: &mut HeaderMap, origin: &Origin<'_>) {
    let caller = origin.caller;
    let said = caller.said.as_deref();
    if caller.is_trusted() {
        strip_but(headers, may_stay);
    }
    let host = said.and_then(|said| said.host.clone()).or_else(|| headers.get(HOST).cloned());
    if origin.headers.has_forwarded()
        && let Ok(value) = HeaderValue::try_from(element_list(origin, host.as_ref()))
    {
        headers.insert(FORWARDED, value);
    }
    if origin.headers.has_x_forwarded() {
        let list = said.and_then(|said| address_list(said, origin.peer_value));
        headers.insert(X_FORWARDED_FOR, list.unwrap_or_else(|| origin.peer_value.clone()));
        let port = said.and_then(|said| port(said, caller)).map(HeaderValue::from);
        headers.insert(X_FORWARDED_PORT, port.unwrap_or_else(|| origin.port.clone()));
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(caller.scheme.name()));
        if let Some(host) = host {
            headers.insert(X_FORWARDED_HOST, host);
        }
    }
}

/// Removes what anybody says about who asks.
pub(in crate::proxy) fn strip(headers: &mut HeaderMap) {
    strip_but(headers, |_| false);
}

/// The same, but for what may stay.
fn strip_but(headers: &mut HeaderMap, stays: impl Fn(&str) -> bool) {
    let goes = |name: &&HeaderName| says_who_asks(name.as_str()) && !stays(name.as_str());
    // There are none in most requests.
    let names: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// `Forwarded`, and all that begin with `X-Forwarded-`. Some servers take `_` for the same as `-`.
fn says_who_asks(name: &str) -> bool {
    let rest = name.strip_prefix("x-").or_else(|| name.strip_prefix("x_")).unwrap_or(name);
    match rest.strip_prefix("forwarded") {
        Some(end) if rest.len() == name.len() => end.is_empty(),
        Some(end) => end.is_empty() || end.starts_with(['-', '_']),
        None => false,
    }
}

/// What a trusted proxy may say besides, such as `X-Forwarded-Prefix`.
fn may_stay(name: &str) -> bool {
    let ours = [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT];
    name.starts_with("x-forwarded-") && !name.contains('_') && !ours.iter().any(|it| it == name)
}

/// From the client to whoever has connected.
fn address_list(said: &Said, peer: &HeaderValue) -> Option<HeaderValue> {
    let mut list = String::new();
    for address in said.hops.iter().rev() {
        _ = write!(list, "{address}, ");
    }
    list.push_str(peer.to_str().ok()?);
    HeaderValue::try_from(list).ok()
}

/// The port that the client has connected to. A proxy that says how the client asked, but not at which port, does not
/// mean ours.
fn port(said: &Said, caller: &Caller) -> Option<u16> {
    let of_host = || Host::parse(said.host.as_ref()?.as_bytes())?.port();
    let default = || said.scheme.is_some().then(|| caller.scheme.port());
    said.port.or_else(of_host).or_else(default)
}

/// The same as elements of `Forwarded` (RFC 7239 section 4). What was asked is in the first, that of the client.
fn element_list(origin: &Origin<'_>, host: Option<&HeaderValue>) -> String {
    let Caller { client, scheme, ref said, .. } = *origin.caller;
    let mut list = format!("for={};proto={}", Node(client), scheme.name());
    if let Some(host) = host.and_then(|host| host.to_str().ok()) {
        // A host with a port or an address in brackets is no token. Nothing in it would need an escape.
        let plain = host.bytes().all(is_token);
        let quote = if plain { "" } else { "\"" };
        if !host.contains(['"', '\\']) {
            _ = write!(list, ";host={quote}{host}{quote}");
        }
    }
    let hops = said.iter().flat_map(|said| said.hops.iter().rev().skip(1).copied());
    let peer = said.iter().filter(|said| !said.hops.is_empty()).map(|_| origin.peer);
    for address in hops.chain(peer) {
        _ = write!(list, ", for={}", Node(address));
    }
    list
}

/// An address as RFC 7239 section 6 has it: that of IPv6 in brackets and quotes.
struct Node(IpAddr);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_canonical() {
            IpAddr::V4(v4) => write!(f, "{v4}"),
            IpAddr::V6(v6) => write!(f, "\"[{v6}]\""),
        }
    }
}
