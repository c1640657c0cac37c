//! Configurations as the demo shows them: without comments, and only what is new.

/// A configuration without its comments, which are long.
pub(super) fn plain(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let line = line.split(" #").next().unwrap_or(line).trim_end();
        // Comments leave several blank lines behind, and a section without keys.
        let after_blank = lines.last().is_none_or(|last| last.is_empty());
        if !(after_blank && line.is_empty()) && line != "[daemon]" {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

/// The sections that one configuration has beyond another, without comments. A section goes with
/// those below it: a listener that is new is shown with routes that another has, too.
pub(super) fn beyond(text: &str, known: &str) -> String {
    let known = sections(known);
    let new: Vec<_> = sections(text).into_iter().filter(|part| !known.contains(part)).collect();
    new.join("\n\n")
}

fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in plain(text).lines() {
        match sections.last_mut() {
            Some(section) if !begins_section(line) => {
                section.push('\n');
                section.push_str(line);
            }
            _ => sections.push(line.to_owned()),
        }
    }
    sections.iter().map(|section| section.trim_end().to_owned()).collect()
}

/// Whether the line is the head of a section that lies in no other.
fn begins_section(line: &str) -> bool {
    line.starts_with('[') && !line.contains('.')
}
