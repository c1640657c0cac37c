//! `cargo xtask tidy`: what the compiler cannot check of the architecture.
//!
//! Who may import whom is data in [`layers`]; the other files each look for one kind of finding.
//! Lints that clippy has are left to clippy.

mod crates;
mod files;
mod imports;
mod layers;
mod manifest;
mod source;
#[cfg(test)]
mod tests;

use std::{fmt, process::ExitCode};

use anyhow::Result;

use crate::process::root;

/// Something that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// File, relative to the root of the repository.
    file: String,
    /// Line, from 1.
    line: usize,
    /// Short name of the rule.
    rule: &'static str,
    /// What is wrong, and what to do.
    text: String,
    /// Shown, but does not fail.
    warning: bool,
}

impl Finding {
    fn error(file: &str, line: usize, rule: &'static str, text: String) -> Self {
        Self { file: file.to_owned(), line, rule, text, warning: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.warning { "warning" } else { "error" };
        write!(f, "{}:{}: {level}: {}: {}", self.file, self.line, self.rule, self.text)
    }
}

/// How much was found.
pub(crate) struct Tally {
    /// Errors.
    pub(crate) errors: usize,
    /// Warnings.
    pub(crate) warnings: usize,
}

/// Runs the command.
pub(crate) fn run() -> Result<ExitCode> {
    let tally = check()?;
    println!("tidy: {} errors, {} warnings", tally.errors, tally.warnings);
    Ok(if tally.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks everything and prints the findings.
pub(crate) fn check() -> Result<Tally> {
    let files = files::read_all(&root())?;
    let mut findings = crates::check(&files)?;
    for (name, layers) in layers::MODULES {
        findings.extend(imports::check(name, layers, &files));
    }
    for file in &files {
        findings.extend(files::check_length(file));
        findings.extend(files::check_paths(file));
        findings.extend(imports::check_aya(file));
        if file.path == "Cargo.toml" {
            findings.extend(manifest::check_reasons(file));
        }
    }
    for finding in &findings {
        println!("{finding}");
    }
    let warnings = findings.iter().filter(|finding| finding.warning).count();
    Ok(Tally { errors: findings.len() - warnings, warnings })
}
