//! Packet rate, by live frames over veth: from `far` to whoever handles them, and back.
//!
//! The kernel's connection table is one for all namespaces, so fewer flows come before more, and
//! each number of flows has rounds of its own.

use anyhow::{Context, Result};

use super::{
    case::{Case, Family, Spec, Who},
    cost::Places,
    network::FRONT_MAC,
    network::{TO_KERNEL, TO_NFTABLES, TO_SHUNT, ifindex},
    packet::{self, Segment},
    programs::Load,
    samples::Samples,
    stage::{Stage, spec},
};

/// Packets before each measurement, for the caches.
const WARM: u32 = 2_048;

/// Has every flow of the kernel's connection table there before it is measured.
pub(crate) fn open(stage: &mut Stage, flows: u32) -> Result<()> {
    for family in Family::ALL {
        send(stage, Case::plain(Who::Nftables, family, flows), 0, flows)?;
    }
    Ok(())
}

/// One round over all cases with so many flows.
pub(crate) fn round(
    stage: &mut Stage,
    flows: u32,
    packets: u32,
    places: &mut Places,
    samples: &mut Samples,
) -> Result<()> {
    for family in Family::ALL {
        let case = |who| Case::plain(who, family, flows);
        let bare = measure(stage, case(Who::Bare), packets, places)?;
        let mut note = |case, rate: f64| {
            let sample = samples.of(case);
            sample.rate.push(rate);
            sample.ratio.push(rate / bare);
        };
        note(case(Who::Bare), bare);
        for spec in Spec::all().filter(|spec| spec.family == family) {
            for case in [Who::Edits, Who::Shunt].map(|who| Case::of(who, spec, flows)) {
                note(case, measure(stage, case, packets, places)?);
            }
        }
        for spec in Spec::guarded().filter(|spec| spec.family == family) {
            let case = Case::of(Who::Guarded, spec, flows);
            note(case, measure(stage, case, packets, places)?);
        }
        for case in [Who::Kernel, Who::Nftables].map(case) {
            note(case, measure(stage, case, packets, places)?);
        }
    }
    Ok(())
}

/// Million packets for a second of CPU time.
fn measure(stage: &mut Stage, case: Case, packets: u32, places: &mut Places) -> Result<f64> {
    let next = places.entry(case).or_default();
    send(stage, case, *next, WARM)?;
    *next = stage.programs.next_flow()?;
    let took = send(stage, case, *next, packets)?;
    *next = stage.programs.next_flow()?;
    Ok(f64::from(packets) / took.as_secs_f64() / 1e6)
}

/// Sends packets from a flow on; all must come back, and have been forwarded by whom they should.
fn send(stage: &mut Stage, case: Case, next: u32, packets: u32) -> Result<std::time::Duration> {
    let spec = spec(case);
    let frame = packet::frame(spec, Segment::Open, FRONT_MAC);
    stage.programs.make(packet::recipe(&frame, case.flows, next))?;
    let end = match case.who {
        Who::Bare | Who::Edits | Who::Shunt | Who::Guarded => {
            stage.attach(case)?;
            TO_SHUNT
        }
        Who::Kernel => TO_KERNEL,
        Who::Nftables => TO_NFTABLES,
    };
    let before = stage.balancer(case)?.forwarded(spec)?;
    let programs = &mut stage.programs;
    let took = stage.network.far.enter(|| {
        programs.send_to(ifindex(end)?)?;
        programs.send(Load { spec, frame: &frame, packets })
    });
    let took = took.with_context(|| case.to_string())?;
    if case.who.is_shunt() {
        stage.balancer(case)?.check(spec, before, packets)?;
    }
    Ok(took)
}
