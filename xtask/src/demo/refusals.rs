//! What cannot work, and what `shunt check` says to it: rules by path where no path can be read.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{claim::Claim, report, stage::Stage};

/// A path in a service, which sees packets, and in a listener that passes TLS on.
const WRONG: &str = r#"[[interface]]
name = "client0"

[[pool]]
name = "images"
backends = ["172.17.0.6:1003"]

[[service]]
name = "web"
listen = "192.0.2.10:80/tcp"
pool = "images"
path = "/*.jpg"

[[listener]]
name = "passed"
listen = "192.0.2.10:8443"
protocol = "tls-passthrough"
[[listener.route]]
host = "images.example.org"
path = "/*.jpg"
pool = "images"
"#;
/// What the errors must speak of.
const REASONS: [&str; 2] = ["a [[service]] is layer 4", "a listener of protocol tls-passthrough"];

/// Shows a configuration with a path in the wrong places, and what is said to it.
pub(super) fn misplaced_paths(stage: &Stage, claim: &Claim) -> Result<()> {
    report::heading("Why can't I use `location` in `stream`?");
    let file = claim.file("wrong.toml");
    fs::write(&file, WRONG).with_context(|| format!("cannot write {}", file.display()))?;
    report::indented(WRONG);
    println!();
    let said = stage.shunt_refuses(&["check", &file.display().to_string()])?;
    for reason in REASONS {
        ensure!(said.contains(reason), "`shunt check` does not say that {reason}: {said}");
    }
    Ok(())
}
