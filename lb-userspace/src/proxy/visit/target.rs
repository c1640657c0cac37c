//! What a request names: host, path and query, or why it is refused.

use hyper::{Method, Request, StatusCode, Version, header::HOST, http::uri::Authority};
use tracing::debug;

use super::Refused;
use crate::{
    model::listener::ClientLimits,
    proxy::{body::ClientBody, strict, table::normal_path},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Target {
    /// The host as it was given, with its port if it has one.
    pub(super) host: String,
    /// The path, with escapes of what needs none resolved.
    pub(super) path: String,
    /// What stands behind the `?`.
    pub(super) query: Option<String>,
}

impl Target {
    pub(super) fn of(
        request: &Request<ClientBody>,
        limits: &ClientLimits,
    ) -> Result<Self, Refused> {
        let bad = |text| (StatusCode::BAD_REQUEST, text);
        let uri = request.uri();
        if request.method() == Method::CONNECT {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not for this server"));
        }
        if request.version() == Version::HTTP_2 {
            strict::look_at(request).map_err(|fault| {
                debug!("a client is refused: {fault}");
                (fault.status(), "malformed request")
            })?;
        }
        let (path, query) = (uri.path(), uri.query());
        // Of HTTP/1 this was seen to before; of HTTP/2 there is no line.
        if too_many(path.len() + query.map_or(0, str::len), limits.max_request_line) {
            return Err((StatusCode::URI_TOO_LONG, "the target is too long"));
        }
        if too_many(request.headers().len(), limits.max_headers) {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err((status, "too many headers"));
        }
        if request.body().is_too_large() {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
        }
        let mut hosts = request.headers().get_all(HOST).iter();
        let named = match (hosts.next(), hosts.next()) {
            (Some(_), Some(_)) => return Err(bad("more than one Host")),
            (Some(host), None) => Some(host.to_str().map_err(|_| bad("malformed Host"))?),
            (None, _) => None,
        };
        // RFC 9112 section 3.2.2: a target that names a host must not contradict the header.
        let host = match (uri.authority().map(Authority::as_str), named) {
            (Some(host), Some(named)) if !host.eq_ignore_ascii_case(named) => {
                return Err(bad("target and Host name two hosts"));
            }
            (Some(host), _) | (None, Some(host)) => host,
            (None, None) if request.version() < Version::HTTP_11 => "",
            (None, None) => return Err(bad("no Host")),
        };
        if host.contains(['@', '/', '\\', ' ']) {
            return Err(bad("malformed Host"));
        }
        let path = normal_path(path).into_owned();
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            // A backend may resolve them, and serve what another route is for.
            return Err(bad("dot segments in the path"));
        }
        Ok(Self { host: host.to_owned(), path, query: query.map(str::to_owned) })
    }
}

fn too_many(number: usize, limit: u32) -> bool {
    u32::try_from(number).map_or(true, |number| number > limit)
}
