//! A host with an optional port, as `Host` and request targets have it.

use std::net::Ipv6Addr;

/// The longest name of a host (RFC 1035 section 2.3.4), with some to spare for a final dot.
const LONGEST: usize = 255;

/// A host, in lower case, and its port.
#[derive(Clone, Debug, Eq)]
pub(in crate::proxy) struct Host {
    name: Vec<u8>,
    port: Option<u16>,
    /// What no port means, where that is known.
    default: Option<u16>,
}

/// Without a port, the default of the scheme is meant; where no scheme is known, either default will do.
impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        let default = self.default.or(other.default);
        self.name == other.name && self.port.or(default) == other.port.or(default)
    }
}

impl Host {
    /// `HOST` or `HOST:PORT`; an IPv6 address in brackets (RFC 3986 section 3.2.2).
    pub(in crate::proxy) fn parse(text: &[u8]) -> Option<Self> {
        let (name, port) = parts(text)?;
        Some(Self { name: name.to_ascii_lowercase(), port, default: None })
    }

    /// Whether this is what [`Self::parse`] takes.
    pub(super) fn is_one(text: &[u8]) -> bool {
        parts(text).is_some()
    }

    /// With a port that is meant where none is given.
    pub(super) fn with_default(self, port: u16) -> Self {
        Self { default: Some(port), ..self }
    }

    pub(in crate::proxy) const fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Name and port.
fn parts(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let (name, port) = if text.first() == Some(&b'[') {
        let end = text.iter().position(|byte| *byte == b']')?;
        let (name, rest) = text.split_at_checked(end + 1)?;
        let inside = name.get(1..end)?;
        std::str::from_utf8(inside).ok()?.parse::<Ipv6Addr>().ok()?;
        (name, rest)
    } else {
        let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
        text.split_at_checked(end)?
    };
    let port = match port {
        [] => None,
        [b':', digits @ ..] => Some(self::port(digits)?),
        _ => return None,
    };
    let in_brackets = name.first() == Some(&b'[');
    let right = in_brackets || name.iter().all(|byte| is_of_name(*byte));
    let fits = (1..=LONGEST).contains(&name.len());
    (right && fits).then_some((name, port))
}

/// One to five digits that are a port.
fn port(digits: &[u8]) -> Option<u16> {
    let fits = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| fits)?;
    text.parse().ok().filter(|port| *port != 0)
}

/// Letters, digits, and what else names of hosts have in practice. Percent-encoding is left out: no two
/// agree on what it means there.
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
