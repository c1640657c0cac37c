//! `[[interface]]`: where packets arrive.

use super::Draft;
use crate::{
    config::{findings::Findings, reader::Section},
    model::{AttachMode, Interface, names::interface_name},
};

const MODES: [(&str, AttachMode); 3] =
    [("auto", AttachMode::Auto), ("native", AttachMode::Native), ("generic", AttachMode::Generic)];

pub(super) fn read(section: &Section<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let name = section.require("name", findings);
    let name = name.and_then(|field| field.parsed(interface_name, findings));
    let mode = section.get("mode").and_then(|field| field.choice(&MODES, &[], findings));
    section.refuse_others(findings);
    let Some(name) = name else { return };
    if let Some(first) = draft.places.interfaces.get(&name.value) {
        let what = format!("interface `{}`", name.value);
        findings.add_duplicate(name.span.start, &what, *first, "list each interface once");
        return;
    }
    draft.places.interfaces.insert(name.value.clone(), name.span.start);
    let interface = Interface { name: name.value, mode: mode.unwrap_or_default() };
    draft.desired.interfaces.push(interface);
}
