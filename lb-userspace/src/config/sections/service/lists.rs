//! `allow` and `deny` of a service, and the files that they can be in.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use toml_span::value::ValueInner;

use crate::{
    config::{
        field::{Field, describe},
        findings::Findings,
        reader::Section,
        sections::{Draft, daemon::absolute_path},
    },
    model::{Access, Prefix, Rule, access::AccessError},
};

/// How many problems of one file are reported; a file of another kind has one in each line.
const MOST_REPORTED: usize = 10;

/// Lists by the file that they are in. Several services may name one.
#[derive(Default)]
pub(in crate::config) struct Files(BTreeMap<PathBuf, Option<Rc<[Line]>>>);

/// A prefix, and the line that it is in.
type Line = (usize, Prefix);

/// Both lists; nothing if something is wrong with them.
pub(super) fn read(
    section: &Section<'_>,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) -> Option<Access> {
    let mut access = Access::default();
    let mut all_right = true;
    let lists = [(Rule::Allow, "allow", "allow-file"), (Rule::Deny, "deny", "deny-file")];
    for (rule, key, file_key) in lists {
        let (field, file) = (section.get(key), section.get(file_key));
        if let Some(field) = &field {
            all_right &= inline(field, rule, &mut access, findings);
        }
        if let Some(file) = &file {
            all_right &= from_file(file, rule, &mut access, draft, findings);
        }
        let given = field.or(file).filter(|_| all_right && rule == Rule::Allow);
        if let Some(given) = given.filter(|_| !access.allows()) {
            all_right = false;
            let message = format!(
                "`{}` has no prefix, so it would serve nobody; name who is served, or remove it",
                given.key
            );
            findings.add(given.offset(), &message);
        }
    }
    all_right.then_some(access)
}

/// Adds the prefixes of an array. Whether all are right.
fn inline(field: &Field<'_>, rule: Rule, access: &mut Access, findings: &mut Findings<'_>) -> bool {
    let ValueInner::Array(values) = field.value.as_ref() else {
        let found = describe(field.value);
        let message =
            format!("`{}` must be an array, not {found}; write `{}`", field.key, field.example);
        findings.add(field.offset(), &message);
        return false;
    };
    let mut all_right = true;
    for value in values {
        let entry = Field { key: field.key, value, example: "\"192.0.2.0/24\"" };
        let Some(prefix) = entry.parsed(str::parse::<Prefix>, findings) else {
            all_right = false;
            continue;
        };
        if let Some(error) = contrary(access.add(rule, prefix.value)) {
            all_right = false;
            findings.add(entry.offset(), &error);
        }
    }
    all_right
}

/// Adds the prefixes of a file. Whether all are right.
fn from_file(
    field: &Field<'_>,
    rule: Rule,
    access: &mut Access,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) -> bool {
    let Some(path) = field.parsed(absolute_path, findings) else { return false };
    let path = path.value;
    let read = || lines(field, &path, findings);
    let lines = draft.files.0.entry(path.clone()).or_insert_with(read).clone();
    let Some(lines) = lines else { return false };
    let mut all_right = true;
    for (line, prefix) in lines.iter() {
        if let Some(error) = contrary(access.add(rule, *prefix)) {
            all_right = false;
            findings.add_elsewhere(&path.display().to_string(), *line, &error);
        }
    }
    all_right
}

/// The prefixes of a file; nothing if it cannot be read, or something in it is wrong.
fn lines(field: &Field<'_>, path: &Path, findings: &mut Findings<'_>) -> Option<Rc<[Line]>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!(
                "`{}`: {} cannot be read: {error}; make it readable text, with a prefix in each line",
                field.key,
                path.display()
            );
            findings.add(field.offset(), &message);
            return None;
        }
    };
    let (mut read, mut wrong) = (Vec::new(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        let prefix = line.split('#').next().unwrap_or_default().trim();
        if prefix.is_empty() {
            continue;
        }
        match prefix.parse::<Prefix>() {
            Ok(prefix) => read.push((number, prefix)),
            Err(error) => {
                wrong += 1;
                if wrong <= MOST_REPORTED {
                    let file = path.display().to_string();
                    findings.add_elsewhere(&file, number, &error.to_string());
                }
            }
        }
    }
    if wrong > MOST_REPORTED {
        let more = wrong - MOST_REPORTED;
        let message = format!(
            "{more} more lines of {} are wrong; is it a list with a prefix in each line?",
            path.display()
        );
        findings.add(field.offset(), &message);
    }
    (wrong == 0).then(|| read.into())
}

/// What is wrong with a prefix that is there already: nothing, if it is in the same list.
fn contrary(added: Result<(), AccessError>) -> Option<String> {
    match added {
        Ok(()) | Err(AccessError::Present { .. }) => None,
        Err(AccessError::Contrary { prefix, rule }) => Some(format!(
            "{prefix} is in `{}`, too, and cannot be both; remove it in one of the two (a longer prefix makes an exception)",
            rule.other().name()
        )),
        Err(error) => Some(error.to_string()),
    }
}
