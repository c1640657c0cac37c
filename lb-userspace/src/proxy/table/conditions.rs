//! The conditions of a route besides host and path.

use std::{fmt, net::IpAddr};

use hyper::{
    HeaderMap,
    header::{COOKIE, HeaderName},
};

use super::{
    Asked,
    target::{cookies, decoded},
};
use crate::model::{
    Prefix,
    route::{Matches, ValuePattern},
    upstream::CookieName,
};

/// The condition that does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Miss {
    /// The method is another.
    Method,
    /// A header is another, or not there.
    Header(HeaderName),
    /// A cookie is another, or not there.
    Cookie(CookieName),
    /// A parameter of the query is another, or not there.
    Query(String),
    /// The client is elsewhere.
    Client,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("its method is another"),
            Self::Header(name) => write!(f, "its header {name} does not fit"),
            Self::Cookie(name) => write!(f, "its cookie {} does not fit", name.as_str()),
            Self::Query(name) => write!(f, "its query parameter {name} does not fit"),
            Self::Client => f.write_str("its client is elsewhere"),
        }
    }
}

impl Matches {
    /// The first condition that does not hold.
    pub(super) fn miss(&self, asked: &Asked<'_>) -> Option<Miss> {
        if !self.methods.is_empty() && !self.methods.contains(asked.method) {
            return Some(Miss::Method);
        }
        if !self.clients.is_empty() && !self.clients.iter().any(|it| holds(*it, asked.client)) {
            return Some(Miss::Client);
        }
        for (name, pattern) in &self.headers {
            if !header(asked.headers, name, pattern) {
                return Some(Miss::Header(name.clone()));
            }
        }
        for (name, pattern) in &self.cookies {
            if !cookie(asked.headers, name.as_str(), pattern) {
                return Some(Miss::Cookie(name.clone()));
            }
        }
        for (name, pattern) in &self.query {
            if !parameter(asked.query, name, pattern) {
                return Some(Miss::Query(name.clone()));
            }
        }
        None
    }
}

/// Whether an address is one of a prefix. IPv4 addresses in IPv6 clothes count as IPv4.
fn holds(prefix: Prefix, address: IpAddr) -> bool {
    let length = u32::from(prefix.length());
    match (prefix.address(), address.to_canonical()) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            let differ = first.to_bits() ^ address.to_bits();
            differ.leading_zeros() >= length
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            let differ = first.to_bits() ^ address.to_bits();
            differ.leading_zeros() >= length
        }
        _ => false,
    }
}

fn header(headers: &HeaderMap, name: &HeaderName, pattern: &ValuePattern) -> bool {
    headers.get_all(name).iter().any(|value| match pattern {
        ValuePattern::Present => true,
        ValuePattern::Is(wanted) => value.as_bytes() == wanted.as_bytes(),
        ValuePattern::Matches(_) => {
            std::str::from_utf8(value.as_bytes()).is_ok_and(|value| pattern.fits(value))
        }
    })
}

/// Clients of HTTP/2 may send a header for each cookie (RFC 9113 section 8.2.3).
fn cookie(headers: &HeaderMap, name: &str, pattern: &ValuePattern) -> bool {
    let all = headers.get_all(COOKIE).iter();
    let all = all.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    all.flat_map(cookies).any(|(key, value)| key == name && pattern.fits(value))
}

fn parameter(query: Option<&str>, name: &str, pattern: &ValuePattern) -> bool {
    query.unwrap_or_default().split('&').any(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        decoded(key) == name && pattern.fits(&decoded(value))
    })
}
