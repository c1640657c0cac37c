//! The configuration file: TOML text to a validated [`Desired`].
//!
//! Every problem of a file is reported at once, each with its line, its column and what to do about
//! it. The text is parsed into values that know where they stand; each section is read by the file
//! of its name; the rules of the model are then run over whatever could be read, and their problems
//! attached to the lines concerned. Which keys exist, which ones come later and which ones belong
//! elsewhere is data, in `vocabulary`.
//!
//! Nothing here knows about the running daemon: whether an interface exists is not for a file to
//! say.

mod error;
mod field;
mod files;
mod findings;
mod position;
mod reader;
mod sections;
mod suggest;
mod syntax;
#[cfg(test)]
mod tests;
mod vocabulary;
mod whole;

use std::{fs, io, path::Path};

pub use self::{
    error::{ConfigError, ConfigErrors},
    sections::{DEFAULT_ADMIN, DEFAULT_STATE_DIR},
};
use self::{findings::Findings, position::Lines};
use crate::model::Desired;

/// Reads a configuration from text. `file` is what messages call it. Whether the certificates, keys and pages
/// that it names can be used is not looked at.
pub fn parse(file: &str, text: &str) -> Result<Desired, ConfigErrors> {
    read(file, text, false)
}

/// Reads a configuration that is to be used: with a look at the files that it names.
pub fn parse_with_files(file: &str, text: &str) -> Result<Desired, ConfigErrors> {
    read(file, text, true)
}

fn read(file: &str, text: &str, looks_at_files: bool) -> Result<Desired, ConfigErrors> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut findings = Findings::new(file, text);
    match toml_span::parse(text) {
        Ok(root) => {
            let draft = sections::read(&root, &mut findings);
            whole::judge(&draft, &mut findings);
            if looks_at_files {
                findings.look_at_files();
            }
            findings.finish(draft.desired)
        }
        Err(error) => Err(findings.only(error.span.start, &syntax::explain(&error, text))),
    }
}

/// Reads a configuration file.
pub fn load(path: &Path) -> Result<Desired, ConfigErrors> {
    let file = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| unreadable(&file, &error))?;
    match String::from_utf8(bytes) {
        Ok(text) => parse_with_files(&file, &text),
        Err(error) => Err(not_utf8(&file, error.as_bytes(), error.utf8_error().valid_up_to())),
    }
}

fn unreadable(file: &str, error: &io::Error) -> ConfigErrors {
    let what_to_do = match error.kind() {
        io::ErrorKind::NotFound => "check the path, or write the file",
        io::ErrorKind::PermissionDenied => "make it readable, or run as a user who may read it",
        io::ErrorKind::IsADirectory => "give the file, not its directory",
        _ => "make it readable",
    };
    ConfigError::of_file(file, format!("cannot be read: {error}; {what_to_do}")).into()
}

fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> ConfigErrors {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let position = Lines::new(&before).position(valid);
    ConfigError {
        file: file.to_owned(),
        line: position.line,
        column: position.column,
        message: "this is not UTF-8 text; save the file as UTF-8".to_owned(),
    }
    .into()
}
