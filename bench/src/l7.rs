//! `bench l7`: what a request costs.
//!
//! The proxy is alone on one CPU; clients and backends share another. All cases take turns within a round,
//! so that whatever else the machine does hits all of them. `docs/bench/README.md` tells how.

mod case;
mod configs;
mod idle;
mod load;
mod network;
mod plot;
mod process;
mod report;
mod samples;
mod stage;
mod targets;

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{
    interrupt,
    require::{self, Need},
};

use self::{
    case::{Case, Who},
    process::Cpus,
    report::Report,
    samples::Samples,
    stage::Stage,
};
use crate::{
    machine,
    output::{self, Args, Results as _},
};

/// Whose idle connections are measured.
const IDLE: [Who; 3] = [Who::Shunt, Who::Nginx, Who::Haproxy];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    /// Requests of a measurement are this part of those of a full run.
    part: u32,
    idle: u32,
    /// Memory that does not fall for so long stays.
    steady: Duration,
}

impl Effort {
    const fn of(args: &Args) -> Self {
        if args.smoke {
            return Self { rounds: 1, part: 200, idle: 50, steady: Duration::from_millis(200) };
        }
        if args.quick {
            return Self { rounds: 5, part: 3, idle: 20_000, steady: idle::STEADY };
        }
        Self { rounds: 11, part: 1, idle: 20_000, steady: idle::STEADY }
    }
}

/// Measures, and says what was found.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut needs = require::balancer();
    needs.extend(["nginx", "haproxy", "h2load"].map(Need::Program));
    output::begin(&needs)?;
    let (report, idle) = measure(Effort::of(args))?;
    if let Err(error) = idle {
        println!("{}", report.text());
        return Err(error.context("idle connections; what was measured before is above"));
    }
    if args.smoke {
        println!("{} cases: every request was answered as it should be", report.rows.len());
        return Ok(());
    }
    output::publish(&report, "l7", args)
}

/// The report, and whether it has all: idle connections come last, and are at the mercy of what the host allows.
fn measure(effort: Effort) -> Result<(Report, Result<()>)> {
    let cpus = Cpus::share()?;
    println!("Building networks and starting servers ...");
    let stage = Stage::build(cpus)?;
    let mut samples = Samples::default();
    // What is left of the first round is that everybody is warm.
    for round in 0..=effort.rounds {
        if round > 0 {
            println!("round {round} of {}", effort.rounds);
        }
        for case in Case::all() {
            interrupt::check()?;
            let requests = case.work.requests() / effort.part;
            if round == 0 {
                stage.run(case, requests.div_ceil(10))?;
            } else {
                samples.add(case, stage.measure(case, requests)?, requests);
            }
        }
    }
    ensure!(stage.forwarded()? > 0, "nothing went through the service of layer 4");
    println!("idle connections");
    let idle = IDLE.iter().try_for_each(|&who| {
        samples.add_idle(who, idle::bytes(&stage, who, effort.idle, effort.steady)?);
        Ok(())
    });
    let targets = targets::targets(&samples);
    let machine = machine::lines("one of them the proxy's alone");
    let report =
        Report { rows: samples.rows(), samples, targets, machine, setting: setting(effort) };
    Ok((report, idle))
}

/// What the figures depend on, besides the machine.
fn setting(effort: Effort) -> Vec<String> {
    vec![
        "proxies: one worker each, with connections to the backends that stay, round robin, no log but \
         for those of that name; they write `Via` and the four `X-Forwarded-` headers that Shunt does"
            .to_owned(),
        "backends: two addresses of nginx, which answers with 100 bytes or 1 MiB".to_owned(),
        "clients: 64 connections (1 MiB: 8) of h2load; HTTP/2: 16 with 8 requests each at a time; with a \
         connection for each request: eight clients of our own"
            .to_owned(),
        "TLS: 1.3, a certificate with a P-256 key; handshakes are full, sessions are not resumed".to_owned(),
        "HTTP/2: without TLS, to backends of HTTP/1.1".to_owned(),
        format!("medians of {} rounds of about a second for each case", effort.rounds),
        format!(
            "idle: {} connections (HAProxy: {}), each after one request",
            idle::room(Who::Shunt, effort.idle),
            idle::room(Who::Haproxy, effort.idle)
        ),
    ]
}
