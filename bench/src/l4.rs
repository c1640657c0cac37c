//! `bench l4`: what the packet path costs.
//!
//! Two things are measured, each in rounds in which all cases take turns, so that whatever else the
//! machine does hits all of them: the cost of a packet by test run ([`cost`]), and the packet rate by
//! live frames over veth ([`rate`]). `docs/bench/README.md` tells how, and what is easily done wrong.

mod balancer;
mod case;
mod conntrack;
mod cost;
mod cpu;
mod memory;
mod network;
mod packet;
mod plot;
mod programs;
mod rate;
mod report;
mod samples;
mod stage;
mod targets;

use anyhow::Result;
use lb_common::limits::MAX_SOURCES;
use tests::{
    interrupt,
    require::{self, Need},
};

use self::{
    case::{BACKENDS, FLOWS, MANY},
    conntrack::Raised,
    cost::Places,
    cpu::Cpu,
    memory::Memory,
    report::Report,
    samples::Samples,
    stage::Stage,
};
use crate::{
    machine,
    output::{self, Args},
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    flows: &'static [u32],
    /// Rounds of test runs, and packets of each run.
    cost: (usize, u32),
    /// Rounds of live runs for each number of flows, and packets of each run.
    rate: (usize, u32),
}

impl Effort {
    const fn of(args: &Args) -> Self {
        if args.smoke {
            return Self { flows: &[1, 100], cost: (1, 500), rate: (1, 512) };
        }
        if args.quick {
            return Self { flows: &FLOWS, cost: (9, 80_000), rate: (5, 96_000) };
        }
        Self { flows: &FLOWS, cost: (25, 100_000), rate: (13, 128_000) }
    }
}

/// Measures, and says what was found.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut needs = require::network();
    needs.push(Need::Program("nft"));
    output::begin(&needs)?;
    let report = measure(Effort::of(args))?;
    if args.smoke {
        println!("{} cases: every packet was handled as it should be", report.rows.len());
        return Ok(());
    }
    output::publish(&report, "l4", args)
}

fn measure(effort: Effort) -> Result<Report> {
    let cpu = Cpu::pin()?;
    println!("Building networks and tables ...");
    let mut stage = Stage::build(cpu, effort.flows)?;
    stage.network.translate()?;
    // Two families, and room for others.
    let _raised = Raised::to(MANY * 2 + 100_000)?;
    let memory = Memory::of(stage.balancer_of_all()?.pins())?;
    cost::compare(&mut stage, effort.flows.first().copied().unwrap_or(1))?;

    let (mut samples, mut places) = (Samples::default(), Places::new());
    let (rounds, packets) = effort.cost;
    for round in 1..=rounds {
        progress("cost per packet", round, rounds)?;
        cost::round(&mut stage, effort.flows, packets, &mut places, &mut samples)?;
    }
    let (rounds, packets) = effort.rate;
    for &flows in effort.flows {
        rate::open(&mut stage, flows)?;
        for round in 1..=rounds {
            progress(&format!("packet rate, {}", targets::flows_in_words(flows)), round, rounds)?;
            rate::round(&mut stage, flows, packets, &mut places, &mut samples)?;
        }
    }
    let rows = samples.rows();
    let targets = targets::targets(&rows, Some(memory));
    let setting = setting(effort, memory);
    Ok(Report { rows, targets, machine: machine::lines("of which one was used"), setting })
}

fn progress(what: &str, round: usize, rounds: usize) -> Result<()> {
    println!("{what}: round {round} of {rounds}");
    interrupt::check()
}

/// What the figures depend on, besides the machine.
fn setting(effort: Effort, memory: Memory) -> Vec<String> {
    let ((cost_rounds, cost_packets), (rate_rounds, rate_packets)) = (effort.cost, effort.rate);
    vec![
        format!(
            "tables: {} services of {BACKENDS} backends each, all slots settled; every packet is for \
             one of them",
            case::Spec::all().chain(case::Spec::guarded()).count()
        ),
        format!("flows: {}; all slots are reached by 10k and more", report::flows_line(effort.flows)),
        format!(
            "guarded: a list of {MAX_SOURCES} denied prefixes, which has nothing of the senders, and \
             limits of new flows, of the service and of each source"
        ),
        "full-nat: a flow table with as many flows as are sent, one for each family".to_owned(),
        "packets: TCP segments of open connections without payload, 60 bytes (IPv6: 74)".to_owned(),
        format!("cost: medians of {cost_rounds} rounds of {cost_packets} packets each"),
        format!("rate: medians of {rate_rounds} rounds of {rate_packets} packets each, one CPU for all"),
        "kernel: routed, with GRO, without checksums of TCP being looked at; nftables: one rule with \
         `dnat to`, as many remembered connections as flows in each family"
            .to_owned(),
        report::memory_line(memory),
    ]
}
