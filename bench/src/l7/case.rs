//! What is measured: which work, done by whom.

use std::fmt;

/// What clients do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Work {
    /// Small answers over connections that stay.
    KeepAlive,
    /// The same over TLS.
    KeepAliveTls,
    /// A connection for each request.
    Connections,
    /// A connection with a full handshake of TLS for each request.
    Handshakes,
    /// Answers of 1 MiB over connections that stay.
    Large,
    /// Small answers over connections of HTTP/2 with several requests at a time.
    Http2,
}

impl Work {
    pub(crate) const ALL: [Self; 6] = [
        Self::KeepAlive,
        Self::KeepAliveTls,
        Self::Connections,
        Self::Handshakes,
        Self::Large,
        Self::Http2,
    ];

    /// Its name in listings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::KeepAliveTls => "keep-alive-tls",
            Self::Connections => "connection-per-request",
            Self::Handshakes => "tls-handshake-per-request",
            Self::Large => "1-mib-bodies",
            Self::Http2 => "http2",
        }
    }

    /// Requests of one measurement in a full run: about a second of them.
    pub(crate) const fn requests(self) -> u32 {
        match self {
            Self::KeepAlive | Self::KeepAliveTls | Self::Http2 => 40_000,
            Self::Connections => 8_000,
            Self::Handshakes => 2_000,
            Self::Large => 1_200,
        }
    }

    /// Whether clients speak TLS.
    pub(crate) const fn is_secure(self) -> bool {
        matches!(self, Self::KeepAliveTls | Self::Handshakes)
    }

    /// Who can do it.
    pub(crate) const fn by(self) -> &'static [Who] {
        use Who::{
            Direct, Haproxy, Nginx, NginxLogged, NginxStream, Shunt, ShuntL4, ShuntLogged,
            ShuntManyRoutes, ShuntRoutes,
        };
        match self {
            Self::KeepAlive => &[
                Direct,
                ShuntL4,
                Shunt,
                NginxStream,
                Nginx,
                Haproxy,
                ShuntRoutes,
                ShuntManyRoutes,
                ShuntLogged,
                NginxLogged,
            ],
            Self::Connections | Self::Large => {
                &[Direct, ShuntL4, Shunt, NginxStream, Nginx, Haproxy]
            }
            Self::KeepAliveTls | Self::Handshakes | Self::Http2 => &[Shunt, Nginx, Haproxy],
        }
    }
}

/// Who stands between clients and backends.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Who {
    /// Nobody: the balancer's host routes.
    Direct,
    /// A layer-4 service of Shunt.
    ShuntL4,
    /// A listener of Shunt.
    Shunt,
    /// One with ten routes.
    ShuntRoutes,
    /// One with ten thousand.
    ShuntManyRoutes,
    /// One with an access log.
    ShuntLogged,
    /// nginx, `stream`.
    NginxStream,
    /// nginx, `http`.
    Nginx,
    /// The same with an access log.
    NginxLogged,
    /// `HAProxy`, `mode http`.
    Haproxy,
}

impl Who {
    /// Its name in listings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "routed",
            Self::ShuntL4 => "shunt-service",
            Self::Shunt => "shunt-listener",
            Self::ShuntRoutes => "shunt-10-routes",
            Self::ShuntManyRoutes => "shunt-10k-routes",
            Self::ShuntLogged => "shunt-access-log",
            Self::NginxStream => "nginx-stream",
            Self::Nginx => "nginx-http",
            Self::NginxLogged => "nginx-access-log",
            Self::Haproxy => "haproxy-http",
        }
    }

    /// The port of the balancer's host where it does a work.
    pub(crate) const fn port(self, work: Work) -> u16 {
        match (self, work) {
            // The backends' own.
            (Self::Direct, _) => BACKEND_PORT,
            (Self::ShuntL4, _) => 80,
            (Self::Shunt, Work::KeepAliveTls | Work::Handshakes) => 8443,
            (Self::Shunt, _) => 8080,
            (Self::ShuntRoutes, _) => 8081,
            (Self::ShuntManyRoutes, _) => 8082,
            (Self::ShuntLogged, _) => 8083,
            (Self::NginxStream, _) => 9081,
            (Self::NginxLogged, _) => 9083,
            (Self::Nginx, Work::KeepAliveTls | Work::Handshakes) => 9443,
            (Self::Nginx, Work::Http2) => 9082,
            (Self::Nginx, _) => 9080,
            (Self::Haproxy, Work::KeepAliveTls | Work::Handshakes) => 7443,
            (Self::Haproxy, Work::Http2) => 7082,
            (Self::Haproxy, _) => 7080,
        }
    }
}

/// Port of the backends.
pub(crate) const BACKEND_PORT: u16 = 8000;

/// A row of the results.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) who: Who,
}

impl Case {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Work::ALL.into_iter().flat_map(|work| work.by().iter().map(move |&who| Self { work, who }))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.work.name(), self.who.name())
    }
}
