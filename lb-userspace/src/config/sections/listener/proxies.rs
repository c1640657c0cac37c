//! `trusted-proxies` and `proxy-protocol`: who is believed when it says whom it speaks for, and whether it says
//! so in front of all else.

use std::collections::BTreeSet;

use super::conditions::Reported;
use crate::{
    config::{field::Field, findings::Findings, reader::Section},
    model::{ListenerProtocol, Prefix},
};

/// An address or a prefix, or several in an array. An empty one is nobody, as is none.
pub(super) fn read(
    listener: &Section<'_>,
    findings: &mut Findings<'_>,
) -> Result<BTreeSet<Prefix>, Reported> {
    let Some(field) = listener.get("trusted-proxies") else { return Ok(BTreeSet::new()) };
    let values = match field.value.as_str() {
        Some(_) => vec![field.value],
        None => field.array(findings).ok_or(Reported)?.iter().collect(),
    };
    let prefixes = values.iter().map(|value| {
        let entry = Field { key: field.key, value, example: "\"192.0.2.0/24\"" };
        entry.parsed(str::parse::<Prefix>, findings).map(|prefix| prefix.value)
    });
    // All are looked at, so that every mistake is told.
    let prefixes: Vec<_> = prefixes.collect();
    prefixes.into_iter().collect::<Option<_>>().ok_or(Reported)
}

/// Whether connections of proxies begin with a header of the PROXY protocol.
pub(super) fn announced(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    trusted: &Result<BTreeSet<Prefix>, Reported>,
    findings: &mut Findings<'_>,
) -> Result<bool, Reported> {
    let announced = match listener.get("proxy-protocol") {
        Some(field) => field.boolean(findings).ok_or(Reported)?,
        None => false,
    };
    let is_nobody = trusted.as_ref().is_ok_and(BTreeSet::is_empty);
    if announced && is_nobody && !listener.has_stand_in("trusted-proxies") {
        let why = "anybody could say to be anybody by it; add `trusted-proxies`, the addresses of the proxies that are in front";
        listener.refuse("proxy-protocol", why, findings);
    }
    if let Some(protocol) = protocol
        && !announced
        && !protocol.reads_requests()
    {
        let why = format!(
            "a listener of protocol {} reads no headers of requests, so proxies can only say by the PROXY protocol whom they speak for; add `proxy-protocol = true`, or remove it",
            protocol.name()
        );
        listener.refuse("trusted-proxies", &why, findings);
    }
    Ok(announced)
}
