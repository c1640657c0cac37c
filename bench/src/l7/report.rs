//! The results as tables: for the terminal, and as a page.

use std::path::Path;

use anyhow::Result;
use comfy_table::Table;

use super::{
    case::{Case, Who, Work},
    plot,
    samples::{Row, Samples},
};
use crate::{output::Results, tables, target::Target};

/// All that was found.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) samples: Samples,
    pub(crate) targets: Vec<Target>,
    pub(crate) machine: Vec<String>,
    /// What was measured, in words.
    pub(crate) setting: Vec<String>,
}

/// A row of the table of layers: what stands between, what it can tell apart, and where TLS ends; then who
/// it is, without TLS or with it.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    knows: &'static str,
    tls: &'static str,
    who: Who,
    is_secure: bool,
}

/// The table of layers, from what costs least.
pub(crate) const LAYERS: [Layer; 6] = [
    Layer {
        name: "Shunt, layer-4 service (`nat`)",
        knows: "addresses, ports",
        tls: "at the backend",
        who: Who::ShuntL4,
        is_secure: false,
    },
    Layer {
        name: "nginx `stream`",
        knows: "addresses, ports",
        tls: "at the backend",
        who: Who::NginxStream,
        is_secure: false,
    },
    Layer {
        name: "Shunt, listener",
        knows: "host, path, headers",
        tls: "none",
        who: Who::Shunt,
        is_secure: false,
    },
    Layer {
        name: "nginx `http`",
        knows: "host, path, headers",
        tls: "none",
        who: Who::Nginx,
        is_secure: false,
    },
    Layer {
        name: "Shunt, listener with TLS",
        knows: "host, path, headers",
        tls: "at the balancer",
        who: Who::Shunt,
        is_secure: true,
    },
    Layer {
        name: "nginx `http` with TLS",
        knows: "host, path, headers",
        tls: "at the balancer",
        who: Who::Nginx,
        is_secure: true,
    },
];

impl Layer {
    /// What it adds to a request over a connection that stays, and to one with a connection of its own.
    pub(crate) fn added(&self, rows: &[Row]) -> [Option<f64>; 2] {
        let works = if self.is_secure {
            [Work::KeepAliveTls, Work::Handshakes]
        } else {
            [Work::KeepAlive, Work::Connections]
        };
        works.map(|work| {
            let case = Case { work, who: self.who };
            rows.iter().find(|row| row.case == case)?.added_us
        })
    }
}

impl Results for Report {
    type Row = Row;

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn text(&self) -> String {
        let sections = [
            ("Results", self.results()),
            ("Idle connections", self.idle()),
            ("Layer 4 or layer 7: CPU that is added to a request", self.layers()),
            ("Targets", tables::promises(&self.targets)),
        ];
        tables::text(sections) + &tables::list(&self.machine) + &tables::list(&self.setting)
    }

    fn page(&self, command: &str, plot: &str) -> String {
        format!(
            "# What a request costs\n\n\
             Made by `{command}`; how it is measured, and what the columns mean, is told in \
             [README.md](README.md#layer-7). Do not edit.\n\n\
             ## Layer 4 or layer 7\n\n\
             CPU time that each adds to a request, of everybody together, beyond the same request routed to the \
             backend with nobody in between:\n\n\
             ![CPU time added to a request]({plot})\n\n{}\n\
             ## Machine\n\n{}\n## Setting\n\n{}\n## Targets\n\n{}\n## Results\n\n{}\n\
             ## Idle connections\n\n{}",
            tables::markdown(self.layers()),
            tables::list(&self.machine),
            tables::list(&self.setting),
            tables::markdown(tables::promises(&self.targets)),
            tables::markdown(self.results()),
            tables::markdown(self.idle()),
        )
    }

    fn draw(&self, file: &Path) -> Result<()> {
        plot::draw(&self.rows, file)
    }
}

impl Report {
    fn layers(&self) -> Table {
        let words = ["what stands between", "can tell apart", "TLS ends"];
        let mut table = tables::new(&words, &["kept connection (µs)", "connection each (µs)"]);
        for layer in &LAYERS {
            let [kept, each] = layer.added(&self.rows).map(|added| tables::number(added, 1));
            let [name, knows, tls] = [layer.name, layer.knows, layer.tls].map(str::to_owned);
            table.add_row(vec![name, knows, tls, kept, each]);
        }
        table
    }

    fn results(&self) -> Table {
        let numbers = [
            "proxy (µs)",
            "by nginx",
            "all (µs)",
            "added (µs)",
            "requests/s",
            "by nginx",
            "latency (µs)",
        ];
        let mut table = tables::new(&["work", "who"], &numbers);
        for row in &self.rows {
            table.add_row(vec![
                row.work.to_owned(),
                row.who.to_owned(),
                tables::number(row.proxy_us, 1),
                tables::number(row.proxy_by_nginx, 2),
                tables::number(row.all_us, 1),
                tables::number(row.added_us, 1),
                tables::number(row.requests_per_second, 0),
                tables::number(row.rate_by_nginx, 2),
                tables::number(row.latency_us, 0),
            ]);
        }
        table
    }

    fn idle(&self) -> Table {
        let mut table = tables::new(&["who"], &["bytes for each"]);
        for (who, bytes) in self.samples.idle() {
            table.add_row(vec![who.name().to_owned(), format!("{bytes:.0}")]);
        }
        table
    }
}
