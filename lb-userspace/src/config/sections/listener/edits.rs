//! What a route changes on the way.

use hyper::header::{HeaderName, HeaderValue};
use thiserror::Error;

use super::conditions::{Reported, strings, table};
use crate::{
    config::{field::Field, findings::Findings, reader::Section, vocabulary::route::REWRITE},
    model::{
        health::{Host, TargetError},
        route::{Edits, HeaderEdits, PathPattern, PathRewrite, Pattern},
    },
};

/// Headers that say how a message is framed or where it goes, and are not the route's to change.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a header was refused.
#[derive(Debug, Error)]
pub(super) enum HeaderError {
    #[error("`{given}` is not the name of a header; use letters, digits and `-`")]
    Name { given: String },
    #[error("{given:?} cannot be the value of a header; use printable characters of ASCII")]
    Value { given: String },
    #[error(
        "`{given}` says how the message is sent, which is the proxy's business; remove it, and to change the host write `rewrite-host`"
    )]
    Framing { given: String },
}

/// The changes, if all of them are right.
pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Edits> {
    let path = path(section, findings);
    let host = match section.get("rewrite-host") {
        Some(field) => field.parsed(host, findings).map(|read| Some(read.value)),
        None => Some(None),
    };
    let keys = ["remove-request-headers", "set-request-headers", "add-request-headers"];
    let request = headers(section, keys, findings);
    let keys = ["remove-response-headers", "set-response-headers", "add-response-headers"];
    let response = headers(section, keys, findings);
    let edits = Edits { path: path.ok()?, host: host?, request: request?, response: response? };
    refuse_idle_words(section, findings);
    Some(edits)
}

/// Without a backend nobody sees the request.
fn refuse_idle_words(section: &Section<'_>, findings: &mut Findings<'_>) {
    if !section.has("redirect") && !section.has("respond") {
        return;
    }
    let why = "this route answers by itself, so no backend sees the request; remove it";
    let keys = [
        "rewrite-prefix",
        "rewrite-regex",
        "rewrite-host",
        "set-request-headers",
        "add-request-headers",
        "remove-request-headers",
    ];
    for key in keys {
        section.refuse(key, why, findings);
    }
}

fn path(
    section: &Section<'_>,
    findings: &mut Findings<'_>,
) -> Result<Option<PathRewrite>, Reported> {
    let prefix = section.get("rewrite-prefix");
    let regex = section.single(&REWRITE, findings);
    match (prefix, regex) {
        (None, None) if section.has("rewrite-regex") => Err(Reported),
        (None, None) => Ok(None),
        (Some(prefix), Some(_)) => {
            let message = "`rewrite-prefix` and `rewrite-regex` both rewrite the path; keep one";
            findings.add(prefix.offset(), message);
            Err(Reported)
        }
        (Some(field), None) => prefix_for(section, &field, findings).map(Some).ok_or(Reported),
        (None, Some(table)) => expression(&table, findings).map(Some).ok_or(Reported),
    }
}

fn prefix_for(
    section: &Section<'_>,
    field: &Field<'_>,
    findings: &mut Findings<'_>,
) -> Option<PathRewrite> {
    if !section.has("path-prefix") {
        let message = "`rewrite-prefix` replaces the prefix that the route matches, but there is no `path-prefix`; add it, or write `rewrite-regex`";
        findings.add(field.offset(), message);
        return None;
    }
    match field.parsed(PathPattern::prefix, findings)?.value {
        PathPattern::Prefix(prefix) => Some(PathRewrite::Prefix(prefix)),
        _ => None,
    }
}

fn expression(table: &Section<'_>, findings: &mut Findings<'_>) -> Option<PathRewrite> {
    let pattern = table.require("match", findings);
    let pattern = pattern.and_then(|field| field.parsed(str::parse::<Pattern>, findings));
    let to = table.require("to", findings).and_then(|field| field.text(findings));
    table.refuse_others(findings);
    Some(PathRewrite::Regex(pattern?.value, to?.to_owned()))
}

fn host(given: &str) -> Result<HeaderValue, String> {
    let host: Host = given.parse().map_err(|error: TargetError| error.to_string())?;
    HeaderValue::try_from(host.to_string()).map_err(|error| error.to_string())
}

fn headers(
    section: &Section<'_>,
    [remove, set, add]: [&'static str; 3],
    findings: &mut Findings<'_>,
) -> Option<HeaderEdits> {
    let remove = strings(section, remove, changeable, findings);
    let set = table(section, set, changeable, header_value, findings);
    let add = table(section, add, changeable, header_value, findings);
    Some(HeaderEdits { remove: remove?, set: set?, add: add? })
}

pub(super) fn header_name(given: &str) -> Result<HeaderName, HeaderError> {
    given.parse().map_err(|_| HeaderError::Name { given: given.to_owned() })
}

pub(super) fn changeable(given: &str) -> Result<HeaderName, HeaderError> {
    let name = header_name(given)?;
    if FRAMING.contains(&name.as_str()) {
        return Err(HeaderError::Framing { given: given.to_owned() });
    }
    Ok(name)
}

fn header_value(given: &str) -> Result<HeaderValue, HeaderError> {
    let wrong = || HeaderError::Value { given: given.to_owned() };
    HeaderValue::from_str(given).map_err(|_| wrong())
}
