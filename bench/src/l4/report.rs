//! The results as tables: for the terminal, and as a page.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{
    case::Who,
    memory::Memory,
    samples::Row,
    targets::{Target, flows_in_words, mebibytes},
};

/// All that was found.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: Vec<Target>,
    pub(crate) machine: Vec<String>,
    /// What was measured, in words.
    pub(crate) setting: Vec<String>,
}

/// Columns of the results that hold numbers.
const NUMBERS: [&str; 4] = ["ns", "over (ns)", "Mpps", "of bare"];

impl Report {
    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (heading, table) in [("Results", self.results()), ("Targets", self.promises())] {
            let mut table = table;
            _ = write!(text, "\n{heading}\n\n{}\n", table.load_style(presets::NOTHING));
        }
        for line in self.machine.iter().chain(&self.setting) {
            _ = writeln!(text, "- {line}");
        }
        text
    }

    /// The page of the documentation. `plot` is the file beside it.
    pub(crate) fn page(&self, command: &str, plot: &str) -> String {
        let list = |lines: &[String]| {
            lines.iter().fold(String::new(), |text, line| text + "- " + line + "\n")
        };
        let markdown =
            |mut table: Table| format!("{}\n", table.load_style(presets::ASCII_MARKDOWN));
        format!(
            "# What a packet costs\n\n\
             Made by `{command}`; how it is measured, and what the columns mean, is told in \
             [README.md](README.md). Do not edit.\n\n\
             ![Cost per packet and packet rate]({plot})\n\n\
             ## Machine\n\n{}\n## Setting\n\n{}\n## Targets\n\n{}\n## Results\n\n{}",
            list(&self.machine),
            list(&self.setting),
            markdown(self.promises()),
            markdown(self.results()),
        )
    }

    fn results(&self) -> Table {
        let mut table = table(&["who", "mode", "family", "flows"], &NUMBERS);
        for row in &self.rows {
            let number = |value: Option<f64>, digits: usize| {
                value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
            };
            let over = match (row.who, row.spread) {
                (Who::Shunt | Who::Guarded, Some(spread)) => {
                    format!("{} ±{spread:.1}", number(row.over_bare_ns, 1))
                }
                _ => number(row.over_bare_ns, 1),
            };
            table.add_row(vec![
                row.case.to_owned(),
                row.mode.unwrap_or("–").to_owned(),
                row.family.to_owned(),
                row.flows.to_string(),
                number(row.ns_per_packet, 1),
                over,
                number(row.mpps, 2),
                number(row.ratio_to_bare, 2),
            ]);
        }
        table
    }

    fn promises(&self) -> Table {
        let mut table = table(&["what"], &["wanted", "found", "verdict"]);
        for target in &self.targets {
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
}

fn table(words: &[&str], numbers: &[&str]) -> Table {
    let mut table = Table::new();
    table.set_header(words.iter().chain(numbers));
    for column in table.column_iter_mut().skip(words.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What the tables of the balancer take.
pub(crate) fn memory_line(memory: Memory) -> String {
    format!(
        "memory of the balancer's maps: {:.1} MiB now, of which {:.1} MiB for the list; {:.1} MiB with all rings and \
         without a list",
        mebibytes(memory.now()),
        mebibytes(memory.lists),
        mebibytes(memory.with_all_rings())
    )
}

/// Numbers of flows in words.
pub(crate) fn flows_line(flows: &[u32]) -> String {
    flows.iter().map(|flows| flows_in_words(*flows)).collect::<Vec<_>>().join(", ")
}
