//! The program of `shunt decap` on single packets: as for the balancer's, host build and kernel must
//! both give the verdict, the counter and every byte that the table says.

use std::collections::HashSet;

use anyhow::Result;
use aya::programs::Xdp;
use lb_common::{decap::Reason, limits::decap::PROGRAM};

use self::{case::Case, machine::Machine};
use super::{assert_none, kernel_is_ready};

mod case;
mod cases;
mod machine;
mod packet;

#[test]
fn the_table_is_sound() {
    let cases = cases::all();
    assert!(cases.len() >= 100, "{} cases", cases.len());
    let mut names = HashSet::new();
    for case in &cases {
        assert!(names.insert(&case.name), "two cases are named {:?}", case.name);
    }
    let reasons: HashSet<_> = cases.iter().map(|case| case.expected.reason).collect();
    for reason in Reason::ALL {
        assert!(reasons.contains(reason), "no case for {reason:?}");
    }
}

#[test]
fn the_host_build_agrees_with_the_table() {
    let run = |case: &Case| case.complaint("host", &machine::on_host(case));
    assert_none(&cases::all().iter().filter_map(run).collect::<Vec<_>>());
}

#[test]
fn host_and_kernel_agree_with_the_table() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let mut machine = Machine::new()?;
    let mut wrong = Vec::new();
    let cases = cases::all();
    for case in &cases {
        wrong.extend(case.complaint("kernel", &machine.run(case)?));
    }
    assert_none(&wrong);
    println!("{} packet cases of the decapsulator, host and kernel agree", cases.len());
    Ok(())
}

#[test]
fn the_program_loads() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let machine = Machine::new()?;
    let program: &Xdp = machine.program()?;
    let info = program.info()?;
    assert_eq!(info.name_as_str(), Some(PROGRAM));
    let verified = info.verified_instruction_count();
    println!("the verifier followed {verified:?} instructions");
    assert!(verified.is_none_or(|count| count < 20_000), "{verified:?} instructions");
    Ok(())
}
