//! `error-pages`: what clients see in place of our own answers that are errors.

use std::{collections::BTreeMap, path::PathBuf};

use thiserror::Error;

use super::conditions::Reported;
use crate::{
    config::{field::Field, findings::Findings, reader::Section, sections::daemon::absolute_path},
    model::ListenerProtocol,
};

/// A key that is no status of an error.
#[derive(Debug, Error)]
#[error("`{given}` is no status of an error; use 400 to 599")]
struct StatusError {
    given: String,
}

pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<BTreeMap<u16, PathBuf>, Reported> {
    let mut pages = BTreeMap::new();
    let Some(field) = listener.get("error-pages") else { return Ok(pages) };
    if let Some(protocol) = protocol.filter(|protocol| !protocol.reads_requests()) {
        let why = format!("a listener of protocol {} answers nothing; remove it", protocol.name());
        listener.refuse("error-pages", &why, findings);
        return Err(Reported);
    }
    let mut all_right = true;
    for (given, value) in field.table(findings).ok_or(Reported)? {
        let status = status(&given.name);
        if let Err(error) = &status {
            findings.add(given.span.start, &error.to_string());
        }
        let path = Field { key: "error-pages", value, example: field.example };
        match (status, path.parsed(absolute_path, findings)) {
            (Ok(status), Some(path)) => {
                pages.insert(status, findings.names_page(path));
            }
            _ => all_right = false,
        }
    }
    all_right.then_some(pages).ok_or(Reported)
}

fn status(given: &str) -> Result<u16, StatusError> {
    let wrong = || StatusError { given: given.to_owned() };
    let status = given.parse().ok().filter(|status| (400..=599).contains(status));
    status.filter(|_| given.len() == 3).ok_or_else(wrong)
}
