//! Which module imports which, against the table.

use super::{
    Finding,
    files::File,
    layers::{AYA_USER, Layer},
    source::{Token, code_only, tokens},
};

/// Checks the modules of the crate in directory `name`.
pub(super) fn check(name: &str, layers: &[Layer], files: &[File]) -> Vec<Finding> {
    let source = format!("{name}/src/");
    let of_crate: Vec<_> = files
        .iter()
        .filter_map(|file| Some((file, module_path(file.path.strip_prefix(&source)?)?)))
        .collect();
    // Only names of modules count; `crate::Something` re-exported by lib.rs does not.
    let modules: Vec<_> = of_crate.iter().map(|(_, path)| path[0]).collect();
    let crate_name = name.replace('-', "_");
    let mut findings = Vec::new();
    for (file, path) in &of_crate {
        let Some((_, allowed)) = layers.iter().find(|(module, _)| *module == path[0]) else {
            findings.push(unknown(file, path[0]));
            continue;
        };
        for (imported, line) in imports(&file.text, path.len(), &crate_name) {
            if imported != path[0]
                && modules.contains(&imported.as_str())
                && !allowed.contains(&imported.as_str())
            {
                findings.push(forbidden(file, line, path[0], &imported, allowed));
            }
        }
    }
    findings
}

fn unknown(file: &File, module: &str) -> Finding {
    let text = format!(
        "module `{module}` has no row in the table of layers; decide what it may import and add \
         it to xtask/src/tidy/layers.rs and ARCHITECTURE.md"
    );
    Finding::error(&file.path, 1, "layers", text)
}

fn forbidden(file: &File, line: usize, module: &str, imported: &str, allowed: &[&str]) -> Finding {
    let may = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    let text = format!(
        "`{module}` must not import `{imported}` (it may import: {may}); move what is shared \
         downwards, or pass it in"
    );
    Finding::error(&file.path, line, "layers", text)
}

/// The modules that a file is in, outermost first. None for lib.rs, which wires, and for tests.
fn module_path(path: &str) -> Option<Vec<&str>> {
    let mut parts: Vec<_> = path.strip_suffix(".rs")?.split('/').collect();
    match parts.last() {
        Some(&("lib" | "tests")) => return None,
        Some(&"mod") => {
            parts.pop();
        }
        _ => {}
    }
    if parts.contains(&"tests") { None } else { Some(parts) }
}

/// Top-level modules that the source imports, with lines. `depth` is how deep its own module lies.
pub(super) fn imports(source: &str, depth: usize, crate_name: &str) -> Vec<(String, usize)> {
    let code = code_only(source);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let after_path = at > 0 && tokens[at - 1].text == "::";
        if after_path {
            continue;
        }
        if let Some(next) = at_crate_root(&tokens[at..], depth, crate_name) {
            first_segments(&tokens[at + next..], &mut found);
        }
    }
    found
}

/// If a path that begins here starts at the root of the crate: how many words on it goes further.
fn at_crate_root(tokens: &[Token<'_>], depth: usize, crate_name: &str) -> Option<usize> {
    let follows = |at: usize| tokens.get(at).is_some_and(|token| token.text == "::");
    let first = tokens.first()?.text;
    if (first == "crate" || first == crate_name) && follows(1) {
        return Some(2);
    }
    let supers = tokens.chunks(2).take_while(|pair| pair[0].text == "super").count();
    (supers > 0 && supers == depth && follows(2 * supers - 1)).then_some(2 * supers)
}

/// The first segment of a path, or of each path of a group: `a::b`, `{a::b, c}`.
fn first_segments(tokens: &[Token<'_>], found: &mut Vec<(String, usize)>) {
    let Some(first) = tokens.first() else { return };
    if first.text != "{" {
        found.push((first.text.to_owned(), first.line));
        return;
    }
    let mut depth = 0;
    let mut starts = true;
    for token in tokens {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," => {
                starts = depth == 1;
                continue;
            }
            text if depth == 1 && starts => {
                found.push((text.to_owned(), token.line));
                starts = false;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// In lb-userspace, only one module may know aya.
pub(super) fn check_aya(file: &File) -> Vec<Finding> {
    let in_crate = file.path.starts_with("lb-userspace/src/") && file.is_rust();
    if !in_crate || file.path.starts_with(AYA_USER) {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let tokens = tokens(&code);
    let uses = |pair: &&[Token<'_>]| {
        ["aya", "aya_log"].contains(&pair[0].text) && ["::", "as", ";"].contains(&pair[1].text)
    };
    let text = "only `dataplane` may use aya; give it a function that does what is needed here";
    tokens
        .windows(2)
        .filter(uses)
        .map(|pair| Finding::error(&file.path, pair[0].line, "aya", text.to_owned()))
        .collect()
}
