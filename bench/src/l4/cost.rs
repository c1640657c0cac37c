//! Cost per packet, by test run: bare program, same changes, and balancer in turn.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};

use super::{
    case::{Case, Family, Spec, Who},
    packet::Segment,
    samples::Samples,
    stage::Stage,
};

/// Packets before each measurement, for the caches.
const WARM: u32 = 1_000;

/// Where the flows of each case go on.
pub(crate) type Places = BTreeMap<Case, u32>;

/// One round over all cases.
pub(crate) fn round(
    stage: &mut Stage,
    flows: &[u32],
    packets: u32,
    places: &mut Places,
    samples: &mut Samples,
) -> Result<()> {
    for &flows in flows {
        for family in Family::ALL {
            let case = Case::plain(Who::Bare, family, flows);
            let bare = measure(stage, case, packets, places)?;
            let alone = nanoseconds(stage.run_bare(case, packets)?, packets);
            // What it costs to make a packet is no cost of whoever handles it.
            let making = bare - alone;
            samples.of(case).nanoseconds.push(alone);
            for spec in Spec::all().filter(|spec| spec.family == family) {
                let [edits, shunt] = [Who::Edits, Who::Shunt].map(|who| Case::of(who, spec, flows));
                let least = measure(stage, edits, packets, places)?;
                samples.of(edits).nanoseconds.push(least - making);
                samples.of(edits).over.push(least - bare);
                let whole = measure(stage, shunt, packets, places)?;
                samples.of(shunt).nanoseconds.push(whole - making);
                samples.of(shunt).over.push(whole - least);
                if Spec::guarded().any(|it| (it.mode, it.family) == (spec.mode, family)) {
                    let guarded = Case::of(Who::Guarded, spec, flows);
                    let whole = measure(stage, guarded, packets, places)?;
                    samples.of(guarded).nanoseconds.push(whole - making);
                    samples.of(guarded).over.push(whole - least);
                }
            }
        }
    }
    Ok(())
}

/// Nanoseconds for a packet, its making included.
fn measure(stage: &mut Stage, case: Case, packets: u32, places: &mut Places) -> Result<f64> {
    let next = places.entry(case).or_default();
    stage.run(case, Segment::Open, *next, WARM)?;
    *next = stage.programs.next_flow()?;
    let (took, _) = stage.run(case, Segment::Open, *next, packets)?;
    *next = stage.programs.next_flow()?;
    Ok(nanoseconds(took, packets))
}

fn nanoseconds(took: Duration, packets: u32) -> f64 {
    took.as_secs_f64() * 1e9 / f64::from(packets)
}

/// Makes sure that the bare programs write at least the bytes that the balancer changes, into frames
/// of the same length.
pub(crate) fn compare(stage: &mut Stage, flows: u32) -> Result<()> {
    for spec in Spec::all() {
        let mut frame = |case| Ok::<_, anyhow::Error>(stage.run(case, Segment::Open, 0, 1)?.1);
        let made = frame(Case::of(Who::Bare, spec, flows))?;
        let edited = frame(Case::of(Who::Edits, spec, flows))?;
        let forwarded = frame(Case::of(Who::Shunt, spec, flows))?;
        ensure!(edited.len() == forwarded.len(), "{spec}: frames of different lengths");
        let grown = forwarded.len() - made.len();
        // What is put in front is new to the last byte.
        let from = if grown == 0 { 0 } else { grown + 14 };
        for at in from..forwarded.len() {
            let changed = |frame: &[u8]| frame.get(at) != made.get(at - grown);
            ensure!(
                changed(&edited) || !changed(&forwarded),
                "{spec}: byte {at} is changed by the balancer alone"
            );
        }
    }
    Ok(())
}
