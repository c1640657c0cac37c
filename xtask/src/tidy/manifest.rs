//! Every dependency says why it is there.

use super::{Finding, files::File};

/// Checks the dependency table of the root manifest.
pub(super) fn check_reasons(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut lines = file.text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
            continue;
        }
        let Some((name, _)) = line.split_once('=') else { continue };
        if !inside || line.starts_with('#') {
            continue;
        }
        let mut entry = line.to_owned();
        while open_brackets(&entry) {
            let Some((_, more)) = lines.next() else { break };
            entry = format!("{entry}\n{more}");
        }
        // A member of the workspace needs no reason.
        if !entry.contains("path =") && !entry.lines().any(has_comment) {
            let text = format!("`{}` has no reason; add one as `# ...`", name.trim());
            findings.push(Finding::error(&file.path, number + 1, "reasons", text));
        }
    }
    findings
}

fn has_comment(line: &str) -> bool {
    let in_quotes = |at: usize| line[..at].matches('"').count() % 2 == 1;
    line.match_indices('#').any(|(at, _)| !in_quotes(at) && line[at + 1..].trim().len() > 3)
}

fn open_brackets(entry: &str) -> bool {
    let count = |brackets: [char; 2]| entry.matches(brackets).count();
    count(['[', '{']) > count([']', '}'])
}
