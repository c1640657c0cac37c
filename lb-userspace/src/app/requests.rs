//! What there is to say of requests, in the API's words.

use std::{collections::BTreeMap, net::SocketAddr};

use hyper::http::uri::Authority;

use super::controller::Controller;
use crate::{
    admin::{
        RequestError,
        types::{AccessLogView, ListenerView, PassedView, RequestsView, RouteEntry, RouteView},
    },
    model::{Desired, Listener, Name, RequestQuery, Route},
    proxy::{LogCounts, Proxy},
};

/// Classes of statuses, as they are counted.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Every listener.
pub(super) fn listeners(controller: &Controller) -> Vec<ListenerView> {
    let all = &controller.desired.listeners;
    all.iter().map(|(name, listener)| view(&controller.proxy, name, listener)).collect()
}

fn view(proxy: &Proxy, name: &Name, listener: &Listener) -> ListenerView {
    let counts = proxy.listener(name).unwrap_or_default();
    let answers: BTreeMap<String, u64> = CLASSES
        .iter()
        .zip(counts.answers)
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| ((*class).to_owned(), count))
        .collect();
    let entry = |(nth, route): (usize, &Route)| RouteEntry {
        conditions: route.matches.words(),
        action: route.action.to_string(),
        changes: route.edits.words(),
        requests: counts.routes.get(nth).copied().unwrap_or_default(),
    };
    ListenerView {
        name: name.clone(),
        listen: listener.listen,
        protocol: listener.protocol,
        open_connections: counts.open,
        connections: counts.connections,
        answers,
        unrouted: counts.unrouted,
        unannounced: counts.unannounced,
        over_max_connections: counts.over_max_connections,
        over_rate_limit: counts.over_rate_limit,
        redirect_to_https: listener.redirect_to_https,
        access_log: access_log(listener, counts.log.as_ref()),
        routes: listener.routes.iter().enumerate().map(entry).collect(),
    }
}

fn access_log(listener: &Listener, counts: Option<&LogCounts>) -> Option<AccessLogView> {
    let (settings, counts) = (listener.access_log.as_ref()?, counts?);
    Some(AccessLogView {
        to: settings.to.to_string(),
        format: settings.format,
        written: counts.written,
        lost: counts.lost,
        error: counts.error.clone(),
    })
}

/// Requests to a backend; nothing if no route leads to its pool.
pub(super) fn of_backend(proxy: &Proxy, pool: &Name, address: SocketAddr) -> Option<RequestsView> {
    let counts = proxy.backend(pool, address)?;
    Some(RequestsView {
        active: counts.active,
        sent: counts.requests,
        failed: counts.failures,
        ejected: counts.ejected,
    })
}

/// Access logs that cannot be written.
pub(super) fn log_problems(desired: &Desired, proxy: &Proxy) -> Vec<String> {
    let mut found = BTreeMap::new();
    for (name, listener) in &desired.listeners {
        let counts = proxy.listener(name).and_then(|counts| counts.log);
        if let (Some(settings), Some(LogCounts { error: Some(error), lost, .. })) =
            (&listener.access_log, counts)
        {
            let text = format!(
                "access log {} cannot be written: {error}; {lost} lines are lost so far; make room, or see who reads it",
                settings.to
            );
            found.entry(&settings.to).or_insert(text);
        }
    }
    found.into_values().collect()
}

/// Listeners with a route to a pool.
pub(super) fn listeners_of(desired: &Desired, pool: &Name) -> Vec<Name> {
    let leads = |listener: &Listener| {
        listener.routes.iter().any(|route| route.pools().any(|name| name == pool))
    };
    let all = desired.listeners.iter().filter(|(_, listener)| leads(listener));
    all.map(|(name, _)| name.clone()).collect()
}

/// Which route a request would take, and why.
pub(super) fn explain(
    desired: &Desired,
    proxy: &Proxy,
    query: &RequestQuery,
) -> Result<RouteView, RequestError> {
    let found = query.listener(desired);
    let (name, listener) = found.map_err(|error| RequestError::NotFound(error.to_string()))?;
    let host = query.url.authority().map(Authority::as_str).unwrap_or_default();
    let target = (host, query.url.path(), query.url.query());
    let said = proxy.explain(name, &query.method, target, &query.headers, query.client);
    let said = said.ok_or_else(|| {
        RequestError::Failed(format!("listener {name} is not served; see the daemon's log"))
    })?;
    let route = said.route.and_then(|nth| listener.routes.get(nth));
    let passed = said.passed.into_iter().map(|passed| PassedView {
        route: passed.route + 1,
        conditions: listener
            .routes
            .get(passed.route)
            .map(|it| it.matches.words())
            .unwrap_or_default(),
        why: passed.why,
    });
    let to_https = said.to_https.map(|port| format!("redirect 308 to https at port {port}"));
    Ok(RouteView {
        listener: name.clone(),
        listen: listener.listen,
        method: query.method.to_string(),
        url: query.url.to_string(),
        client: said.client,
        route: said.route.map(|nth| nth + 1),
        conditions: route.map(|route| route.matches.words()).unwrap_or_default(),
        action: route.map(|route| route.action.to_string()).or(to_https),
        changes: route.map(|route| route.edits.words()).unwrap_or_default(),
        pools: route.map(|route| route.pools().cloned().collect()).unwrap_or_default(),
        passed: passed.collect(),
    })
}
