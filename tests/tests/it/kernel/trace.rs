//! The twins that `shunt trace` attaches: they do what the programs do, and report it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aya::programs::Xdp;
use lb_common::{
    abi::{Reason, Verdict},
    limits::{
        maps,
        trace::{self, SNAP},
    },
    trace::{Ending, Filter, Record},
};

use super::{
    assert_none,
    case::{Case, Outcome},
    cases,
    fixture::Rows,
    kernel_is_ready,
    machine::{Traced, load_twins, twins},
    network::{self, Links},
    services,
};

/// The verifier gives up after a million instructions; this leaves room for its other versions.
const MOST_INSTRUCTIONS: u32 = 400_000;

/// More packets than the ring has room for.
const MANY: usize = 10_000;

fn with_twins(check: impl FnOnce(&mut Traced, &Links) -> Result<()> + Send) -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    network::build()?.enter(|| {
        let links = Links::here()?;
        let mut traced = Traced::new(&Rows::new(&links), links)?;
        check(&mut traced, &links)
    })
}

#[test]
fn the_twins_load() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let ebpf = load_twins()?;
    for name in twins() {
        let program: &Xdp = ebpf.program(name).context("no such program")?.try_into()?;
        let info = program.info()?;
        let verified = info.verified_instruction_count();
        println!(
            "{name}: the verifier followed {} instructions; {} bytes translated",
            verified.map_or("?".into(), |count| count.to_string()),
            info.size_translated().map_or("?".into(), |size| size.to_string())
        );
        let few = verified.is_none_or(|count| count < MOST_INSTRUCTIONS);
        assert!(few, "{name}: {verified:?} instructions");
    }
    Ok(())
}

#[test]
fn the_twins_have_maps_of_their_own_besides_the_others() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let ebpf = load_twins()?;
    let names: BTreeSet<&str> = ebpf.maps().map(|(name, _)| name).collect();
    let expected: BTreeSet<&str> = maps::ALL.into_iter().chain(trace::MAPS).collect();
    assert_eq!(names, expected);
    Ok(())
}

#[test]
fn the_twins_agree_with_the_table_and_report_every_packet() -> Result<()> {
    with_twins(|traced, links| {
        let mut wrong = Vec::new();
        for case in cases::all(links).iter().filter(|case| case.host_only.is_none()) {
            match traced.run(case) {
                Ok((outcome, record)) => {
                    wrong.extend(case.complaint("twins", &outcome));
                    wrong.extend(complaint(case, &outcome, record.as_ref()));
                }
                Err(error) => wrong.push(format!("{} (twins): {error:#}", case.name)),
            }
        }
        wrong.extend(traced.leftovers()?);
        assert_none(&wrong);
        Ok(())
    })
}

/// What is wrong with the report of a case, if anything is.
fn complaint(case: &Case, outcome: &Outcome, record: Option<&Record>) -> Option<String> {
    let Some(record) = record else { return Some(format!("{}: not reported", case.name)) };
    let (service, reason, _) = *case.expected.counted.first()?;
    let dropped = reason.is_drop();
    let sent = match outcome.verdict {
        Verdict::Transmit => case.ingress,
        Verdict::Redirect { ifindex } => ifindex,
        Verdict::Pass | Verdict::Drop => 0,
    };
    let ending = match outcome.verdict {
        Verdict::Drop => Ending::Dropped,
        _ if dropped => Ending::Dropped,
        Verdict::Pass => Ending::Passed,
        Verdict::Transmit | Verdict::Redirect { .. } => Ending::Forwarded,
    };
    let backend = case.expected.backends.first().map_or(0, |(id, _)| *id);
    let expected = (service, reason as u8, ending as u8, case.ingress, sent, backend);
    let found = (
        record.service,
        record.reason,
        record.ending,
        record.ingress,
        record.egress,
        record.backend,
    );
    let before = (case.input.len(), head(&case.input));
    let after = (outcome.frame.len(), head(&outcome.frame));
    let frames = (record.before_len as usize, record.before()) == before
        && (record.after_len as usize, record.after()) == after;
    (expected != found || !frames)
        .then(|| format!("{}: {expected:?} expected, {found:?}; frames {frames}", case.name))
}

fn head(frame: &[u8]) -> &[u8] {
    frame.get(..SNAP).unwrap_or(frame)
}

#[test]
fn only_what_is_wanted_is_reported() -> Result<()> {
    with_twins(|traced, links| {
        let spec = services::NAT_V4_TCP;
        let cases = cases::all(links);
        let forwarded = cases.iter().filter(|case| {
            matches!(case.expected.counted[..], [(id, Reason::Forwarded, _)] if id == spec.id)
        });
        let until = u32::MAX / 2;
        for case in forwarded.take(20) {
            let all = Filter::all(until);
            let filters = [
                (Filter { service: spec.id, ..all }, true),
                (Filter { service: spec.id + 1, ..all }, false),
                (Filter { reason: Reason::Forwarded as u8, ..all }, true),
                (Filter { reason: Reason::TtlExpired as u8, ..all }, false),
                (Filter { ending: Ending::Dropped as u8, ..all }, false),
            ];
            for (filter, expected) in filters {
                traced.set(&filter)?;
                let (_, record) = traced.run(case)?;
                assert_eq!(record.is_some(), expected, "{}: {filter:?}", case.name);
            }
            traced.look(false)?;
            assert!(traced.run(case)?.1.is_none(), "reported after the deadline");
        }
        Ok(())
    })
}

#[test]
fn what_has_no_room_is_counted() -> Result<()> {
    with_twins(|traced, _| {
        let frame = services::NAT_V4_TCP.request().build();
        let lost = traced.flood(&frame, MANY)?;
        assert!(lost > 0, "the ring took {MANY} packets");
        Ok(())
    })
}
