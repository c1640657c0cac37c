//! `[[service]]`: a VIP whose packets go to a pool.

use toml_span::Spanned;

use super::{Draft, ServicePlaces, Unfinished, name};
use crate::{
    config::{findings::Findings, reader::Section, vocabulary::FORWARD_LATER},
    model::{Forward, Name, Service, Vip, names::interface_name},
};

const FORWARDS: [(&str, Forward); 2] = [("nat", Forward::Nat), ("dsr", Forward::Dsr)];

/// What could be read of a service.
struct Parts {
    start: usize,
    name: Option<Spanned<Name>>,
    listen: Option<Spanned<Vip>>,
    pool: Option<Spanned<Name>>,
    forward: Option<Forward>,
    vip_interface: Option<String>,
}

pub(super) fn read(section: &Section<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut parts = parts(section, findings);
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

fn parts(section: &Section<'_>, findings: &mut Findings<'_>) -> Parts {
    let listen = section.require("listen", findings);
    let pool = section.require("pool", findings);
    let vip_interface = section.get("vip-interface");
    let parts = Parts {
        start: section.start(),
        name: name(section, findings),
        listen: listen.and_then(|field| field.parsed(str::parse, findings)),
        pool: pool.and_then(|field| field.parsed(str::parse, findings)),
        forward: match section.get("forward") {
            Some(field) => field.choice(&FORWARDS, FORWARD_LATER, findings),
            None => Some(Forward::Nat),
        },
        vip_interface: vip_interface
            .and_then(|field| field.parsed(interface_name, findings))
            .map(|name| name.value),
    };
    section.refuse_others(findings);
    parts
}

fn put(parts: Parts, draft: &mut Draft) {
    let Parts { start, name, listen, pool, forward, vip_interface } = parts;
    let Some(pool) = pool else { return };
    match (name, listen, forward) {
        (Some(name), Some(listen), Some(forward)) => {
            let places = ServicePlaces { start, listen: listen.span.start, pool: pool.span.start };
            draft.places.services.insert(name.value.clone(), places);
            let (listen, pool) = (listen.value, pool.value);
            let service = Service { vip_interface, ..Service::new(listen, pool, forward) };
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
