//! What the demo prints: headings, progress, spreads.

use std::{collections::BTreeMap, fmt, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Width of the longest bar of a spread.
const BAR: usize = 40;

/// Begins a part.
pub(super) fn heading(text: &str) {
    println!("\n== {text}");
}

/// Prints a configuration without its comments, which are long.
pub(super) fn without_comments(path: &Path) -> Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut blank = true;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let line = line.split(" #").next().unwrap_or(line).trim_end();
        // Comments leave several blank lines behind.
        if !(blank && line.is_empty()) && line != "[daemon]" {
            println!("{line}");
            blank = line.is_empty();
        }
    }
    Ok(())
}

/// A bar on the terminal; nothing where there is none.
pub(super) fn progress(connections: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        u64::try_from(connections).ok(),
        ProgressDrawTarget::stderr(),
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} connections") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Counts by name as bars, beside the share that each should have.
pub(super) fn spread(counts: &BTreeMap<String, usize>, expected: &BTreeMap<String, f64>) {
    let total: usize = counts.values().sum();
    let most = counts.values().copied().max().unwrap_or(1).max(1);
    for (name, share) in expected {
        let count = counts.get(name).copied().unwrap_or(0);
        let bar = "#".repeat(count * BAR / most);
        println!(
            "  {name:<16} {count:>6}  {:>5.1} %  (weight says {:>4.1} %)  {bar}",
            percent(count, total),
            share * 100.0
        );
    }
    for (name, count) in counts.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        println!("  {name:<16} {count:>6}  {:>5.1} %", percent(*count, total));
    }
}

/// Counts by name, a line each.
pub(super) fn counts(counts: &BTreeMap<impl fmt::Display, usize>) {
    for (name, count) in counts {
        println!("  {count:>6}  {name}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of connections are small")]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
