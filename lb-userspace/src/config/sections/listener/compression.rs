//! `compression`: how answers are coded for clients that can decode it.

use super::conditions::Reported;
use crate::{
    config::{field::Field, findings::Findings, reader::Section},
    model::{ListenerProtocol, listener::Coding},
};

const CODINGS: [(&str, Coding); 3] =
    [("zstd", Coding::Zstd), ("br", Coding::Brotli), ("gzip", Coding::Gzip)];

/// Codings in the order in which they are preferred; none unless they are given.
pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<Vec<Coding>, Reported> {
    let Some(field) = listener.get("compression") else { return Ok(Vec::new()) };
    if let Some(protocol) = protocol.filter(|protocol| !protocol.reads_requests()) {
        let why = format!("a listener of protocol {} reads no answers; remove it", protocol.name());
        listener.refuse("compression", &why, findings);
        return Err(Reported);
    }
    let given = field.array(findings).ok_or(Reported)?;
    if given.is_empty() {
        let message = "`compression` is empty; name codings, or remove it";
        findings.add(field.offset(), message);
        return Err(Reported);
    }
    let mut codings = Vec::new();
    let mut all_right = true;
    for value in given {
        let one = Field { key: "compression", value, example: field.example };
        match one.choice(&CODINGS, &[], findings) {
            Some(coding) if codings.contains(&coding) => {
                let message = format!("`{}` stands twice; remove one", coding.name());
                findings.add(one.offset(), &message);
                all_right = false;
            }
            Some(coding) => codings.push(coding),
            None => all_right = false,
        }
    }
    all_right.then_some(codings).ok_or(Reported)
}
