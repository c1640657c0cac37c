//! What the demo does, in order.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use tests::{
    held::{self, Held},
    interrupt,
    load::{self, Load, Record},
    wait,
};

use super::{report, stage::Stage};

/// Connections at a time while the spread is measured.
const AT_ONCE: usize = 16;
/// Connections that stay open while backends change.
const HELD: usize = 200;
/// How often each of those asks.
const PAUSE: Duration = Duration::from_millis(100);

/// Many connections to the VIP, and who answered them.
pub(super) fn spread(stage: &Stage, connections: usize) -> Result<()> {
    report::heading(&format!("{connections} connections to http://{}/", stage.vip()));
    let records = connect(stage, connections)?;
    let expected = shares(&[1, 2, 3, 4].map(|n| (stage.backend(n).to_string(), 1)));
    outcome(&records);
    report::spread(&load::by_backend(&records), &expected);
    let own = records.iter().filter(|record| record.seen.is_some() && record.seen == record.client);
    println!("  {} of them were seen by their backend with the client's own address", own.count());
    Ok(())
}

/// Backends change by command while connections are open and new ones are made.
pub(super) fn change_under_load(stage: &Stage, connections: usize) -> Result<()> {
    report::heading(&format!("Backends change under load: {HELD} connections are kept open"));
    let held = Held::open(stage.client(), stage.vip(), HELD, PAUSE)?;
    let pool = "backend";
    let (removed, heavier) = (stage.backend(4).to_string(), stage.backend(1).to_string());
    stage.shunt(&["backend", "remove", pool, &removed])?;
    held.wait_rounds(2)?;
    let after_removal = held.alive();
    stage.shunt(&["backend", "weight", pool, &heavier, "3"])?;
    held.wait_rounds(2)?;

    println!("\nNew connections meanwhile:");
    let records = connect(stage, connections)?;
    outcome(&records);
    let weights = [(1, 3), (2, 1), (3, 1)];
    let expected = shares(&weights.map(|(n, weight)| (stage.backend(n).to_string(), weight)));
    report::spread(&load::by_backend(&records), &expected);

    println!("\nThe {HELD} connections that were open:");
    let held = held.close()?;
    fates(&held, &removed);
    println!(
        "  ({after_removal} were alive after the removal. This version keeps no memory of flows: a\n   connection in a slot that moves to another backend is reset by that backend.)"
    );
    Ok(())
}

/// What became of the connections that stayed open, by the backend that they had.
fn fates(held: &[held::Record], removed: &str) {
    let mut counts = BTreeMap::new();
    for record in held {
        let first = record.backends.first().map_or("nobody", String::as_str);
        let note = if first == removed { " (removed)" } else { "" };
        *counts.entry(format!("{}, was on {first}{note}", record.end)).or_insert(0) += 1;
    }
    report::counts(&counts);
}

/// The daemon's own view.
pub(super) fn counters(stage: &Stage) -> Result<()> {
    report::heading("What the daemon says");
    stage.shunt(&["status"])?;
    println!();
    stage.shunt(&["service", "show", "web"])?;
    println!();
    stage.shunt(&["backend", "list"])
}

/// Prints what can be tried, and waits for Ctrl-C.
pub(super) fn keep(stage: &Stage) {
    report::heading("Play on");
    let shunt = stage.daemon.files().binary.display().to_string();
    let client = stage.client().name();
    println!("In another terminal, as root:");
    println!("  nsenter --net=/run/netns/{client} curl http://{}/", stage.vip());
    println!("  {shunt} status");
    println!("  {shunt} backend add backend {}", stage.backend(4));
    println!("  {shunt} backend weight backend {} 1", stage.backend(1));
    println!("  {shunt} service show web");
    println!("Ctrl-C here ends everything and removes it.");
    while !interrupt::requested() {
        if wait::pause(Duration::from_secs(1)).is_err() {
            break;
        }
    }
    println!();
}

fn connect(stage: &Stage, connections: usize) -> Result<Vec<Record>> {
    let load = Load { server: stage.vip(), connections, at_once: AT_ONCE, bytes: None };
    let bar = report::progress(connections);
    let records = load.run(stage.client(), |done| {
        bar.set_position(done as u64);
        true
    });
    bar.finish_and_clear();
    records
}

fn outcome(records: &[Record]) {
    let ends = load::ends(records.iter().map(|record| &record.end));
    let ends: Vec<_> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    println!("  {}", ends.join(", "));
}

/// The share that each should have by its weight.
fn shares(weights: &[(String, u32)]) -> BTreeMap<String, f64> {
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let share = |weight: u32| f64::from(weight) / f64::from(total);
    weights.iter().map(|(name, weight)| (name.clone(), share(*weight))).collect()
}
