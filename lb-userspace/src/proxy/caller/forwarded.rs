//! `Forwarded` (RFC 7239): elements in a list, of which each proxy appends one with whom it has before it, and what was
//! asked of it.
//!
//! The list is taken apart from the right. What is left of the element of a trusted proxy may be anything, such as a
//! quote that never ends; from the left, that would swallow all that the proxies have written.

use std::{borrow::Cow, net::IpAddr};

use hyper::{
    HeaderMap,
    header::{FORWARDED, HeaderValue},
};

use super::{Said, Scheme, x_forwarded::address};
use crate::{
    model::PrefixSet,
    proxy::strict::{Host, is_token},
};

/// What trusted proxies say in this header. Of scheme and host, what the outermost of them says.
pub(super) fn read(headers: &HeaderMap, trusted: &PrefixSet) -> Said {
    let mut said = Said::default();
    let values = headers.get_all(FORWARDED).iter().rev();
    let elements = values.flat_map(|value| Elements(Some(value.as_bytes())));
    for given in elements.map(<[u8]>::trim_ascii).filter(|given| !given.is_empty()) {
        let Some(element) = Element::parse(given) else { break };
        said.scheme = element.scheme.or(said.scheme);
        said.host = element.host.or(said.host);
        let Some(address) = element.address else { break };
        said.hops.push(address);
        if !trusted.contains(address) {
            break;
        }
    }
    said
}

/// What stands between the commas outside of quotes, from the right.
struct Elements<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.take()?;
        let mut quoted = false;
        for (at, byte) in rest.iter().enumerate().rev() {
            match byte {
                b'"' if quoted => quoted = is_escaped(rest, at),
                b'"' => quoted = true,
                b',' if !quoted => {
                    self.0 = rest.get(..at);
                    return rest.get(at + 1..);
                }
                _ => {}
            }
        }
        Some(rest)
    }
}

/// Whether an odd number of backslashes stands in front.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// What one proxy says.
#[derive(Debug, Default)]
struct Element {
    /// Whom it speaks for, unless it hides that (section 6.3).
    address: Option<IpAddr>,
    scheme: Option<Scheme>,
    host: Option<HeaderValue>,
}

impl Element {
    /// Pairs of names and values, each at most once (section 4). Nothing if they are anything else.
    fn parse(given: &[u8]) -> Option<Self> {
        let mut element = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut rest = given.trim_ascii();
        while !rest.is_empty() {
            if let [b';', behind @ ..] = rest {
                // Empty pairs are allowed.
                rest = behind.trim_ascii_start();
                continue;
            }
            let (name, value, behind) = pair(rest)?;
            if seen.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return None;
            }
            seen.push(name);
            match name {
                _ if name.eq_ignore_ascii_case(b"for") => {
                    element.address = std::str::from_utf8(&value).ok().and_then(node);
                }
                _ if name.eq_ignore_ascii_case(b"proto") => element.scheme = Scheme::parse(&value),
                _ if name.eq_ignore_ascii_case(b"host") => {
                    let host = HeaderValue::from_bytes(&value).ok();
                    element.host = host.filter(|host| Host::parse(host.as_bytes()).is_some());
                }
                _ => {}
            }
            rest = behind.trim_ascii_start();
            if !matches!(rest, [] | [b';', ..]) {
                return None;
            }
        }
        Some(element)
    }
}

/// A name, its value, and what stands behind.
type Pair<'a> = (&'a [u8], Cow<'a, [u8]>, &'a [u8]);

/// The pair that a text begins with. White space around a `;` is not in the grammar, but some write it.
fn pair(text: &[u8]) -> Option<Pair<'_>> {
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let name = text.get(..equals).filter(|name| is_name(name))?;
    let value = text.get(equals + 1..)?;
    if let [b'"', rest @ ..] = value {
        let (value, behind) = unquoted(rest)?;
        return Some((name, Cow::Owned(value), behind));
    }
    // Some leave out the quotes of an IPv6 address or a port.
    let is_of_value = |byte: u8| is_token(byte) || b"[]:".contains(&byte);
    let end = value.iter().position(|byte| !is_of_value(*byte)).unwrap_or(value.len());
    let (value, behind) = value.split_at_checked(end)?;
    (!value.is_empty()).then_some((name, Cow::Borrowed(value), behind))
}

/// The text of a quoted string behind its first quote, and what stands behind its last (RFC 9110 section 5.6.4).
fn unquoted(rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut at = 0;
    loop {
        match rest.get(at)? {
            b'"' => return Some((text, rest.get(at + 1..)?)),
            b'\\' => {
                at += 1;
                text.push(*rest.get(at)?);
            }
            byte => text.push(*byte),
        }
        at += 1;
    }
}

/// An address, with or without a port (section 6). A port may be hidden, too.
fn node(given: &str) -> Option<IpAddr> {
    address(given).or_else(|| {
        let (before, port) = given.rsplit_once(':')?;
        let is_hidden = port.strip_prefix('_').is_some_and(|name| !name.is_empty());
        address(before).filter(|_| is_hidden && (before.ends_with(']') || !before.contains(':')))
    })
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token(*byte))
}
