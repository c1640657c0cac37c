//! Access to the keys of one section: those it must have, those it may have, and all others.

use toml_span::value::{Key, Table, Value, ValueInner};

use super::{
    field::{Field, describe},
    findings::Findings,
    suggest::nearest,
    vocabulary::{Refusal, Vocabulary, Word},
};

/// A table of the file together with the keys it may have.
pub(super) struct Section<'v> {
    table: &'v Table<'v>,
    start: usize,
    words: &'static Vocabulary,
}

/// The sections of one name.
pub(super) struct Sections<'v> {
    /// Those that could be read.
    pub(super) list: Vec<Section<'v>>,
    /// Whether something of that name could not be read, and was reported.
    pub(super) unread: bool,
}

impl<'v> Section<'v> {
    /// Takes a value as a section, if it is a table.
    pub(super) fn of(value: &'v Value<'v>, words: &'static Vocabulary) -> Option<Self> {
        Some(Self { table: value.as_table()?, start: value.span.start, words })
    }

    /// Where the section begins.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Field<'v>> {
        let value = self.table.get(key)?;
        let example = self.words.word(key).map_or(key, |word| word.example);
        Some(Field { key, value, example })
    }

    /// Refuses a key that is known but has no place in this very section. `why` says so, and what
    /// to do.
    pub(super) fn refuse(&self, key: &str, why: &str, findings: &mut Findings<'_>) {
        if let Some((given, _)) = self.table.get_key_value(key) {
            findings.add(given.span.start, &format!("`{key}`: {why}"));
        }
    }

    /// A key that must be there.
    pub(super) fn require(
        &self,
        key: &'static str,
        findings: &mut Findings<'_>,
    ) -> Option<Field<'v>> {
        let field = self.get(key);
        if field.is_none() && !self.has_stand_in(key) {
            let example = self.words.word(key).map_or(key, |word| word.example);
            let title = self.words.title;
            findings.add(self.start, &format!("{title} has no `{key}`; add `{example}`"));
        }
        field
    }

    /// Whether a key that is refused anyway was meant to be this one. To call this one missing,
    /// too, would be to report one mistake twice.
    pub(super) fn has_stand_in(&self, key: &str) -> bool {
        self.table.keys().any(|given| match self.words.refusal(&given.name) {
            _ if self.words.word(&given.name).is_some() => false,
            Some(Refusal::Instead(meant, _)) => *meant == key,
            Some(_) => false,
            None => nearest(&given.name, self.words.keys()) == Some(key),
        })
    }

    /// Whether any key is there that has no meaning in this version.
    pub(super) fn refuse_others(&self, findings: &mut Findings<'_>) {
        let others = self.table.keys().filter(|key| self.words.word(&key.name).is_none());
        for key in others {
            findings.add(key.span.start, &self.words.refuse(&key.name));
        }
    }

    /// The section of a name that occurs once, if it is there.
    pub(super) fn single(
        &self,
        words: &'static Vocabulary,
        findings: &mut Findings<'_>,
    ) -> Option<Self> {
        let (key, value) = self.table.get_key_value(words.key)?;
        let section = Section::of(value, words);
        if section.is_none() {
            findings.add(key.span.start, &misshapen(key, value, words));
        }
        section
    }

    /// The sections of a name that may occur several times.
    pub(super) fn several(
        &self,
        words: &'static Vocabulary,
        findings: &mut Findings<'_>,
    ) -> Sections<'v> {
        let Some((key, value)) = self.table.get_key_value(words.key) else {
            return Sections { list: Vec::new(), unread: self.has_stand_in(words.key) };
        };
        let mut sections = Sections { list: Vec::new(), unread: false };
        let entries = match value.as_ref() {
            ValueInner::Array(entries) => entries.iter().collect(),
            ValueInner::Table(table) if !table.values().all(is_table) => {
                findings.add(key.span.start, &misshapen(key, value, words));
                vec![value]
            }
            _ => {
                findings.add(key.span.start, &misshapen(key, value, words));
                sections.unread = true;
                Vec::new()
            }
        };
        for entry in entries {
            if let Some(section) = Section::of(entry, words) {
                sections.list.push(section);
            } else {
                sections.unread = true;
                findings.add(entry.span.start, &misshapen(key, entry, words));
            }
        }
        sections
    }
}

fn is_table(value: &Value<'_>) -> bool {
    value.as_table().is_some()
}

fn misshapen(key: &Key<'_>, value: &Value<'_>, words: &Vocabulary) -> String {
    let header = words.header;
    if !header.starts_with("[[") {
        return format!("`{key}` must be one table, not {}; write `{header}`", describe(value));
    }
    match value.as_table().and_then(Table::first_key_value) {
        Some((name, inner)) if is_table(inner) => format!(
            "`{key}` has no sections of its own names; write `{header}` with `name = \"{name}\"` instead of `[{key}.{name}]`"
        ),
        _ if is_table(value) => {
            format!("there may be several sections `{key}`; write `{header}`, with two brackets")
        }
        _ => format!("`{key}` must be tables, not {}; write `{header}` for each", describe(value)),
    }
}

impl Vocabulary {
    fn word(&self, key: &str) -> Option<&'static Word> {
        self.known.iter().find(|word| word.key == key)
    }

    fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().map(|word| word.key)
    }

    fn refusal(&self, key: &str) -> Option<&'static Refusal> {
        self.refused.iter().find(|(refused, _)| *refused == key).map(|(_, refusal)| refusal)
    }

    /// Why a key that is not known here cannot be used, and what to do.
    fn refuse(&self, key: &str) -> String {
        if let Some(refusal) = self.refusal(key) {
            return refusal.explain(key);
        }
        let Self { noun, title, .. } = self;
        let rest = if let Some(near) = nearest(key, self.keys()) {
            format!("did you mean `{}`?", self.shown(near))
        } else {
            let known: Vec<_> = self.keys().map(|key| self.shown(key)).collect();
            format!("use one of: {}", known.join(", "))
        };
        format!("`{key}` is not a {noun} of {title}; {rest}")
    }

    /// A key as it is written: sections come with their brackets.
    fn shown(&self, key: &'static str) -> &'static str {
        match self.word(key) {
            Some(word) if self.noun == "section" => word.example,
            _ => key,
        }
    }
}
