//! How requests are spread over the backends of a pool, and what happens when one fails: the
//! settings of `[pool.http]`, which mean nothing to packets.

use std::{fmt, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use hyper::header::HeaderName;
use thiserror::Error;

use super::{duration::text, listener::CertificateFiles};

/// Settings of a pool for requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    /// How backends speak.
    pub speaks: Speaks,
    /// TLS towards them.
    pub tls: Option<UpstreamTls>,
    /// In which version of the PROXY protocol each connection says whom it is for.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Which backend a request goes to.
    pub balance: Balance,
    /// Name of the cookie that keeps a client with its backend.
    pub sticky_cookie: Option<CookieName>,
    /// How long a backend that comes or comes back takes to get its whole share.
    pub slow_start: Duration,
    /// Most requests that a backend has at one time.
    pub max_connections: Option<NonZeroU32>,
    /// Most requests that wait while every backend has its most.
    pub queue: u32,
    /// How long they wait.
    pub queue_timeout: Duration,
    /// How long a connection to a backend may take.
    pub connect_timeout: Duration,
    /// How long a backend may take to begin its answer, from when it has the request.
    pub first_byte_timeout: Duration,
    /// How long a body may stand still, in either direction.
    pub idle_timeout: Duration,
    /// How long a request may take altogether.
    pub total_timeout: Option<Duration>,
    /// How long a connection of another protocol than HTTP may stand still.
    pub tunnel_timeout: Duration,
    /// How often a request is sent again at most.
    pub retries: u8,
    /// So many failures in a row put a backend out; 0 is never.
    pub eject_after: u32,
    /// For how long.
    pub eject_time: Duration,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            speaks: Speaks::H1,
            tls: None,
            proxy_protocol: None,
            balance: Balance::RoundRobin,
            sticky_cookie: None,
            slow_start: Duration::ZERO,
            max_connections: None,
            queue: 256,
            queue_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            first_byte_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_mins(1),
            total_timeout: None,
            tunnel_timeout: Duration::from_hours(1),
            retries: 2,
            eject_after: 5,
            eject_time: Duration::from_secs(10),
        }
    }
}

impl Upstream {
    /// Every setting in the words of the file, always in the same order.
    pub fn words(&self) -> [(&'static str, String); 17] {
        let none = || "none".to_owned();
        let cookie = self.sticky_cookie.as_ref().map(|cookie| cookie.as_str().to_owned());
        [
            ("protocol", self.speaks.name().to_owned()),
            ("tls", self.tls.as_ref().map_or_else(none, ToString::to_string)),
            ("proxy-protocol", self.proxy_protocol.map_or_else(none, |it| it.name().to_owned())),
            ("balance", self.balance.to_string()),
            ("sticky-cookie", cookie.unwrap_or_else(none)),
            ("slow-start", text(self.slow_start)),
            ("max-connections", self.max_connections.map_or_else(none, |it| it.to_string())),
            ("queue", self.queue.to_string()),
            ("queue-timeout", text(self.queue_timeout)),
            ("connect-timeout", text(self.connect_timeout)),
            ("first-byte-timeout", text(self.first_byte_timeout)),
            ("idle-timeout", text(self.idle_timeout)),
            ("total-timeout", self.total_timeout.map_or_else(none, text)),
            ("tunnel-timeout", text(self.tunnel_timeout)),
            ("retries", self.retries.to_string()),
            ("eject-after", self.eject_after.to_string()),
            ("eject-time", text(self.eject_time)),
        ]
    }
}

/// How backends speak.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Speaks {
    /// HTTP/1.1.
    #[default]
    H1,
    /// HTTP/2.
    H2,
    /// HTTP/2 or HTTP/1.1, as each backend says by ALPN.
    Auto,
}

impl Speaks {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
            Self::Auto => "auto",
        }
    }
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Bytes.
    V2,
}

impl ProxyProtocol {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// TLS towards backends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamTls {
    /// Certificates that theirs must be signed by. Without, any will do.
    pub ca: Option<PathBuf>,
    /// The name that is asked for and must be theirs; their address if there is none.
    pub name: Option<String>,
    /// The certificate that we show, and its key.
    pub own: Option<CertificateFiles>,
}

impl fmt::Display for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ca {
            Some(ca) => write!(f, "verified by {}", ca.display())?,
            None => f.write_str("not verified")?,
        }
        if let Some(name) = &self.name {
            write!(f, ", name {name}")?;
        }
        if let Some(own) = &self.own {
            write!(f, ", certificate {}", own.certificate.display())?;
        }
        Ok(())
    }
}

/// Which backend a request goes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Balance {
    /// The next one; shares are spread evenly over time.
    RoundRobin,
    /// The one with the fewest requests for its weight.
    LeastRequests,
    /// The better of two that are drawn.
    TwoChoices,
    /// One that is drawn.
    Random,
    /// The owner of a slot of the ring.
    Hash(HashKey),
}

/// What the slot of a request depends on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HashKey {
    /// The address of the client.
    Client,
    /// The value of a header.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie(CookieName),
}

/// The name of a cookie: a token of RFC 9110 section 5.6.2.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookieName(String);

/// Why a setting was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum UpstreamError {
    /// The name of a cookie.
    #[error("`{given}` is not the name of a cookie: use letters, digits, `-` and `_`")]
    Cookie {
        /// What was given.
        given: String,
    },
    /// What to hash.
    #[error("`{given}` is nothing to hash by: write `client`, `header:NAME` or `cookie:NAME`")]
    Key {
        /// What was given.
        given: String,
    },
}

impl CookieName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CookieName {
    type Err = UpstreamError;

    fn from_str(given: &str) -> Result<Self, UpstreamError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if given.is_empty() || !given.bytes().all(legal) {
            return Err(UpstreamError::Cookie { given: given.to_owned() });
        }
        Ok(Self(given.to_owned()))
    }
}

impl FromStr for HashKey {
    type Err = UpstreamError;

    fn from_str(given: &str) -> Result<Self, UpstreamError> {
        let wrong = || UpstreamError::Key { given: given.to_owned() };
        match given.split_once(':') {
            None if given == "client" => Ok(Self::Client),
            Some(("header", name)) => name.parse().map(Self::Header).map_err(|_| wrong()),
            Some(("cookie", name)) => name.parse().map(Self::Cookie),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoundRobin => f.write_str("round-robin"),
            Self::LeastRequests => f.write_str("least-requests"),
            Self::TwoChoices => f.write_str("two-choices"),
            Self::Random => f.write_str("random"),
            Self::Hash(HashKey::Client) => f.write_str("hash of client"),
            Self::Hash(HashKey::Header(name)) => write!(f, "hash of header {name}"),
            Self::Hash(HashKey::Cookie(name)) => write!(f, "hash of cookie {}", name.0),
        }
    }
}
