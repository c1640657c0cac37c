//! From the query of a request to what it asks.

use std::{fmt::Display, net::SocketAddr};

use super::{answer::Rejection, route::decoded};
use crate::{
    admin::trace::TraceQuery,
    model::{FlowQuery, RequestQuery, Vip, names, request},
};

/// How a question about a flow is written.
const FLOW: &str = "/v1/flow?from=IP:PORT&to=IP:PORT/PROTOCOL[&opening=true]";

/// Reads the query of `/v1/flow`, percent escapes included.
pub(super) fn flow(query: Option<&str>) -> Result<FlowQuery, Rejection> {
    let mut given = Given::default();
    for parameter in query.unwrap_or_default().split('&').filter(|it| !it.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        given.take(&name, &value)?;
    }
    let from = given.from.ok_or_else(|| missing("from"))?;
    let to = given.to.ok_or_else(|| missing("to"))?;
    FlowQuery::new(from, to, given.opening.unwrap_or(false))
        .map_err(|error| Rejection::malformed(error.to_string()))
}

/// How a question about a request is written.
const ROUTE: &str =
    "/v1/route?method=METHOD&url=URL[&header=NAME:VALUE]...[&client=IP][&listener=NAME]";

/// Reads the query of `/v1/route`.
pub(super) fn request(query: Option<&str>) -> Result<RequestQuery, Rejection> {
    let (mut method, mut url) = (None, None);
    let mut rest = Vec::new();
    for parameter in query.unwrap_or_default().split('&').filter(|it| !it.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        match name.as_str() {
            "method" => method = Some(value),
            "url" => url = Some(value),
            _ => rest.push((name, value)),
        }
    }
    let missing = |name: &str| {
        Rejection::malformed(format!("`{name}` is missing in the query; write {ROUTE}"))
    };
    let (method, url) = (method.unwrap_or("GET".to_owned()), url.ok_or_else(|| missing("url"))?);
    let mut query = RequestQuery::new(&method, &url)
        .map_err(|error| Rejection::malformed(error.to_string()))?;
    for (name, value) in rest {
        match name.as_str() {
            "header" => {
                let (header, value) = read("header", request::header(&value))?;
                query.headers.append(header, value);
            }
            "client" => query.client = read("client", value.parse())?,
            "listener" => query.listener = Some(read("listener", value.parse())?),
            _ => {
                return Err(Rejection::malformed(format!(
                    "`{name}` is no parameter of /v1/route; write {ROUTE}"
                )));
            }
        }
    }
    Ok(query)
}

/// Reads the query of `/v1/trace`, percent escapes included.
pub(super) fn trace(query: Option<&str>) -> Result<TraceQuery, Rejection> {
    let mut filter = None;
    for parameter in query.unwrap_or_default().split('&').filter(|it| !it.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if decode(name)? != "filter" {
            return Err(Rejection::malformed(format!(
                "`{name}` is no parameter of /v1/trace; write /v1/trace[?filter=WORDS]"
            )));
        }
        if filter.replace(decode(value)?).is_some() {
            return Err(Rejection::malformed("`filter` stands twice in the query".to_owned()));
        }
    }
    read("filter", filter.unwrap_or_default().parse())
}

/// What has been read of a query.
#[derive(Default)]
struct Given {
    from: Option<SocketAddr>,
    to: Option<Vip>,
    opening: Option<bool>,
}

impl Given {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Rejection> {
        let again = match name {
            "from" => self.from.replace(read(name, names::client_address(value))?).is_some(),
            "to" => self.to.replace(read(name, value.parse())?).is_some(),
            "opening" => self.opening.replace(read(name, yes_or_no(value))?).is_some(),
            _ => {
                return Err(Rejection::malformed(format!(
                    "`{name}` is no parameter of /v1/flow; write {FLOW}"
                )));
            }
        };
        if again {
            let error = format!("`{name}` stands twice in the query; give it once");
            return Err(Rejection::malformed(error));
        }
        Ok(())
    }
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("`{value}` is neither; write `true` or `false`"))
}

fn read<T>(name: &str, value: Result<T, impl Display>) -> Result<T, Rejection> {
    value.map_err(|error| Rejection::malformed(format!("`{name}` in the query: {error}")))
}

fn missing(name: &str) -> Rejection {
    Rejection::malformed(format!("`{name}` is missing in the query; write {FLOW}"))
}

/// Resolves percent escapes in one part of a query.
fn decode(part: &str) -> Result<String, Rejection> {
    decoded(part).ok_or_else(|| {
        Rejection::malformed(format!(
            "`{part}` in the query has a malformed percent escape; write % and two hexadecimal digits"
        ))
    })
}
