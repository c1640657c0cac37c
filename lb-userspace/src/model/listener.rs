//! A layer-7 entry: a socket of the daemon, and the rules for what arrives on it.

mod access_log;
mod client;
mod coding;
mod following;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

pub use self::{
    access_log::{AccessLog, LogFormat, LogTarget, SYSLOG_SOCKET},
    client::ClientLimits,
    coding::Coding,
    following::{Following, ForwardingHeaders},
};
use super::{
    Desired, Name, Prefix, Route,
    names::{ValueError, unusable},
};

/// A layer-7 listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// The address and port of its socket.
    pub listen: SocketAddr,
    /// What is spoken there.
    pub protocol: ListenerProtocol,
    /// Its routes, in the order of the file.
    pub routes: Vec<Route>,
    /// How TLS is ended, if the protocol is `https`.
    pub tls: Option<Tls>,
    /// How slow and how large a client may be.
    pub client: ClientLimits,
    /// How answers are coded for those who can decode it, the first before the others.
    pub compression: Vec<Coding>,
    /// Pages for answers of our own that are errors, by their status.
    pub error_pages: BTreeMap<u16, PathBuf>,
    /// Where requests are written down, if they are.
    pub access_log: Option<AccessLog>,
    /// Who is believed when it says whom it speaks for.
    pub trusted_proxies: BTreeSet<Prefix>,
    /// Whether each connection of theirs begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// How requests are followed.
    pub following: Following,
    /// The port of https that everything is sent to that comes without TLS.
    pub redirect_to_https: Option<u16>,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerProtocol {
    /// HTTP without TLS.
    #[default]
    Http,
    /// HTTP over TLS, which is ended here.
    Https,
    /// Anything over TCP, which is passed on.
    Tcp,
    /// TLS, which is passed on by the name that the client asks for.
    TlsPassthrough,
}

impl ListenerProtocol {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::TlsPassthrough => "tls-passthrough",
        }
    }

    /// Whether requests are read.
    pub fn reads_requests(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Whether a server has nothing to say before its client has said something.
    pub fn clients_speak_first(self) -> bool {
        self != Self::Tcp
    }
}

/// How TLS is ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tls {
    /// Certificates with their keys; the first is for clients that ask for no name that another has.
    pub certificates: Vec<CertificateFiles>,
    /// Whether such clients are refused instead.
    pub refuses_unknown: bool,
    /// The oldest version that is spoken.
    pub least: TlsVersion,
    /// Certificates that a client's must be signed by.
    pub client_ca: Option<PathBuf>,
    /// Whether a client must have one.
    pub client_certificate: ClientCertificate,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// The certificate, and those that lead to its root.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Whether a client must have a certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientCertificate {
    /// It must.
    #[default]
    Required,
    /// It need not; if it has one, that must be right.
    Optional,
}

/// Reads the address that a listener binds. Unlike that of a service, it may be any address of this
/// host, the loopback and the wildcard included.
pub fn listen_address(given: &str) -> Result<SocketAddr, ValueError> {
    let address: SocketAddr =
        given.parse().map_err(|_| ValueError::Listen { given: given.to_owned() })?;
    let why = match address.ip() {
        _ if address.port() == 0 => Some("port 0 is not a port; give the port to listen on"),
        ip if ip.is_unspecified() || ip.is_loopback() => None,
        ip => unusable(ip),
    };
    match why {
        Some(why) => Err(ValueError::Address { given: given.to_owned(), why }),
        None => Ok(address),
    }
}

impl Desired {
    /// Whether only requests go to a pool, and no packets.
    pub fn is_for_requests_only(&self, pool: &Name) -> bool {
        let sends = |route: &Route| route.pools().any(|name| name == pool);
        !self.services.values().any(|service| service.pool == *pool)
            && self.listeners.values().any(|listener| listener.routes.iter().any(sends))
    }
}
