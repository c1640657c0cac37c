//! The conditions of a route.

use hyper::Method;
use thiserror::Error;

use super::edits::header_name;
use crate::{
    config::{field::Field, findings::Findings, reader::Section},
    model::{
        route::{Matches, PathPattern, Pattern, ValuePattern},
        upstream::CookieName,
    },
};

/// Something is wrong, and was reported.
pub(super) struct Reported;

/// A method that is none.
#[derive(Debug, Error)]
#[error("`{given}` is not a method; write it in capitals, such as `GET`")]
struct MethodError {
    given: String,
}

/// The conditions, if all of them are right.
pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Matches> {
    let hosts = strings(section, "host", str::parse, findings);
    let path = path(section, findings);
    let methods = strings(section, "method", method, findings);
    let headers = values(section, "header", header_name, findings);
    let cookies = values(section, "cookie", str::parse::<CookieName>, findings);
    let query = values(section, "query", |name| Ok::<_, MethodError>(name.to_owned()), findings);
    let clients = strings(section, "client", str::parse, findings);
    Some(Matches {
        hosts: hosts?,
        path: path.ok()?,
        methods: methods?,
        headers: headers?,
        cookies: cookies?,
        query: query?,
        clients: clients?,
    })
}

/// At most one of the three keys for a path.
fn path(
    section: &Section<'_>,
    findings: &mut Findings<'_>,
) -> Result<Option<PathPattern>, Reported> {
    let keys = ["path", "path-prefix", "path-regex"];
    let mut given = keys.into_iter().filter_map(|key| section.get(key));
    let Some(field) = given.next() else { return Ok(None) };
    if let Some(second) = given.next() {
        let message = format!(
            "`{}` and `{}` are two conditions on the path; keep one, or write two routes",
            field.key, second.key
        );
        findings.add(second.offset(), &message);
        return Err(Reported);
    }
    let parse = match field.key {
        "path" => PathPattern::path,
        "path-prefix" => PathPattern::prefix,
        _ => |given: &str| given.parse::<Pattern>().map(PathPattern::Regex),
    };
    field.parsed(parse, findings).map(|read| Some(read.value)).ok_or(Reported)
}

fn method(given: &str) -> Result<Method, MethodError> {
    let wrong = || MethodError { given: given.to_owned() };
    if given.is_empty() || !given.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Err(wrong());
    }
    given.parse().map_err(|_| wrong())
}

/// A string or an array of strings, each of which a parser takes; empty if the key is not there.
pub(super) fn strings<T, E: std::fmt::Display>(
    section: &Section<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
    findings: &mut Findings<'_>,
) -> Option<Vec<T>> {
    let Some(field) = section.get(key) else { return Some(Vec::new()) };
    if field.value.as_str().is_some() {
        return Some(vec![field.parsed(parse, findings)?.value]);
    }
    let mut all_right = true;
    let mut read = Vec::new();
    let values = field.array(findings)?;
    if values.is_empty() {
        findings.add(
            field.offset(),
            &format!("`{key}` is empty, so the route would never match; remove it"),
        );
        return None;
    }
    for value in values {
        let entry = Field { key, value, example: field.example };
        match entry.parsed(&parse, findings) {
            Some(value) => read.push(value.value),
            None => all_right = false,
        }
    }
    all_right.then_some(read)
}

/// A table of names and values to match; empty if the key is not there.
fn values<N, E: std::fmt::Display>(
    section: &Section<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<N, E>,
    findings: &mut Findings<'_>,
) -> Option<Vec<(N, ValuePattern)>> {
    table(section, key, parse, str::parse::<ValuePattern>, findings)
}

/// A table of strings whose keys and values parsers take; empty if the key is not there.
pub(super) fn table<N, V, E: std::fmt::Display, F: std::fmt::Display>(
    section: &Section<'_>,
    key: &'static str,
    name: impl Fn(&str) -> Result<N, E>,
    value: impl Fn(&str) -> Result<V, F>,
    findings: &mut Findings<'_>,
) -> Option<Vec<(N, V)>> {
    let Some(field) = section.get(key) else { return Some(Vec::new()) };
    let mut all_right = true;
    let mut read = Vec::new();
    for (given, entry) in field.table(findings)? {
        let name = match name(&given.name) {
            Ok(name) => Some(name),
            Err(error) => {
                findings.add(given.span.start, &error.to_string());
                None
            }
        };
        let entry = Field { key, value: entry, example: field.example };
        match (name, entry.parsed(&value, findings)) {
            (Some(name), Some(value)) => read.push((name, value.value)),
            _ => all_right = false,
        }
    }
    all_right.then_some(read)
}
