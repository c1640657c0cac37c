//! Tables, for the terminal and for pages.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::target::Target;

/// An empty table, with columns of words and then of numbers.
pub(crate) fn new(words: &[&str], numbers: &[&str]) -> Table {
    let mut table = Table::new();
    table.set_header(words.iter().chain(numbers));
    for column in table.column_iter_mut().skip(words.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Targets, and whether they are met.
pub(crate) fn promises(targets: &[Target]) -> Table {
    let mut table = new(&["what"], &["wanted", "found", "verdict"]);
    for target in targets {
        let found = target.found.map_or("–".to_owned(), |found| format!("{found:.2}"));
        table.add_row(vec![
            target.what.clone(),
            format!("{} {}", target.wanted(), target.unit),
            found,
            target.verdict().to_owned(),
        ]);
    }
    table
}

/// Tables under their headings, for the terminal.
pub(crate) fn text<const N: usize>(sections: [(&str, Table); N]) -> String {
    let mut text = String::new();
    for (heading, mut table) in sections {
        _ = write!(text, "\n{heading}\n\n{}\n", table.load_style(presets::NOTHING));
    }
    text
}

/// A table of a page.
pub(crate) fn markdown(mut table: Table) -> String {
    format!("{}\n", table.load_style(presets::ASCII_MARKDOWN))
}

/// A list, one line each.
pub(crate) fn list(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "- " + line + "\n")
}

/// A number with so many digits behind the point, or a dash.
pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}
