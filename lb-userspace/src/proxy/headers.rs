//! What a proxy takes out of messages and puts into them.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{
        CONNECTION, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
        VIA,
    },
};

use crate::model::route::HeaderEdits;

/// How we call ourselves in `Via` (RFC 9110 section 7.6.3).
const VIA_US: HeaderValue = HeaderValue::from_static("1.1 shunt");

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// As many headers are put into a request as a rule: `Via`, and who asks.
pub(super) const OURS: usize = 5;

/// What a message cannot do without, whatever `Connection` lists.
const NOT_BY_NAME: [HeaderName; 1] = [HOST];

/// Removes what is for the next hop only (RFC 9110 section 7.6.1). Returns the protocols to change to,
/// if the message asks for a change.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) -> Option<HeaderValue> {
    // To look at the names that there are costs less than to look for each that there mostly is not.
    if !headers.keys().any(is_of_the_hop) {
        return None;
    }
    let upgrade = headers.remove(UPGRADE);
    let mut asks = false;
    if headers.contains_key(CONNECTION) {
        let listed: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
        headers.remove(CONNECTION);
        let listed = listed.iter().filter_map(|value| value.to_str().ok());
        for name in listed.flat_map(|value| value.split(',')).map(str::trim) {
            asks |= name.eq_ignore_ascii_case("upgrade");
            if let Ok(name) = HeaderName::try_from(name)
                && !NOT_BY_NAME.contains(&name)
            {
                headers.remove(name);
            }
        }
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, TE, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    upgrade.filter(|_| asks)
}

fn is_of_the_hop(name: &HeaderName) -> bool {
    matches!(*name, CONNECTION | UPGRADE | TE | TRANSFER_ENCODING)
        || [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS].contains(name)
}

/// The protocols of an `Upgrade` that are not HTTP or TLS again. To change to those behind a proxy would be to
/// get past its routes: `h2c` would bring requests that it never sees.
pub(super) fn foreign(protocols: &HeaderValue) -> Option<HeaderValue> {
    let all = tokens(protocols);
    let kept: Vec<&str> = all
        .filter(|protocol| {
            let name = protocol.split('/').next().unwrap_or_default().to_ascii_lowercase();
            !matches!(&*name, "" | "http" | "h2c" | "h2" | "h3" | "tls")
        })
        .collect();
    (!kept.is_empty()).then(|| HeaderValue::try_from(kept.join(", ")).ok()).flatten()
}

/// Whether a protocol that was agreed on is one of those that were asked for.
pub(super) fn was_asked_for(agreed: &HeaderValue, asked: &HeaderValue) -> bool {
    let mut agreed = tokens(agreed).peekable();
    agreed.peek().is_some()
        && agreed.all(|one| tokens(asked).any(|other| other.eq_ignore_ascii_case(one)))
}

/// What one header lists.
pub(super) fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim)
}

/// Whether who sent these takes trailers (RFC 9110 section 10.1.4).
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    listed(headers, &TE).any(|word| word.eq_ignore_ascii_case("trailers"))
}

/// What all headers of a name list: they are one list (RFC 9110 section 5.3).
pub(super) fn listed<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let all = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).map(str::trim)
}

/// The value of a header that is there once. Of several nobody knows which one is right.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// Joins the pieces that HTTP/2 may cut a `Cookie` into (RFC 9113 section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    if pieces.len() > 1 {
        let joined = pieces.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
        if let Ok(joined) = HeaderValue::from_bytes(&joined) {
            headers.insert(COOKIE, joined);
        }
    }
}

/// Asks for, or agrees to, a change of protocol.
pub(super) fn put_upgrade(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocols);
}

/// Prepares the headers of a request for a backend.
pub(super) fn pass_on(headers: &mut HeaderMap) {
    // A map grows by indexing all of itself anew: once is enough. Those of HTTP/1 have the room already.
    headers.reserve(OURS);
    headers.remove(EXPECT);
    headers.append(VIA, VIA_US);
}

/// A client's address as a header has it.
pub(super) fn client_value(client: IpAddr) -> HeaderValue {
    let text = client.to_canonical().to_string();
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Makes the changes of a route.
pub(super) fn edit(headers: &mut HeaderMap, edits: &HeaderEdits) {
    for name in &edits.remove {
        headers.remove(name);
    }
    for (name, value) in &edits.set {
        headers.insert(name.clone(), value.clone());
    }
    for (name, value) in &edits.add {
        headers.append(name.clone(), value.clone());
    }
}
