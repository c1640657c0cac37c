//! What must hold for listeners and their routes.

use std::collections::BTreeMap;

use super::{Problem, Subject, missing_pool};
use crate::model::{Action, Desired, Listener, Name, Protocol, Route, Service};

/// Checks every listener.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    let mut sockets = BTreeMap::new();
    for (name, listener) in &desired.listeners {
        if let Some(other) = sockets.insert(listener.listen, name) {
            let message = format!(
                "listener `{name}` listens on {}, as listener `{other}` does; give each its own address or port, or put the routes of both on one",
                listener.listen
            );
            found.push(Problem::of_listener(name, "listen", message));
        }
        found.extend(hidden_by_service(desired, name, listener));
        routes(desired, name, listener, found);
    }
}

/// Packets to a VIP are forwarded before any socket can see them.
fn hidden_by_service(desired: &Desired, name: &Name, listener: &Listener) -> Option<Problem> {
    let hides = |(_, service): &(&Name, &Service)| {
        service.listen.protocol == Protocol::Tcp && listener.listen == service.listen.address
    };
    let (service, entry) = desired.services.iter().find(hides)?;
    let message = format!(
        "listener `{name}` listens on {}, whose packets service `{service}` ({}) forwards before a socket can see them; give one of them another address or port",
        listener.listen, entry.listen
    );
    Some(Problem::of_listener(name, "listen", message))
}

fn routes(desired: &Desired, name: &Name, listener: &Listener, found: &mut Vec<Problem>) {
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
        if let Some(first) = twin(&listener.routes[..nth], route) {
            let message = format!(
                "route {} of listener `{name}` has the conditions of route {}, which takes all its requests; remove one of them, or give it another condition",
                nth + 1,
                first + 1
            );
            report("", message);
        }
    }
}

/// An earlier route with the same conditions. Long lists are left alone: who writes ten thousand
/// routes has a program do it, and to compare each with each would take minutes.
fn twin(earlier: &[Route], route: &Route) -> Option<usize> {
    const MOST: usize = 1000;
    earlier.iter().take(MOST).position(|other| other.matches == route.matches)
}
