//! `shunt route`: which route and pool a request would take, and why.

use std::fmt::Write as _;

use super::{Outcome, args::RouteArgs, listener::conditions};
use crate::{
    admin::{client::Client, types::RouteView},
    model::RequestQuery,
};

pub(super) async fn route(client: &Client, args: &RouteArgs) -> anyhow::Result<Outcome> {
    // The same words about a wrong URL as the daemon has, without asking it.
    RequestQuery::new(&args.method, &args.url)?;
    let mut path = format!("/v1/route?method={}&url={}", escaped(&args.method), escaped(&args.url));
    for header in &args.headers {
        _ = write!(path, "&header={}", escaped(header));
    }
    if let Some(client) = args.client {
        _ = write!(path, "&client={client}");
    }
    if let Some(listener) = &args.listener {
        _ = write!(path, "&listener={listener}");
    }
    let view: RouteView = client.get(&path).await?;
    let outcome = Outcome::view(&view, args.output.json, words)?;
    Ok(Outcome { done: view.action.is_some(), ..outcome })
}

/// Percent escapes for all that is not plain in a query (RFC 3986 section 2.1).
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

pub(super) fn words(view: &RouteView) -> String {
    let mut lines = vec![("listener", format!("{} ({})", view.listener, view.listen))];
    for passed in &view.passed {
        let what = format!("{} ({}): {}", passed.route, conditions(&passed.conditions), passed.why);
        lines.push(("not", what));
    }
    lines.push(match view.route {
        Some(route) => ("route", format!("{route}: {}", conditions(&view.conditions))),
        None if view.action.is_some() => {
            ("route", "none, because it came by http (`redirect-to-https`)".to_owned())
        }
        None => ("route", "none, so the answer is 404".to_owned()),
    });
    lines.extend(view.action.iter().map(|action| ("action", action.clone())));
    lines.extend(view.changes.iter().map(|change| ("change", change.clone())));
    let mut out = format!("{} {} from {}\n", view.method, view.url, view.client);
    for (what, text) in lines {
        _ = writeln!(out, "  {what:8}  {text}");
    }
    out
}
