//! `[[service]]`: a VIP whose packets go to a pool.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use lb_common::time::MAX_TIMEOUT;
use toml_span::{Spanned, value::ValueInner};

use super::{Draft, ServicePlaces, Unfinished, name};
use crate::{
    config::{
        field::{Field, describe},
        findings::Findings,
        reader::Section,
    },
    model::{
        Forward, Name, PortRange, Protocol, Service, SourcePrefix, Udp, Vip,
        duration::{DurationError, duration_within},
        names::interface_name,
    },
};

const FORWARDS: [(&str, Forward); 5] = [
    ("nat", Forward::Nat),
    ("full-nat", Forward::FullNat),
    ("dsr", Forward::Dsr),
    ("ipip", Forward::Ipip),
    ("gue", Forward::Gue),
];

const UDPS: [(&str, Udp); 3] =
    [("stateless", Udp::Stateless), ("tracked", Udp::Tracked), ("quic", Udp::Quic)];

/// Keys that rules may point at.
const PLACES: [&str; 5] = ["listen", "pool", "forward", "source", "udp"];

/// The shortest idle timeout: about the unit that time is kept in.
const LEAST_IDLE: Duration = Duration::from_secs(1);

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

/// What need not be given.
struct Settings {
    udp: Option<Udp>,
    idle_timeout: Option<Duration>,
    source: Vec<SourcePrefix>,
    source_ports: Option<PortRange>,
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
        settings: settings(section, findings),
        places: PLACES.into_iter().filter_map(place).collect(),
    };
    section.refuse_others(findings);
    refuse_idle_words(section, &parts, findings);
    parts
}

fn settings(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Settings> {
    let udp = section.get("udp").and_then(|field| field.choice(&UDPS, &[], findings));
    let idle_timeout = value(section, "idle-timeout", idle_timeout, findings);
    let source_ports = value(section, "source-ports", str::parse::<PortRange>, findings);
    let vip_interface = value(section, "vip-interface", interface_name, findings);
    let source = match section.get("source") {
        Some(field) => source(&field, findings)?,
        None => Vec::new(),
    };
    Some(Settings { udp, idle_timeout, source, source_ports, vip_interface })
}

/// A string that need not be there.
fn value<T, E: Display>(
    section: &Section<'_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    findings: &mut Findings<'_>,
) -> Option<T> {
    let field = section.get(key)?;
    field.parsed(parse, findings).map(|read| read.value)
}

fn idle_timeout(text: &str) -> Result<Duration, DurationError> {
    duration_within(text, LEAST_IDLE, MAX_TIMEOUT)
}

/// One prefix, or a list with at most one of each family.
fn source(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<SourcePrefix>> {
    let values = match field.value.as_ref() {
        ValueInner::String(_) => vec![field.value],
        ValueInner::Array(values) => values.iter().collect(),
        _ => {
            let message = format!(
                "`source` must be a string or an array, not {}; write `{}`",
                describe(field.value),
                field.example
            );
            findings.add(field.offset(), &message);
            return None;
        }
    };
    let mut read: Vec<SourcePrefix> = Vec::new();
    let mut all_right = true;
    for value in values {
        let entry = Field { key: field.key, value, example: field.example };
        let prefix = entry.parsed(str::parse::<SourcePrefix>, findings).map(|read| read.value);
        let same_family =
            |other: &SourcePrefix| Some(other.is_ipv4()) == prefix.map(SourcePrefix::is_ipv4);
        match (prefix, read.iter().copied().find(same_family)) {
            (Some(prefix), None) => read.push(prefix),
            (Some(prefix), Some(first)) => {
                all_right = false;
                findings.add(entry.offset(), &format!(
                    "{prefix} is a second source prefix of the address family of {first}; give one of each family, a shorter one for more addresses"
                ));
            }
            (None, _) => all_right = false,
        }
    }
    all_right.then_some(read)
}

/// Keys that would be read and then have no effect.
fn refuse_idle_words(section: &Section<'_>, parts: &Parts, findings: &mut Findings<'_>) {
    let Some(settings) = &parts.settings else { return };
    if let (Some(_), Some(listen)) = (settings.udp, &parts.listen)
        && listen.value.protocol != Protocol::Udp
    {
        let why = format!(
            "{} is TCP, whose flows have an opening packet to be known by; remove it",
            listen.value
        );
        section.refuse("udp", &why, findings);
    }
    if let (Some(_), Some(forward)) = (settings.source_ports, parts.forward)
        && forward != Forward::FullNat
    {
        let why =
            format!("`{}` keeps the client's port; remove it, or use `full-nat`", forward.name());
        section.refuse("source-ports", &why, findings);
    }
}

fn put(parts: Parts, draft: &mut Draft) {
    let Parts { start, name, listen, pool, forward, settings, places } = parts;
    let Some(pool) = pool else { return };
    match (name, listen, forward, settings) {
        (Some(name), Some(listen), Some(forward), Some(settings)) => {
            draft.places.services.insert(name.value.clone(), ServicePlaces { start, keys: places });
            let service = settings.apply(Service::new(listen.value, pool.value, forward));
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

impl Settings {
    fn apply(self, service: Service) -> Service {
        Service {
            udp: self.udp.unwrap_or(service.udp),
            idle_timeout: self.idle_timeout.unwrap_or(service.idle_timeout),
            source: self.source,
            source_ports: self.source_ports.unwrap_or(service.source_ports),
            vip_interface: self.vip_interface,
            ..service
        }
    }
}
