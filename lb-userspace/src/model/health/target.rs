//! What an HTTP probe asks for and expects: path, host, status codes.

use std::{fmt, net::IpAddr, num::NonZeroU16, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest path in bytes; servers commonly refuse a request line of 8 KiB.
const LONGEST_PATH: usize = 4096;
/// Longest host name in bytes, and longest part between its dots (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Codes that can end a request (RFC 9110 section 15): 1xx precede another.
const CODES: RangeInclusive<u16> = 200..=599;

/// Why a part of an HTTP probe was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum TargetError {
    /// A path.
    #[error(
        "`{given}` is not a path: begin it with `/`, write other characters than letters, digits and `-._~!$&'()*+,;=:@/?` as percent escapes, such as `%20`, and use at most {LONGEST_PATH} bytes"
    )]
    Path {
        /// What was given.
        given: String,
    },
    /// A host.
    #[error(
        "`{given}` is not a host: write a host name or an IP address, with a port if need be, such as `www.example.org` or `www.example.org:8080`"
    )]
    Host {
        /// What was given.
        given: String,
    },
    /// Status codes.
    #[error(
        "`{given}` is no list of status codes: write codes from 200 to 599 or ranges of them, such as `200`, `200-399` or `200,204,301-303`"
    )]
    Status {
        /// What was given.
        given: String,
    },
}

/// The target of a request: a path, and a query if need be (RFC 9112 section 3.2.1).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path(String);

impl Path {
    /// As it stands in a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Path {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for Path {
    type Err = TargetError;

    fn from_str(given: &str) -> Result<Self, TargetError> {
        // RFC 3986 section 3.3: `pchar`, `/` and `?`.
        let legal =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
        let fits = given.starts_with('/') && given.len() <= LONGEST_PATH;
        if fits && given.bytes().all(legal) && given.split('%').skip(1).all(begins_with_hex) {
            Ok(Self(given.to_owned()))
        } else {
            Err(TargetError::Path { given: given.to_owned() })
        }
    }
}

/// Whether a percent sign before this text is an escape.
fn begins_with_hex(text: &str) -> bool {
    text.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The `Host` of a request: a name or an address, with a port if need be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host {
    name: String,
    port: Option<NonZeroU16>,
}

impl Host {
    /// The name or address alone, without the brackets of IPv6.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Host {
    type Err = TargetError;

    fn from_str(given: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError::Host { given: given.to_owned() };
        if given.parse::<IpAddr>().is_ok() {
            return Ok(Self { name: given.to_owned(), port: None });
        }
        let (host, port) = match given.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (given, None),
        };
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let right = match inner {
            Some(inner) => inner.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()),
            None => is_name(host) || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()),
        };
        let name = inner.unwrap_or(host).to_owned();
        if right { Ok(Self { name, port }) } else { Err(wrong()) }
    }
}

/// Whether a text is a host name, and not a mistyped IPv4 address.
fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.chars().all(legal)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= LONGEST_NAME
        && text.split('.').all(label)
        && !last.chars().all(|c| c.is_ascii_digit())
}

/// As it stands in a request (RFC 9110 section 7.2).
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(f, "[{name}]")?;
        } else {
            f.write_str(name)?;
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Status codes that are a success.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Whether a code is one of them.
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }
}

impl Default for Statuses {
    /// Every answer that is neither the client's fault nor the server's.
    fn default() -> Self {
        Self(vec![200..=399])
    }
}

impl FromStr for Statuses {
    type Err = TargetError;

    fn from_str(given: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError::Status { given: given.to_owned() };
        let code = |text: &str| text.parse::<u16>().ok().filter(|code| CODES.contains(code));
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (code(first.trim())?, code(last.trim())?);
            (first <= last).then_some(first..=last)
        };
        let ranges: Option<Vec<_>> = given.split(',').map(|text| range(text.trim())).collect();
        ranges.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, range) in self.0.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Each is a string in JSON.
macro_rules! as_string {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = TargetError;

            fn try_from(given: String) -> Result<Self, TargetError> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_string!(Path, Host, Statuses);
