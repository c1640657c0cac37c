//! How both benchmarks are called, and where their results go.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tests::{
    interrupt,
    require::{self, Need},
    sweep,
};

/// Where the pages of the documentation lie, in the workspace.
const DOCS: &str = "docs/bench";

/// Arguments of a benchmark.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer rounds, under three minutes; prints the results and leaves docs/bench alone
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write the results as JSON into this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write docs/bench even when quick
    #[arg(long)]
    write: bool,
    /// Only make sure that every case works; measure nothing
    #[arg(long, conflicts_with_all = ["quick", "json", "write"])]
    pub(crate) smoke: bool,
}

/// Makes sure that the benchmark can run, and listens to Ctrl-C.
pub(crate) fn begin(needs: &[Need]) -> Result<()> {
    let lacks = require::lacks(needs);
    if !lacks.is_empty() {
        bail!("the benchmark cannot run here: {}", lacks.join("; "));
    }
    interrupt::listen();
    sweep::once();
    Ok(())
}

/// The results of a benchmark.
pub(crate) trait Results {
    /// A row, as programs read it.
    type Row: Serialize;

    /// For programs.
    fn rows(&self) -> &[Self::Row];
    /// For the terminal.
    fn text(&self) -> String;
    /// The page of the documentation. `command` makes it, and `plot` is the file beside it.
    fn page(&self, command: &str, plot: &str) -> String;
    /// Draws the plot into an SVG file.
    fn draw(&self, file: &Path) -> Result<()>;
}

/// Prints the results, and writes them where they are wanted. `layer` names the files.
pub(crate) fn publish(results: &impl Results, layer: &str, args: &Args) -> Result<()> {
    println!("{}", results.text());
    if let Some(path) = &args.json {
        write_json(results, path)?;
    }
    if args.write || !args.quick {
        write_docs(results, layer)?;
    }
    Ok(())
}

fn write_json(results: &impl Results, path: &Path) -> Result<()> {
    let json = serde_json::to_string_pretty(results.rows())?;
    fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))
}

fn write_docs(results: &impl Results, layer: &str) -> Result<()> {
    let directory = Path::new(DOCS);
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let file = |end: &str| directory.join(format!("{layer}.{end}"));
    results.draw(&file("svg"))?;
    write_json(results, &file("json"))?;
    let page = file("md");
    let text = results.page(&format!("cargo xtask bench {layer}"), &format!("{layer}.svg"));
    fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))?;
    println!("written: {}", page.display());
    Ok(())
}
