//! `[[service]]`: a VIP whose packets go to a pool.

mod lists;
mod settings;
mod source;

use std::collections::BTreeMap;

use toml_span::Spanned;

pub(in crate::config) use self::lists::Files;
use self::settings::Settings;
use super::{Draft, ServicePlaces, Unfinished, name};
use crate::{
    config::{findings::Findings, reader::Section},
    model::{Forward, Name, Service, Vip},
};

const FORWARDS: [(&str, Forward); 5] = [
    ("nat", Forward::Nat),
    ("full-nat", Forward::FullNat),
    ("dsr", Forward::Dsr),
    ("ipip", Forward::Ipip),
    ("gue", Forward::Gue),
];

/// Keys that rules may point at.
const PLACES: [&str; 9] = [
    "listen",
    "pool",
    "forward",
    "source",
    "udp",
    "scheduler",
    "allow",
    "new-flows",
    "new-flows-per-source",
];

/// What could be read of a service.
struct Parts {
    start: usize,
    name: Option<Spanned<Name>>,
    listen: Option<Spanned<Vip>>,
    pool: Option<Spanned<Name>>,
    forward: Option<Forward>,
    /// Nothing if one is wrong that rules look at.
    settings: Option<Settings>,
    /// Byte offsets of [`PLACES`].
    places: BTreeMap<&'static str, usize>,
}

pub(super) fn read(section: &Section<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut parts = parts(section, draft, findings);
    if let Some(name) = &parts.name {
        if let Some(first) = draft.places.service_names.get(&name.value) {
            let what = format!("service `{}`", name.value);
            let what_to_do = "give each service its own name";
            findings.add_duplicate(name.span.start, &what, *first, what_to_do);
            parts.name = None;
        } else {
            draft.places.service_names.insert(name.value.clone(), name.span.start);
        }
    }
    put(parts, draft);
}

fn parts(section: &Section<'_>, draft: &mut Draft, findings: &mut Findings<'_>) -> Parts {
    let listen = section.require("listen", findings);
    let pool = section.require("pool", findings);
    let place = |key| Some((key, section.get(key)?.offset()));
    let parts = Parts {
        start: section.start(),
        name: name(section, findings),
        listen: listen.and_then(|field| field.parsed(str::parse, findings)),
        pool: pool.and_then(|field| field.parsed(str::parse, findings)),
        forward: match section.get("forward") {
            Some(field) => field.choice(&FORWARDS, &[], findings),
            None => Some(Forward::Nat),
        },
        settings: settings::read(section, draft, findings),
        places: PLACES.into_iter().filter_map(place).collect(),
    };
    section.refuse_others(findings);
    if let Some(settings) = &parts.settings {
        let listen = parts.listen.as_ref().map(|listen| listen.value);
        settings.refuse_idle_words(section, listen, parts.forward, findings);
    }
    parts
}

fn put(parts: Parts, draft: &mut Draft) {
    let Parts { start, name, listen, pool, forward, settings, places } = parts;
    let Some(pool) = pool else { return };
    match (name, listen, forward, settings) {
        (Some(name), Some(listen), Some(forward), Some(settings)) => {
            draft.places.services.insert(name.value.clone(), ServicePlaces { start, keys: places });
            let mut service = settings.apply(Service::new(listen.value, pool.value, forward));
            let mut others = draft.desired.services.values();
            if let Some(other) = others.find(|other| other.access == service.access) {
                // Equal lists are shared.
                service.access = other.access.clone();
            }
            draft.desired.services.insert(name.value, service);
        }
        (name, ..) => {
            let who = match name {
                Some(name) => format!("service `{}`", name.value),
                None => "this service".to_owned(),
            };
            draft.unfinished.push(Unfinished { who, pool });
        }
    }
}
