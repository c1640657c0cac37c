//! `[[listener]]`: a socket of the daemon, and what happens to requests on it.

mod access_log;
mod action;
mod client;
mod compression;
mod conditions;
mod edits;
mod following;
mod pages;
mod proxies;
mod redirect;
mod tls;

use std::collections::BTreeMap;

use super::{Draft, ServicePlaces, name};
use crate::{
    config::{findings::Findings, reader::Section, vocabulary::route::ROUTE},
    model::{Listener, ListenerProtocol, Name, Route, listener::listen_address},
};

const PROTOCOLS: [(&str, ListenerProtocol); 4] = [
    ("http", ListenerProtocol::Http),
    ("https", ListenerProtocol::Https),
    ("tcp", ListenerProtocol::Tcp),
    ("tls-passthrough", ListenerProtocol::TlsPassthrough),
];

/// Conditions and changes that only mean something where requests are read.
const OF_REQUESTS: [&str; 18] = [
    "path",
    "path-prefix",
    "path-regex",
    "method",
    "header",
    "cookie",
    "query",
    "redirect",
    "respond",
    "rewrite-prefix",
    "rewrite-regex",
    "rewrite-host",
    "set-request-headers",
    "add-request-headers",
    "remove-request-headers",
    "set-response-headers",
    "add-response-headers",
    "remove-response-headers",
];

/// Keys of a route that rules may point at.
const PLACES: [&str; 2] = ["pool", "pools"];

pub(super) fn read(section: &Section<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let name = name(section, findings);
    let listen = section.require("listen", findings);
    let listen = listen.and_then(|field| field.parsed(listen_address, findings));
    let protocol = match section.get("protocol") {
        Some(field) => field.choice(&PROTOCOLS, &[], findings),
        None => Some(ListenerProtocol::Http),
    };
    let routes = routes(section, protocol, findings);
    let tls = tls::read(section, protocol, findings);
    let client = client::read(section, protocol, findings);
    let pages = pages::read(section, protocol, findings);
    let access_log = access_log::read(section, protocol, findings);
    let compression = compression::read(section, protocol, findings);
    let trusted = proxies::read(section, findings);
    let announced = proxies::announced(section, protocol, &trusted, findings);
    let following = following::read(section, protocol, findings);
    let redirect = redirect::read(section, protocol, findings);
    section.refuse_others(findings);
    let Some(name) = name else { return };
    if let Some(first) = draft.places.listener_names.get(&name.value) {
        let what = format!("listener `{}`", name.value);
        findings.add_duplicate(name.span.start, &what, *first, "give each listener its own name");
        return;
    }
    draft.places.listener_names.insert(name.value.clone(), name.span.start);
    let (
        Some(listen),
        Some(protocol),
        Some((routes, places)),
        Ok(tls),
        Ok(client),
        Ok(error_pages),
        Ok(access_log),
        Ok(compression),
        Ok(trusted_proxies),
        Ok(proxy_protocol),
        Ok(redirect_to_https),
    ) = (
        listen,
        protocol,
        routes,
        tls,
        client,
        pages,
        access_log,
        compression,
        trusted,
        announced,
        redirect,
    )
    else {
        return;
    };
    let place = |key| Some((key, section.get(key)?.offset()));
    let keys = ["listen", "pool", "access-log", "redirect-to-https"];
    let keys = keys.into_iter().filter_map(place).collect();
    let own = ServicePlaces { start: section.start(), keys };
    draft.places.listeners.insert(name.value.clone(), own);
    for (nth, place) in places.into_iter().enumerate() {
        draft.places.routes.insert((name.value.clone(), nth), place);
    }
    let listener = Listener {
        listen: listen.value,
        protocol,
        routes,
        tls,
        client,
        error_pages,
        access_log,
        compression,
        trusted_proxies,
        proxy_protocol,
        following,
        redirect_to_https,
    };
    draft.desired.listeners.insert(name.value, listener);
}

/// The routes with their places, if all could be read. The `pool` of the listener is a last route.
fn routes(
    section: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Option<(Vec<Route>, Vec<ServicePlaces>)> {
    let sections = section.several(&ROUTE, findings);
    let mut all_right = !sections.unread;
    let (mut routes, mut places) = (Vec::new(), Vec::new());
    for section in &sections.list {
        refuse_unread(section, protocol, findings);
        match route(section, findings) {
            Some(route) => {
                routes.push(route);
                places.push(places_of(section));
            }
            None => all_right = false,
        }
    }
    if let Some(field) = section.get("pool") {
        match field.parsed(str::parse::<Name>, findings) {
            Some(pool) => {
                routes.push(Route::all_to(pool.value));
                let keys = BTreeMap::from([("pool", field.offset())]);
                places.push(ServicePlaces { start: field.offset(), keys });
            }
            None => all_right = false,
        }
    } else if sections.list.is_empty()
        && all_right
        && !section.has_stand_in("pool")
        && section.get("redirect-to-https").is_none_or(|it| it.value.as_bool() == Some(false))
    {
        let message = "this [[listener]] has neither `pool` nor a route; add `pool = \"NAME\"`, or a `[[listener.route]]` below it";
        findings.add(section.start(), message);
        all_right = false;
    }
    all_right.then_some((routes, places))
}

/// What is not read cannot be matched or changed.
fn refuse_unread(
    section: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) {
    let (why, host) = match protocol {
        Some(ListenerProtocol::Tcp) => (
            "a listener of protocol tcp passes bytes on without reading them; remove it, or use http or https",
            true,
        ),
        Some(ListenerProtocol::TlsPassthrough) => (
            "a listener of protocol tls-passthrough reads nothing but the name that the client asks for (`host`); remove it, or end TLS with https",
            false,
        ),
        _ => return,
    };
    for key in OF_REQUESTS.into_iter().chain(host.then_some("host")) {
        section.refuse(key, why, findings);
    }
}

fn places_of(section: &Section<'_>) -> ServicePlaces {
    let place = |key| Some((key, section.get(key)?.offset()));
    ServicePlaces { start: section.start(), keys: PLACES.into_iter().filter_map(place).collect() }
}

fn route(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Route> {
    let matches = conditions::read(section, findings);
    let action = action::read(section, findings);
    let edits = edits::read(section, findings);
    section.refuse_others(findings);
    Some(Route { matches: matches?, action: action?, edits: edits? })
}
