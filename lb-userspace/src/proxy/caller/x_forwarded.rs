//! `X-Forwarded-For` and its kin, of which there is no standard: addresses in a list, to which each proxy appends whom
//! it has before it, and single values that the outermost proxy sets.

use std::net::{IpAddr, SocketAddr};

use hyper::{HeaderMap, header::HeaderValue};

use super::{Said, Scheme, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO};
use crate::{
    model::PrefixSet,
    proxy::{headers::only, strict::Host},
};

/// What trusted proxies say in these headers.
pub(super) fn read(headers: &HeaderMap, trusted: &PrefixSet) -> Said {
    let port = |value: &HeaderValue| value.to_str().ok()?.parse().ok().filter(|port| *port != 0);
    let host = |value: &&HeaderValue| Host::parse(value.as_bytes()).is_some();
    Said {
        hops: hops(headers, trusted),
        scheme: only(headers, &X_FORWARDED_PROTO).and_then(|it| Scheme::parse(it.as_bytes())),
        host: only(headers, &X_FORWARDED_HOST).filter(host).cloned(),
        port: only(headers, &X_FORWARDED_PORT).and_then(port),
    }
}

/// The addresses that are believed, from the right. Several headers are one list (RFC 9110 section 5.3).
fn hops(headers: &HeaderMap, trusted: &PrefixSet) -> Vec<IpAddr> {
    let mut hops = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for given in value.as_bytes().rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if given.is_empty() {
                // Empty elements do not count (RFC 9110 section 5.6.1.2).
                continue;
            }
            let Some(address) = std::str::from_utf8(given).ok().and_then(address) else {
                return hops;
            };
            hops.push(address);
            if !trusted.contains(address) {
                return hops;
            }
        }
    }
    hops
}

/// An address, which some write with its port. An IPv6 address may be in brackets, and must be if there is a port.
pub(super) fn address(given: &str) -> Option<IpAddr> {
    let bare = given.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => given.parse().ok().or_else(|| Some(given.parse::<SocketAddr>().ok()?.ip())),
    };
    address.map(|address| address.to_canonical())
}
