//! A limit of how often something may happen: `{ rate = 100, burst = 200 }`.

use toml_span::value::ValueInner;

use crate::{
    config::{field::describe, findings::Findings, reader::Section, vocabulary::LIMIT},
    model::RateLimit,
};

/// A limit that need not be there; nothing at all if it is wrong.
#[expect(clippy::option_option, reason = "wrong, left out and given are three things")]
pub(super) fn limit(
    section: &Section<'_>,
    key: &'static str,
    findings: &mut Findings<'_>,
) -> Option<Option<RateLimit>> {
    let Some(field) = section.get(key) else { return Some(None) };
    let ValueInner::Table(_) = field.value.as_ref() else {
        let found = describe(field.value);
        let message = format!("`{key}` must be a table, not {found}; write `{}`", field.example);
        findings.add(field.offset(), &message);
        return None;
    };
    let table = Section::of(field.value, &LIMIT)?;
    let rate = table.require("rate", findings).and_then(|field| field.integer(findings));
    let burst = match table.get("burst") {
        Some(field) => field.integer(findings).map(Some),
        None => Some(None),
    };
    table.refuse_others(findings);
    field.right(RateLimit::new(rate?, burst?), findings).map(Some)
}
