//! `source` of a service: addresses that stand in packets to backends.

use toml_span::value::ValueInner;

use crate::{
    config::{
        field::{Field, describe},
        findings::Findings,
    },
    model::SourcePrefix,
};

/// One prefix, or a list with at most one of each family.
pub(super) fn source(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<SourcePrefix>> {
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
