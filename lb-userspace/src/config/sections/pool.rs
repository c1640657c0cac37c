//! `[[pool]]`: a named set of backends.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::SocketAddr,
    time::Duration,
};

use lb_common::time::MAX_TIMEOUT;
use toml_span::{
    Spanned,
    value::{Value, ValueInner},
};

use super::{Draft, health, name, upstream};
use crate::{
    config::{
        field::{Field, describe},
        findings::Findings,
        reader::Section,
        vocabulary::{BACKEND, HEALTH, upstream::HTTP},
    },
    model::{
        Backend, BackendState, Pool, Weight,
        duration::{DurationError, duration_within},
        names::backend_address,
    },
};

/// Backends with where they are.
type Backends = BTreeMap<SocketAddr, (Backend, usize)>;

pub(super) fn read(section: &Section<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let name = name(section, findings);
    let backends = backends(section, findings);
    let health = section.single(&HEALTH, findings);
    let health = health.and_then(|section| health::read(&section, findings));
    let http = section.single(&HTTP, findings);
    let http = http.map(|section| upstream::read(&section, findings)).unwrap_or_default();
    let drain_timeout = section.get("drain-timeout");
    let drain_timeout = drain_timeout.and_then(|field| field.parsed(drain_time, findings));
    section.refuse_others(findings);
    let Some(name) = name else {
        draft.unnamed_pool = true;
        return;
    };
    if let Some(first) = draft.places.pools.get(&name.value) {
        let what = format!("pool `{}`", name.value);
        findings.add_duplicate(name.span.start, &what, *first, "give each pool its own name");
        return;
    }
    draft.places.pools.insert(name.value.clone(), name.span.start);
    let drain_timeout = drain_timeout.map(|timeout| timeout.value);
    let mut pool = Pool { backends: BTreeMap::new(), health, drain_timeout, http };
    for (address, (backend, at)) in backends {
        pool.backends.insert(address, backend);
        draft.places.backends.insert((name.value.clone(), address), at);
    }
    draft.desired.pools.insert(name.value, pool);
}

fn drain_time(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, Duration::ZERO, MAX_TIMEOUT)
}

fn backends(section: &Section<'_>, findings: &mut Findings<'_>) -> Backends {
    let mut backends = Backends::new();
    let array = section.require("backends", findings).and_then(|field| field.array(findings));
    for value in array.into_iter().flatten() {
        let Some((address, backend)) = backend(value, findings) else { continue };
        let at = address.span.start;
        match backends.entry(address.value) {
            Entry::Vacant(vacant) => _ = vacant.insert((backend, at)),
            Entry::Occupied(first) => {
                let what = format!("backend {}", address.value);
                let first = first.get().1;
                findings.add_duplicate(at, &what, first, "list each backend of a pool once");
            }
        }
    }
    backends
}

fn backend(
    value: &Value<'_>,
    findings: &mut Findings<'_>,
) -> Option<(Spanned<SocketAddr>, Backend)> {
    match value.as_ref() {
        ValueInner::String(_) => {
            let field = Field { key: "backends", value, example: "" };
            let address = field.parsed(backend_address, findings)?;
            Some((address, Backend::default()))
        }
        ValueInner::Table(_) => {
            let section = Section::of(value, &BACKEND)?;
            let address = section.require("address", findings);
            let address = address.and_then(|field| field.parsed(backend_address, findings));
            let weight = section.get("weight").and_then(|field| weight(&field, findings));
            section.refuse_others(findings);
            let weight = weight.unwrap_or_default();
            Some((address?, Backend { weight, state: BackendState::Enabled }))
        }
        _ => {
            let message = format!(
                "a backend must be a string or a table, not {}; write `\"172.17.0.4:1001\"` or `{{ address = \"172.17.0.4:1001\", weight = 2 }}`",
                describe(value)
            );
            findings.add(value.span.start, &message);
            None
        }
    }
}

fn weight(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<Weight> {
    field.right(Weight::try_from(field.integer(findings)?), findings)
}
