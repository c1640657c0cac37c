//! What the TOML parser complains of, in words that say what to do.

use toml_span::{Error, ErrorKind, Span};

use super::{position::Lines, vocabulary::NGINX};

/// What is wrong with the syntax and what to do. The parser stops at the first such error.
pub(super) fn explain(error: &Error, text: &str) -> String {
    let line = |span: Span| Lines::new(text).position(span.start).line;
    match &error.kind {
        ErrorKind::UnexpectedEof => {
            "the file ends in the middle of a value; finish the last line".to_owned()
        }
        ErrorKind::UnquotedString => "text must be in quotes: write `\"...\"`".to_owned(),
        ErrorKind::InvalidNumber => {
            "this is not a number; text, such as an address or a duration, must be in quotes"
                .to_owned()
        }
        ErrorKind::Unexpected(c) => format!(
            "unexpected character `{c}`; a line is `key = value`, a [section] or a `#` comment"
        ),
        ErrorKind::UnterminatedString | ErrorKind::InvalidCharInString('\n') => {
            "this text is not closed; end it with a quote in the same line".to_owned()
        }
        ErrorKind::InvalidEscape(c) => {
            format!("`\\{c}` means nothing in \"...\"; write `\\\\` for a backslash")
        }
        ErrorKind::InvalidHexEscape(_) | ErrorKind::InvalidEscapeValue(_) => {
            "`\\x`, `\\u` and `\\U` need the 2, 4 or 8 hexadecimal digits of a character; write `\\\\` for a backslash"
                .to_owned()
        }
        ErrorKind::Wanted { expected, found } => wanted(expected, found),
        ErrorKind::DuplicateKey { key, first } => {
            format!("`{key}` is there already, in line {}; keep one of the two", line(*first))
        }
        ErrorKind::DuplicateTable { name, first } => format!(
            "[{name}] is there already, in line {}; where there may be several, write `[[{name}]]` for each",
            line(*first)
        ),
        ErrorKind::DottedKeyInvalidType { first } => format!(
            "this key extends the value of line {}, which is not a table; rename one of the two",
            line(*first)
        ),
        ErrorKind::RedefineAsArray => {
            "this [[section]] comes after a section inside it; put it first".to_owned()
        }
        other => format!("{error} ({other}); see toml.io for how TOML is written"),
    }
}

fn wanted(expected: &str, found: &str) -> String {
    let found = if found == "eof" { "the end of the file" } else { found };
    let what_to_do = match (expected, found) {
        ("an equals", "a left brace") => format!("this is TOML, not nginx's syntax: {NGINX}"),
        ("an equals", _) => "a line is `key = value` or a [section]".to_owned(),
        ("newline", _) => "text must be in quotes, and each key has its own line".to_owned(),
        ("a right bracket", _) => "close the bracket, and separate the values by commas".to_owned(),
        ("a comma", _) => "separate the keys by commas, and close the brace".to_owned(),
        _ => "a line is `key = value`, a [section] or a `#` comment".to_owned(),
    };
    let expected = if expected == "newline" { "the end of the line" } else { expected };
    format!("expected {expected}, found {found}; {what_to_do}")
}
