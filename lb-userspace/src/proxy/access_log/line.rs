//! What a line says, whatever it looks like.

use std::{net::IpAddr, time::Duration};

use hyper::Version;
use jiff::Timestamp;

/// Everything that is known of a request, or of a connection that was passed on. What comes from a client is bytes: it
/// may be anything.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Line<'a> {
    /// When it was there.
    pub(in crate::proxy) time: Timestamp,
    pub(in crate::proxy) listener: &'a str,
    pub(in crate::proxy) client: IpAddr,
    pub(in crate::proxy) method: Option<&'a str>,
    /// The host that it asked for, as it was given.
    pub(in crate::proxy) host: Option<&'a [u8]>,
    /// Path and query as they were sent.
    pub(in crate::proxy) uri: Option<&'a [u8]>,
    pub(in crate::proxy) protocol: Option<&'static str>,
    pub(in crate::proxy) status: Option<u16>,
    /// Bytes of bodies.
    pub(in crate::proxy) sent: u64,
    pub(in crate::proxy) received: u64,
    pub(in crate::proxy) duration: Duration,
    /// From the time above to the first byte of the backend's answer.
    pub(in crate::proxy) first_byte: Option<Duration>,
    /// The place of the route, from 1 on.
    pub(in crate::proxy) route: Option<usize>,
    pub(in crate::proxy) pool: Option<&'a str>,
    pub(in crate::proxy) backend: Option<std::net::SocketAddr>,
    pub(in crate::proxy) attempts: u32,
    /// Why there was no answer of a backend, or not all of it.
    pub(in crate::proxy) cause: Option<&'a str>,
    pub(in crate::proxy) referer: Option<&'a [u8]>,
    pub(in crate::proxy) user_agent: Option<&'a [u8]>,
    pub(in crate::proxy) request_id: Option<&'a [u8]>,
    pub(in crate::proxy) trace_id: Option<&'a [u8]>,
    pub(in crate::proxy) tls_version: Option<&'static str>,
    /// The name that was asked for in TLS.
    pub(in crate::proxy) tls_name: Option<&'a str>,
}

/// A version of HTTP as logs have it.
pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}
