//! One value of a section as the type that it must have.

use std::fmt::Display;

use thiserror::Error;
use toml_span::{
    Spanned,
    value::{Array, Table, Value, ValueInner},
};

use super::{findings::Findings, suggest::nearest};

/// A number out of its range.
#[derive(Debug, Error)]
#[error("{given} is out of range; use {least} to {most}")]
struct RangeError {
    given: i64,
    least: u64,
    most: u64,
}

/// A key that is there, with its value.
pub(super) struct Field<'v> {
    pub(super) key: &'static str,
    pub(super) value: &'v Value<'v>,
    /// How the line could read.
    pub(super) example: &'static str,
}

impl<'v> Field<'v> {
    /// Where the value begins.
    pub(super) fn offset(&self) -> usize {
        self.value.span.start
    }

    /// A string.
    pub(super) fn text(&self, findings: &mut Findings<'_>) -> Option<&'v str> {
        self.expect("a string", self.value.as_str(), findings)
    }

    /// An integer.
    pub(super) fn integer(&self, findings: &mut Findings<'_>) -> Option<i64> {
        self.expect("an integer", self.value.as_integer(), findings)
    }

    /// An integer that has bounds, both of them allowed.
    pub(super) fn number(&self, least: u32, most: u32, findings: &mut Findings<'_>) -> Option<u32> {
        let number = self.large(least.into(), most.into(), findings)?;
        u32::try_from(number).ok()
    }

    /// The same of one that may need more than 32 bits.
    pub(super) fn large(&self, least: u64, most: u64, findings: &mut Findings<'_>) -> Option<u64> {
        let given = self.integer(findings)?;
        let number = u64::try_from(given).ok().filter(|number| (least..=most).contains(number));
        self.right(number.ok_or(RangeError { given, least, most }), findings)
    }

    /// Yes or no.
    pub(super) fn boolean(&self, findings: &mut Findings<'_>) -> Option<bool> {
        self.expect("true or false", self.value.as_bool(), findings)
    }

    /// An array.
    pub(super) fn array(&self, findings: &mut Findings<'_>) -> Option<&'v Array<'v>> {
        self.expect("an array", self.value.as_array(), findings)
    }

    /// A table.
    pub(super) fn table(&self, findings: &mut Findings<'_>) -> Option<&'v Table<'v>> {
        self.expect("a table", self.value.as_table(), findings)
    }

    /// A string that a parser takes.
    pub(super) fn parsed<T, E: Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
        findings: &mut Findings<'_>,
    ) -> Option<Spanned<T>> {
        let value = self.right(parse(self.text(findings)?), findings)?;
        Some(Spanned::with_span(value, self.value.span))
    }

    /// A value that was made from this one, or the problem with it.
    pub(super) fn right<T, E: Display>(
        &self,
        made: Result<T, E>,
        findings: &mut Findings<'_>,
    ) -> Option<T> {
        match made {
            Ok(value) => Some(value),
            Err(error) => {
                findings.add(self.offset(), &error.to_string());
                None
            }
        }
    }

    /// One of a few words. Those of `later` are part of the design, but not of this version.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&'static str, T)],
        later: &[&str],
        findings: &mut Findings<'_>,
    ) -> Option<T> {
        let given = self.text(findings)?;
        if let Some((_, chosen)) = choices.iter().find(|(word, _)| *word == given) {
            return Some(*chosen);
        }
        let key = self.key;
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let words_given = words.join(", ");
        let near = nearest(given, words.into_iter());
        findings.add(
            self.offset(),
            &match near {
                _ if later.contains(&given) => {
                    format!("`{key} = \"{given}\"` is not in this version yet; use one of: {words_given}")
                }
                Some(near) => format!("`{given}` is not a `{key}`; did you mean `{near}`?"),
                None => format!("`{given}` is not a `{key}`; use one of: {words_given}"),
            },
        );
        None
    }

    fn expect<T>(
        &self,
        expected: &str,
        found: Option<T>,
        findings: &mut Findings<'_>,
    ) -> Option<T> {
        if found.is_none() {
            let Self { key, value, example } = self;
            let message =
                format!("`{key}` must be {expected}, not {}; write `{example}`", describe(value));
            findings.add(self.offset(), &message);
        }
        found
    }
}

/// What a value is, in the words of a message.
pub(super) fn describe(value: &Value<'_>) -> String {
    match value.as_ref() {
        ValueInner::String(text) => format!("the string \"{text}\""),
        ValueInner::Integer(number) => format!("the integer {number}"),
        ValueInner::Float(number) => format!("the number {number}"),
        ValueInner::Boolean(truth) => format!("the boolean {truth}"),
        ValueInner::Array(_) => "an array".to_owned(),
        ValueInner::Table(_) => "a table".to_owned(),
    }
}
