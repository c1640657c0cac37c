//! What must hold for listeners and their routes.

use std::collections::{BTreeMap, HashMap};

use super::{Problem, Subject, missing_pool};
use crate::model::{Action, Desired, Listener, Name, Protocol, Service, Vip};

/// Checks every listener.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    let (mut sockets, mut logs) = (BTreeMap::new(), BTreeMap::new());
    for (name, listener) in &desired.listeners {
        if let Some(other) = sockets.insert(listener.listen, name) {
            let message = format!(
                "listener `{name}` listens on {}, as listener `{other}` does; give each its own address or port, or put the routes of both on one",
                listener.listen
            );
            found.push(Problem::of_listener(name, "listen", message));
        }
        found.extend(hidden_by_service(desired, name, listener));
        redirected(name, listener, found);
        routes(desired, name, listener, found);
        if let Some(log) = &listener.access_log {
            let (other, format) = *logs.entry(&log.to).or_insert((name, log.format));
            if format != log.format {
                let message = format!(
                    "listener `{name}` writes to {} as {}, and listener `{other}` as {}; give both one `format`, or each its own file",
                    log.to,
                    log.format.name(),
                    format.name()
                );
                found.push(Problem::of_listener(name, "access-log", message));
            }
        }
    }
}

/// Packets to a VIP are forwarded before any socket can see them.
fn hidden_by_service(desired: &Desired, name: &Name, listener: &Listener) -> Option<Problem> {
    let hides = |(_, service): &(&Name, &Service)| {
        let Vip { address, last_port, protocol } = service.listen;
        let ports = address.port()..=last_port.max(address.port());
        protocol == Protocol::Tcp
            && address.ip() == listener.listen.ip()
            && ports.contains(&listener.listen.port())
    };
    let (service, entry) = desired.services.iter().find(hides)?;
    let message = format!(
        "listener `{name}` listens on {}, whose packets service `{service}` ({}) forwards before a socket can see them; give one of them another address or port",
        listener.listen, entry.listen
    );
    Some(Problem::of_listener(name, "listen", message))
}

/// What is sent to https cannot come back here, and leaves nothing for most routes.
fn redirected(name: &Name, listener: &Listener, found: &mut Vec<Problem>) {
    let Some(port) = listener.redirect_to_https else { return };
    if port == listener.listen.port() {
        let message = format!(
            "listener `{name}` sends everything to port {port}, where it listens itself, without TLS; give the port of a listener of protocol https"
        );
        found.push(Problem::of_listener(name, "redirect-to-https", message));
    }
    if !listener.trusted_proxies.is_empty() {
        return;
    }
    for (nth, route) in listener.routes.iter().enumerate() {
        if !route.is_for_challenges() {
            let message = format!(
                "route {} of listener `{name}` takes nothing, because all that comes by http goes to https (`redirect-to-https`); remove it, or name the proxies who may say that it came by https (`trusted-proxies`)",
                nth + 1
            );
            let subject = Subject::Route(name.clone(), nth);
            found.push(Problem { subject, key: Some(""), message });
        }
    }
}

fn routes(desired: &Desired, name: &Name, listener: &Listener, found: &mut Vec<Problem>) {
    // Conditions in words are as exact as the conditions.
    let mut seen = HashMap::new();
    for (nth, route) in listener.routes.iter().enumerate() {
        let mut report = |key, message| {
            let subject = Subject::Route(name.clone(), nth);
            found.push(Problem { subject, key: Some(key), message });
        };
        if let Action::Pools(shares) = &route.action {
            let key = if shares.len() == 1 { "pool" } else { "pools" };
            for share in shares {
                let who = format!("route {} of listener `{name}`", nth + 1);
                if let Some(message) = missing_pool(desired, &who, &share.pool) {
                    report(key, message);
                }
            }
        }
        let first = *seen.entry(route.matches.words()).or_insert(nth);
        if first != nth {
            let message = format!(
                "route {} of listener `{name}` has the conditions of route {}, which takes all its requests; remove one of them, or give it another condition",
                nth + 1,
                first + 1
            );
            report("", message);
        }
    }
}
