//! The program on single packets: tier 2, the kernel without a network.
//!
//! The table of cases runs on the host build and, by `BPF_PROG_TEST_RUN`, in the kernel. Both must
//! give the verdict, the counters, every byte, and every remembered flow that the table says.

use std::collections::HashSet;

use anyhow::Result;
use aya::maps::{Array, MapData};
use lb_common::abi::{Reason, Verdict};
use tests::require::{self, Need};

use self::{
    case::{Case, Outcome},
    fixture::Rows,
    machine::Machine,
    network::Links,
};

mod case;
mod cases;
mod decap;
mod fixture;
mod flow_hash;
mod fuzz;
mod host;
mod limit;
mod machine;
mod memory;
mod network;
mod object;
mod packet;
mod schedulers;
mod services;
mod trace;

/// Whether programs can be loaded and networks be made. If not, the reason is printed.
fn kernel_is_ready() -> bool {
    if !require::met(&[Need::Root, Need::Namespaces, Need::Program("ip")]) {
        return false;
    }
    match Array::<MapData, u32>::create(1, 0) {
        Ok(_) => true,
        Err(error) => {
            let why = format!("the kernel makes no BPF maps: {error}");
            assert!(!require::all_required(), "cannot run, and SHUNT_REQUIRE_ALL is set: {why}");
            require::skip(why);
            false
        }
    }
}

/// What is wrong, case by case.
fn complaints(
    cases: &[Case],
    runner: &str,
    mut run: impl FnMut(&Case) -> Result<Outcome>,
) -> Vec<String> {
    let complaint = |case: &Case| match run(case) {
        Ok(outcome) => case.complaint(runner, &outcome),
        Err(error) => Some(format!("{} ({runner}): {error:#}", case.name)),
    };
    cases.iter().filter_map(complaint).collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} wrong:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_table_is_sound() {
    let cases = cases::all(&Links::MADE_UP);
    assert!(cases.len() >= 4000, "{} cases", cases.len());
    let mut names = HashSet::new();
    for case in &cases {
        assert!(names.insert(&case.name), "two cases are named {:?}", case.name);
    }
    let reasons: HashSet<_> =
        cases.iter().flat_map(|case| &case.expected.counted).map(|(_, reason, _)| reason).collect();
    for reason in Reason::ALL {
        assert!(reasons.contains(reason), "no case for {reason:?}");
    }
    for (id, spec) in (1..).zip(services::all()) {
        assert_eq!(spec.id, id, "services stand in the order of their ids");
    }
}

#[test]
fn the_host_build_agrees_with_the_table() {
    let links = Links::MADE_UP;
    let rows = Rows::new(&links);
    assert_none(&complaints(&cases::all(&links), "host", |case| host::run(&rows, case)));
}

/// The stages of rare packets decide on all others, too.
#[test]
fn the_stages_agree_with_the_table() {
    let links = Links::MADE_UP;
    let rows = Rows::new(&links);
    assert_none(&complaints(&cases::all(&links), "stages", |case| host::run_as_rare(&rows, case)));
}

#[test]
fn host_and_kernel_agree_with_the_table() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    network::build()?.enter(|| {
        let links = Links::here()?;
        let rows = Rows::new(&links);
        let mut machine = Machine::new(&rows, links)?;
        let cases = cases::all(&links);
        let mut wrong = complaints(&cases, "host", |case| host::run(&rows, case));
        let (in_kernel, host_only): (Vec<_>, Vec<_>) =
            cases.into_iter().partition(|case| case.host_only.is_none());
        wrong.extend(complaints(&in_kernel, "kernel", |case| machine.run(case)));
        wrong.extend(machine.leftovers()?);
        assert_none(&wrong);
        println!("{} packet cases, host and kernel agree", in_kernel.len());
        for case in host_only {
            println!("host only: {}: {}", case.name, case.host_only.unwrap_or_default());
        }
        Ok(())
    })
}

/// The daemon takes an interface out of the map when it goes; packets on their way there are lost,
/// and not passed to the kernel half rewritten.
#[test]
fn what_is_for_an_interface_that_has_gone_is_dropped() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    network::build()?.enter(|| {
        let links = Links::here()?;
        let rows = Rows::new(&links);
        let mut machine = Machine::new(&rows, links)?;
        let spec = services::NAT_V4_TCP;
        let frame = spec.request().build();
        // No interface has this number, so that none can be redirected to.
        let nowhere = Verdict::Redirect { ifindex: u32::MAX };
        let case = case::case("gone", links.front, frame).forwards(nowhere, &spec, Vec::new());
        assert_eq!(machine.run(&case)?.verdict, Verdict::Drop);
        Ok(())
    })
}
