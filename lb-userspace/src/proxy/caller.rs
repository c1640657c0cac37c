//! Who asks, and how: the client's address and scheme, as far as they are known.
//!
//! Whoever has connected is known for sure. What its headers say about whom it speaks for counts only if it is a
//! trusted proxy, and then from the right: each proxy has appended whom it had before it, so an address is believed as
//! long as all those behind it are trusted proxies. The first that is none is the client, and what stands to the left of
//! it is what the client says of itself. What cannot be read ends the search at the last address that could; it
//! never fails a request.
//!
//! Without trusted proxies nothing here is read, or allocated.

mod forwarded;
#[cfg(test)]
mod tests;
mod write;
mod x_forwarded;

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{FORWARDED, HeaderName, HeaderValue},
};

pub(super) use self::write::{Origin, put_origin, strip};
use super::{
    following::{Followed, Ids},
    snapshot::Listener,
};
use crate::model::{PrefixSet, listener::ForwardingHeaders};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Whether a request came over TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is meant where none is given.
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Schemes are compared without regard to case (RFC 3986 section 3.1).
    fn parse(text: &[u8]) -> Option<Self> {
        let all = [Self::Http, Self::Https];
        all.into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.name().as_bytes()))
    }
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Caller {
    /// The client: whoever has connected, or for whom trusted proxies say that they speak.
    pub(super) client: IpAddr,
    /// How the client asked.
    pub(super) scheme: Scheme,
    /// By what the request can be found again.
    pub(super) followed: Followed,
    /// What trusted proxies have said; nothing if whoever has connected is none.
    said: Option<Box<Said>>,
}

/// What trusted proxies say about a request.
#[derive(Debug, Default, Eq, PartialEq)]
struct Said {
    /// Whom they speak for, the nearest first. The last is the client.
    hops: Vec<IpAddr>,
    scheme: Option<Scheme>,
    /// The host that the client asked for, and the port if it is known by itself.
    host: Option<HeaderValue>,
    port: Option<u16>,
}

impl Caller {
    /// Who asks by `peer`, which has connected to a listener.
    pub(super) fn of(listener: &Listener, peer: IpAddr, headers: &HeaderMap) -> Self {
        let first = listener.following.forwarding_headers;
        Self::new(peer, listener.scheme(), &listener.trusted, first, headers)
    }

    /// The same, with that by which the request can be found again.
    pub(super) fn followed(self, listener: &Listener, headers: &HeaderMap, ids: &Ids) -> Self {
        let followed = Followed::of(&listener.following, self.is_trusted(), headers, ids);
        Self { followed, ..self }
    }

    fn new(
        peer: IpAddr,
        scheme: Scheme,
        trusted: &PrefixSet,
        first: ForwardingHeaders,
        headers: &HeaderMap,
    ) -> Self {
        if trusted.is_empty() || !trusted.contains(peer) {
            return Self { client: peer, scheme, followed: Followed::default(), said: None };
        }
        let said = Box::new(Said::read(headers, trusted, first));
        Self {
            client: said.hops.last().copied().unwrap_or(peer),
            scheme: said.scheme.unwrap_or(scheme),
            followed: Followed::default(),
            said: Some(said),
        }
    }

    /// Removes what headers say about who asks, unless it is believed: no route and no backend is to go by it.
    pub(super) fn clean(&self, headers: &mut HeaderMap) {
        if !self.is_trusted() {
            strip(headers);
        }
    }

    /// The host that the client has asked for, if a trusted proxy says so.
    pub(super) fn host(&self) -> Option<&str> {
        self.said.as_ref()?.host.as_ref()?.to_str().ok()
    }

    /// Whether a trusted proxy asks, whose headers are believed.
    pub(super) fn is_trusted(&self) -> bool {
        self.said.is_some()
    }
}

impl Said {
    /// Of two headers that may contradict each other one is read. A proxy that knows only one of them lets the other
    /// pass as the client has sent it, so what a proxy writes must not be put aside for what it may not know.
    fn read(headers: &HeaderMap, trusted: &PrefixSet, first: ForwardingHeaders) -> Self {
        let has_other =
            first == ForwardingHeaders::Forwarded || !headers.contains_key(X_FORWARDED_FOR);
        if has_other && headers.contains_key(FORWARDED) {
            forwarded::read(headers, trusted)
        } else {
            x_forwarded::read(headers, trusted)
        }
    }
}
