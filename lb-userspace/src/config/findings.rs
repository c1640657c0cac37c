//! Collects problems while a file is read.

use std::path::PathBuf;

use toml_span::Spanned;

use super::{
    error::{ConfigError, ConfigErrors},
    files::NamedFile,
    position::Lines,
};
use crate::model::listener::{CertificateFiles, LogTarget};

/// The problems found so far, and what is needed to say where they are.
pub(super) struct Findings<'t> {
    file: &'t str,
    lines: Lines<'t>,
    found: Vec<ConfigError>,
    /// Files that are named.
    files: Vec<NamedFile>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, lines: Lines::new(text), found: Vec::new(), files: Vec::new() }
    }

    /// Adds a problem at a byte offset.
    pub(super) fn add(&mut self, offset: usize, message: &str) {
        let position = self.lines.position(offset);
        self.found.push(ConfigError {
            file: self.file.to_owned(),
            line: position.line,
            column: position.column,
            message: one_line(message),
        });
    }

    /// Notes a file of certificates that are trusted, for who wants to look at files.
    pub(super) fn names_trusted(&mut self, path: Spanned<PathBuf>) -> PathBuf {
        let value = path.value.clone();
        self.files.push(NamedFile::Trusted(path));
        value
    }

    /// Notes the files of a certificate and its key.
    pub(super) fn names_pair(
        &mut self,
        certificate: Spanned<PathBuf>,
        key: Spanned<PathBuf>,
    ) -> CertificateFiles {
        let files =
            CertificateFiles { certificate: certificate.value.clone(), key: key.value.clone() };
        self.files.push(NamedFile::Pair(certificate, key));
        files
    }

    /// Notes the file of a page.
    pub(super) fn names_page(&mut self, path: Spanned<PathBuf>) -> PathBuf {
        let value = path.value.clone();
        self.files.push(NamedFile::Page(path));
        value
    }

    /// Notes where a log goes.
    pub(super) fn names_log(&mut self, to: Spanned<LogTarget>) -> LogTarget {
        let value = to.value.clone();
        self.files.push(NamedFile::Log(to));
        value
    }

    /// Adds what is wrong with the files that are named.
    pub(super) fn look_at_files(&mut self) {
        for file in std::mem::take(&mut self.files) {
            if let Some((offset, message)) = file.problem() {
                self.add(offset, &message);
            }
        }
    }

    /// Adds a problem of another file that this one names.
    pub(super) fn add_elsewhere(&mut self, file: &str, line: usize, message: &str) {
        let (file, column) = (file.to_owned(), 1);
        self.found.push(ConfigError { file, line, column, message: one_line(message) });
    }

    /// Adds that a thing occurs a second time. `what_to_do` follows a semicolon.
    pub(super) fn add_duplicate(
        &mut self,
        offset: usize,
        what: &str,
        first: usize,
        what_to_do: &str,
    ) {
        let line = self.lines.position(first).line;
        self.add(offset, &format!("{what} is there already, in line {line}; {what_to_do}"));
    }

    /// What was read, if there was no problem.
    pub(super) fn finish<T>(self, read: T) -> Result<T, ConfigErrors> {
        ConfigErrors::of(self.found).map_or(Ok(read), Err)
    }

    /// The one problem that kept the rest from being read.
    pub(super) fn only(self, offset: usize, message: &str) -> ConfigErrors {
        let position = self.lines.position(offset);
        ConfigError {
            file: self.file.to_owned(),
            line: position.line,
            column: position.column,
            message: one_line(message),
        }
        .into()
    }
}

/// Messages quote the file, which may hold line breaks and terminal escapes.
fn one_line(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    for c in message.chars() {
        if c.is_control() {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}
