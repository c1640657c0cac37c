//! From the path of a request to what it names.

use std::{net::SocketAddr, str};

use hyper::{Method, StatusCode};

use super::answer::Rejection;
use crate::model::{Name, Rule, names};

/// What a path names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Route {
    /// `/v1/status`
    Status,
    /// `/v1/services`
    Services,
    /// `/v1/services/NAME`
    Service(Name),
    /// `/v1/listeners`
    Listeners,
    /// `/v1/listeners/NAME`
    Listener(Name),
    /// `/v1/services/NAME/allow` and `/v1/services/NAME/deny`
    Sources(Name, Rule),
    /// `/v1/pools`
    Pools,
    /// `/v1/pools/NAME`
    Pool(Name),
    /// `/v1/pools/NAME/backends`
    Backends(Name),
    /// `/v1/pools/NAME/backends/ADDR:PORT`
    Backend(Name, SocketAddr),
    /// `/v1/flow`
    Flow,
    /// `/v1/route`
    Request,
    /// `/v1/trace`
    Trace,
    /// `/v1/changes`
    Changes,
    /// `/v1/apply`
    Apply,
    /// `/v1/logs/reopen`
    Logs,
    /// `/v1/detach`
    Detach,
}

impl Route {
    /// Reads a path, percent escapes included.
    pub(super) fn parse(path: &str) -> Result<Self, Rejection> {
        let segments: Vec<String> =
            path.split('/').skip(1).map(decode).collect::<Result<_, _>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Ok(match segments.as_slice() {
            ["v1", "status"] => Self::Status,
            ["v1", "services"] => Self::Services,
            ["v1", "services", service] => Self::Service(name("service", service)?),
            ["v1", "listeners"] => Self::Listeners,
            ["v1", "listeners", listener] => Self::Listener(name("listener", listener)?),
            ["v1", "services", service, "allow"] => {
                Self::Sources(name("service", service)?, Rule::Allow)
            }
            ["v1", "services", service, "deny"] => {
                Self::Sources(name("service", service)?, Rule::Deny)
            }
            ["v1", "pools"] => Self::Pools,
            ["v1", "pools", pool] => Self::Pool(name("pool", pool)?),
            ["v1", "pools", pool, "backends"] => Self::Backends(name("pool", pool)?),
            ["v1", "pools", pool, "backends", address] => {
                Self::Backend(name("pool", pool)?, backend(address)?)
            }
            ["v1", "flow"] => Self::Flow,
            ["v1", "route"] => Self::Request,
            ["v1", "trace"] => Self::Trace,
            ["v1", "changes"] => Self::Changes,
            ["v1", "apply"] => Self::Apply,
            ["v1", "logs", "reopen"] => Self::Logs,
            ["v1", "detach"] => Self::Detach,
            _ => {
                return Err(Rejection::new(
                    StatusCode::NOT_FOUND,
                    format!("there is nothing at {path}; docs/api.md lists the paths of this API"),
                ));
            }
        })
    }

    /// Refuses a method that what is named here does not take.
    pub(super) fn check(&self, method: &Method) -> Result<(), Rejection> {
        let allowed = match self {
            Self::Status
            | Self::Services
            | Self::Service(_)
            | Self::Listeners
            | Self::Listener(_)
            | Self::Request
            | Self::Sources(..)
            | Self::Pools
            | Self::Pool(_)
            | Self::Flow
            | Self::Trace => "GET",
            Self::Backends(_) => "GET, POST",
            Self::Backend(..) => "PATCH, DELETE",
            Self::Changes | Self::Apply | Self::Logs | Self::Detach => "POST",
        };
        if allowed.split(", ").any(|one| one == method.as_str()) {
            return Ok(());
        }
        Err(Rejection::method(method, allowed))
    }
}

fn name(what: &str, given: &str) -> Result<Name, Rejection> {
    given
        .parse()
        .map_err(|error| Rejection::malformed(format!("name of the {what} in the path: {error}")))
}

fn backend(given: &str) -> Result<SocketAddr, Rejection> {
    names::backend_address(given)
        .map_err(|error| Rejection::malformed(format!("backend in the path: {error}")))
}

/// Resolves percent escapes (RFC 3986 section 2.1) in one segment of a path.
fn decode(segment: &str) -> Result<String, Rejection> {
    decoded(segment).ok_or_else(|| {
        Rejection::malformed(format!(
            "`{segment}` in the path has a malformed percent escape; write % and two hexadecimal digits"
        ))
    })
}

/// What percent escapes stand for, if they are well-formed.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // `from_str_radix` takes a sign, too.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
