//! Tables without lines: columns aligned, two spaces between them, no colour.

use std::fmt;

use comfy_table::{CellAlignment, presets};

use self::Column::{Number, Text};
use super::format;
use crate::{admin::types::CounterView, model::Name};

/// The head of a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Aligned left.
    Text(&'static str),
    /// Aligned right.
    Number(&'static str),
}

/// A table under construction.
#[derive(Debug)]
pub(super) struct Table(comfy_table::Table);

impl Table {
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(columns.iter().map(|column| match column {
            Text(title) | Number(title) => *title,
        }));
        for (column, kind) in table.column_iter_mut().zip(columns) {
            column.set_padding((0, 2));
            if matches!(kind, Number(_)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells.into_iter().collect::<Vec<_>>());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.trim_fmt())
    }
}

/// The cells of a counter: packets, then bytes.
pub(super) fn counter(counter: CounterView) -> [String; 2] {
    [format::thousands(counter.packets), format::bytes(counter.bytes)]
}

/// Names in one cell.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    let names: Vec<_> = names.into_iter().map(Name::as_str).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}
