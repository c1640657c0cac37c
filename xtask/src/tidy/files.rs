//! What is true of single files: their length, and no path of somebody's machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::Finding;

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Path from the root of the repository.
    pub(super) path: String,
    /// Contents.
    pub(super) text: String,
}

impl File {
    /// Whether it is Rust source.
    pub(super) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

/// Source files longer than this have two subjects.
const MOST_LINES: usize = 500;
/// Source files longer than this get near it.
const MANY_LINES: usize = 400;
/// Directories that hold nothing of ours.
const NOT_OURS: [&str; 2] = [".git", "target"];

/// Every text file below `root`. Git is not asked: an unpacked archive is checked, too.
pub(super) fn read_all(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for path in entries(&directory)? {
            let name = path.file_name().unwrap_or_default();
            if path.is_symlink() || NOT_OURS.iter().any(|skip| name == *skip) {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot read {}", directory.display());
    let entries = fs::read_dir(directory).with_context(context)?;
    entries.map(|entry| Ok(entry.with_context(context)?.path())).collect()
}

/// Looks at the length of a source file.
pub(super) fn check_length(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    if !file.is_rust() || lines <= MANY_LINES {
        return None;
    }
    let text = format!("{lines} lines; a file has one subject, so split it by subject");
    let finding = Finding::error(&file.path, lines, "length", text);
    Some(Finding { warning: lines <= MOST_LINES, ..finding })
}

/// Looks for paths that exist on one machine only.
pub(super) fn check_paths(file: &File) -> Vec<Finding> {
    // In pieces, or this file would find itself.
    let private = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if let Some(path) = private.iter().find(|path| line_has_path(line, path)) {
            let text = format!("a path of one machine (`{path}...`); make it relative");
            findings.push(Finding::error(&file.path, number + 1, "paths", text));
        }
    }
    findings
}

/// Whether the path begins there: the tail of a URL or of a relative path does not count.
fn line_has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}*".contains(c))
    })
}
