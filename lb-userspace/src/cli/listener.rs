//! `shunt listener`: where requests arrive, and how many took which route.

use std::fmt::Write as _;

use super::{
    Outcome, format,
    table::{
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{AccessLogView, ListenerView},
    },
    model::Name,
};

pub(super) async fn list(client: &Client, json: bool) -> anyhow::Result<Outcome> {
    let listeners: Vec<ListenerView> = client.get("/v1/listeners").await?;
    Outcome::view(listeners.as_slice(), json, table)
}

pub(super) async fn show(client: &Client, name: &Name, json: bool) -> anyhow::Result<Outcome> {
    let listener: ListenerView = client.get(&format!("/v1/listeners/{name}")).await?;
    Outcome::view(&listener, json, words)
}

/// All listeners, a line each.
pub(super) fn table(listeners: &[ListenerView]) -> String {
    let mut table = Table::new(&[
        Text("LISTENER"),
        Text("LISTEN"),
        Text("PROTOCOL"),
        Number("ROUTES"),
        Number("OPEN"),
        Number("CONNECTIONS"),
        Number("REQUESTS"),
        Number("5XX"),
    ]);
    for listener in listeners {
        let errors = listener.answers.get("5xx").copied().unwrap_or_default();
        table.row([
            listener.name.to_string(),
            listener.listen.to_string(),
            listener.protocol.name().to_owned(),
            format::thousands(listener.routes.len() as u64),
            format::thousands(listener.open_connections as u64),
            format::thousands(listener.connections),
            format::thousands(listener.answers.values().sum()),
            format::thousands(errors),
        ]);
    }
    table.to_string()
}

pub(super) fn words(listener: &ListenerView) -> String {
    let answers: Vec<_> = listener
        .answers
        .iter()
        .map(|(class, count)| format!("{class} {}", format::thousands(*count)))
        .collect();
    let open = format::thousands(listener.open_connections as u64);
    let lines = [
        ("listen", listener.listen.to_string()),
        ("protocol", listener.protocol.name().to_owned()),
        ("connections", format!("{open} open of {}", format::thousands(listener.connections))),
        ("answers", if answers.is_empty() { "none".to_owned() } else { answers.join(", ") }),
        ("no route", format::thousands(listener.unrouted)),
        ("over limits", over_limits(listener)),
    ];
    let announced =
        (listener.unannounced > 0).then(|| ("no header", format::thousands(listener.unannounced)));
    let redirect = listener.redirect_to_https;
    let redirect = redirect.map(|port| ("redirect", format!("to https at port {port}")));
    let log = listener.access_log.as_ref().map(access_log);
    let lines = lines.into_iter().chain(announced).chain(redirect).chain(log);
    let mut out = format!("listener {}\n", listener.name);
    for (what, text) in lines {
        _ = writeln!(out, "  {what:11}  {text}");
    }
    let mut table = Table::new(&[
        Number("ROUTE"),
        Text("CONDITIONS"),
        Text("ACTION"),
        Text("CHANGES"),
        Number("REQUESTS"),
    ]);
    for (nth, route) in listener.routes.iter().enumerate() {
        table.row([
            (nth + 1).to_string(),
            conditions(&route.conditions),
            route.action.clone(),
            if route.changes.is_empty() { "-".to_owned() } else { route.changes.join(", ") },
            format::thousands(route.requests),
        ]);
    }
    format!("{out}\n{table}")
}

/// Where its lines go, and what became of them.
fn access_log(log: &AccessLogView) -> (&'static str, String) {
    let AccessLogView { to, format, written, lost, error } = log;
    let (written, lost) = (format::thousands(*written), format::thousands(*lost));
    let mut text = format!("{to} as {}, {written} lines written, {lost} lost", format.name());
    if let Some(error) = error {
        _ = write!(text, "; cannot be written: {error}");
    }
    ("access log", text)
}

/// What was refused because a client had too many of it.
fn over_limits(listener: &ListenerView) -> String {
    let [connections, requests] =
        [listener.over_max_connections, listener.over_rate_limit].map(format::thousands);
    format!("{connections} connections, {requests} requests")
}

/// Conditions in one cell.
pub(super) fn conditions(words: &[String]) -> String {
    if words.is_empty() { "everything".to_owned() } else { words.join(", ") }
}
