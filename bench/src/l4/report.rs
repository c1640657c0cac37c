//! The results as tables: for the terminal, and as a page.

use std::path::Path;

use anyhow::Result;
use comfy_table::Table;

use super::{
    case::{FLOWS, Who},
    memory::Memory,
    plot,
    samples::Row,
    targets::{flows_in_words, mebibytes},
};
use crate::{output::Results, tables, target::Target};

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

impl Results for Report {
    type Row = Row;

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn text(&self) -> String {
        let sections = [("Results", self.results()), ("Targets", tables::promises(&self.targets))];
        tables::text(sections) + &tables::list(&self.machine) + &tables::list(&self.setting)
    }

    fn page(&self, command: &str, plot: &str) -> String {
        format!(
            "# What a packet costs\n\n\
             Made by `{command}`; how it is measured, and what the columns mean, is told in \
             [README.md](README.md). Do not edit.\n\n\
             ![Cost per packet and packet rate]({plot})\n\n\
             ## Machine\n\n{}\n## Setting\n\n{}\n## Targets\n\n{}\n## Results\n\n{}",
            tables::list(&self.machine),
            tables::list(&self.setting),
            tables::markdown(tables::promises(&self.targets)),
            tables::markdown(self.results()),
        )
    }

    fn draw(&self, file: &Path) -> Result<()> {
        plot::draw(&self.rows, &FLOWS, file)
    }
}

impl Report {
    fn results(&self) -> Table {
        let mut table = tables::new(&["who", "mode", "family", "flows"], &NUMBERS);
        for row in &self.rows {
            let over = match (row.who, row.spread) {
                (Who::Shunt | Who::Guarded, Some(spread)) => {
                    format!("{} ±{spread:.1}", tables::number(row.over_bare_ns, 1))
                }
                _ => tables::number(row.over_bare_ns, 1),
            };
            table.add_row(vec![
                row.case.to_owned(),
                row.mode.unwrap_or("–").to_owned(),
                row.family.to_owned(),
                row.flows.to_string(),
                tables::number(row.ns_per_packet, 1),
                over,
                tables::number(row.mpps, 2),
                tables::number(row.ratio_to_bare, 2),
            ]);
        }
        table
    }
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
