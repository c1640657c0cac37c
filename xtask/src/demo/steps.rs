//! What the demo does, in order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use tests::{
    client::End,
    held::{self, Held},
    load::{self, Load, Record},
    wait,
};

use super::{
    progress::Progress,
    report,
    stage::{POOL, SERVICE, Stage},
};

/// Connections at a time while the spread is measured.
const AT_ONCE: usize = 16;
/// Connections that stay open while backends change.
const HELD: usize = 200;
/// How often each of those asks.
const PAUSE: Duration = Duration::from_millis(100);
/// Clients that open new connections while backends change, how long each rests after one, and how
/// many they open at most: a client that has used up its ports would be slow for want of them.
const CLIENTS: usize = 4;
const REST: Duration = Duration::from_millis(6);
const NEW_AT_MOST: usize = 10_000;
/// How long each change is watched.
const WATCH: Duration = Duration::from_secs(2);

/// Many connections to the VIP, and who answered them.
pub(super) fn spread(stage: &Stage, connections: usize) -> Result<()> {
    let load = Load { server: stage.vip(), connections, at_once: AT_ONCE, bytes: None };
    let start = Instant::now();
    let progress = Progress::new(connections);
    let records = load.run(stage.client(), |done| {
        progress.set(done);
        true
    })?;
    drop(progress);
    println!("  {}, in {:.1} s", outcome(&records), start.elapsed().as_secs_f32());
    report::spread(&load::by_backend(&records), &stage.shares()?);
    let own = records.iter().filter(|record| record.seen.is_some() && record.seen == record.client);
    println!(
        "  In {} of them the backend saw the client's own address and port.",
        all_or(own.count(), records.len())
    );
    Ok(())
}

/// Backends change by command while connections are open and new ones are made.
pub(super) fn change_under_load(stage: &Stage) -> Result<()> {
    report::heading("Backends change under load");
    println!(
        "  {HELD} connections are kept open, each asking {} times a second; {CLIENTS} clients open new ones\n  all the time.",
        1000 / PAUSE.as_millis()
    );
    let held = Held::open(stage.client(), stage.vip(), HELD, PAUSE)?;
    let removed = stage.backend(4).to_string();
    let ((), new) = while_opening(stage, || make_changes(stage, &held, &removed))?;
    println!("\n  New connections meanwhile: {}", outcome(&new));
    fates(&held.close()?);
    println!(
        "\n  Only flows that a change could break are remembered: those opened while their slot of the\n  ring moves. Older ones in the slot go to its previous owner, even one that was removed."
    );
    Ok(())
}

fn make_changes(stage: &Stage, held: &Held, removed: &str) -> Result<()> {
    let heavier = stage.backend(1).to_string();
    let remove = ["backend", "remove", POOL, removed];
    let weigh = ["backend", "weight", POOL, &heavier, "3"];
    for command in [&remove[..], &weigh] {
        wait::pause(WATCH)?;
        println!();
        stage.shunt(command)?;
        held.wait_rounds(3)?;
        println!("  {} of the {HELD} open connections are alive", held.alive());
    }
    wait::pause(WATCH)
}

/// Does something while new connections are opened without end; what became of it and of them.
pub(super) fn while_opening<T>(
    stage: &Stage,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<Record>)> {
    let stop = AtomicBool::new(false);
    let load =
        Load { server: stage.vip(), connections: NEW_AT_MOST, at_once: CLIENTS, bytes: None };
    thread::scope(|scope| {
        let opening = scope.spawn(|| {
            load.run(stage.client(), |_| {
                thread::sleep(REST);
                !stop.load(Ordering::Relaxed)
            })
        });
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        let records = opening.join().map_err(|_| anyhow!("a client panicked"))?;
        Ok((worked?, records?))
    })
}

/// What became of the connections that stayed open.
fn fates(records: &[held::Record]) {
    let fate = |record: &held::Record| match &record.end {
        _ if record.backends.windows(2).any(|pair| pair[0] != pair[1]) => {
            "were answered by another backend than before".to_owned()
        }
        End::Whole => "noticed nothing".to_owned(),
        other => format!("ended otherwise: {other}"),
    };
    println!("  The {HELD} open connections:");
    for (fate, count) in load::count(records.iter().map(fate)) {
        println!("    {count:>4}  {fate}");
    }
}

/// The daemon's own view.
pub(super) fn counters(stage: &Stage) -> Result<()> {
    report::heading("What the daemon says");
    stage.shunt(&["status"])?;
    for command in [["service", "show", SERVICE], ["backend", "list", POOL]] {
        println!();
        stage.shunt(&command)?;
    }
    Ok(())
}

/// How connections ended.
pub(super) fn outcome(records: &[Record]) -> String {
    let ends = load::ends(records.iter().map(|record| &record.end));
    let ends: Vec<_> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    ends.join(", ")
}

fn all_or(part: usize, whole: usize) -> String {
    if part == whole { "all".to_owned() } else { format!("only {part} of {whole}") }
}
