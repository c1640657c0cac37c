//! What the demo prints: headings, the network, spreads, counts.

use std::collections::BTreeMap;

use super::stage::Share;

/// Width of a bar that stands for all connections.
const WIDTH: f64 = 60.0;

/// The network.
pub(super) const PICTURE: &str = "
                                                      +--- 172.17.0.4:1001
  +-----------+           +----------------+          |
  |  client   |   client0 |    balancer    | backend0 +--- 172.17.0.5:1002
  |           |-----------|                |----------|
  | 192.0.2.2 |           | VIP 192.0.2.10 |          +--- 172.17.0.6:1003
  +-----------+           +----------------+          |
                                                      +--- 172.17.0.7:1004

  Each box is a network namespace, and so is each of the four backends, which are
  HTTP servers. The XDP program sits on client0 and backend0.
";

/// Begins a part.
pub(super) fn heading(text: &str) {
    println!("\n== {text}");
}

/// Prints what a file holds or a program says.
pub(super) fn indented(text: &str) {
    for line in text.lines() {
        println!("{}", format!("  {line}").trim_end());
    }
}

/// Connections by backend, beside the share that each has by its weight.
pub(super) fn spread(counts: &BTreeMap<String, usize>, shares: &[Share]) {
    let total: usize = counts.values().sum();
    println!("  {:<16} {:>6} {:>9} {:>12}", "BACKEND", "WEIGHT", "EXPECTED", "CONNECTIONS");
    for Share { backend, weight, part } in shares {
        let count = counts.get(backend).copied().unwrap_or(0);
        let got = percent(count, total);
        println!(
            "  {backend:<16} {weight:>6} {:>7.1} % {count:>12} {got:>5.1} %  {}",
            part * 100.0,
            bar(got)
        );
    }
    let strangers = counts.iter().filter(|(name, _)| shares.iter().all(|s| s.backend != **name));
    for (name, count) in strangers {
        println!("  {name:<16} {:>6} {:>7.1} % {count:>12}", "none", 0.0);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage is a small positive number"
)]
fn bar(percent: f64) -> String {
    "#".repeat((percent * WIDTH / 100.0).round() as usize)
}

#[expect(clippy::cast_precision_loss, reason = "counts of connections are small")]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
