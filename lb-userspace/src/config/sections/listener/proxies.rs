//! `trusted-proxies`: who is believed when it says whom it speaks for.

use std::collections::BTreeSet;

use super::conditions::Reported;
use crate::{
    config::{field::Field, findings::Findings, reader::Section},
    model::Prefix,
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
