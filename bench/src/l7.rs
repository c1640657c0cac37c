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

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use tests::{
    interrupt,
    require::{self, Need},
    sweep,
};

use self::{
    case::{Case, Who},
    process::Cpus,
    report::Report,
    samples::Samples,
    stage::Stage,
};
use crate::machine;

/// How a person makes the page of the documentation.
const COMMAND: &str = "cargo xtask bench l7";
/// Where it lies, in the workspace.
const DOCS: &str = "docs/bench";
/// Whose idle connections are measured.
const IDLE: [Who; 3] = [Who::Shunt, Who::Nginx, Who::Haproxy];

/// Arguments of `bench l7`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer rounds, under two minutes; prints the results and leaves docs/bench alone
    #[arg(long)]
    quick: bool,
    /// Write the results as JSON into this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write docs/bench even when quick
    #[arg(long)]
    write: bool,
    /// Only make sure that everybody answers every request; measure nothing
    #[arg(long, conflicts_with_all = ["quick", "json", "write"])]
    smoke: bool,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    /// Requests of a measurement are this part of those of a full run.
    part: u32,
    idle: u32,
}

impl Effort {
    const fn of(args: &Args) -> Self {
        if args.smoke {
            return Self { rounds: 1, part: 200, idle: 50 };
        }
        if args.quick {
            return Self { rounds: 5, part: 3, idle: 20_000 };
        }
        Self { rounds: 11, part: 1, idle: 20_000 }
    }
}

/// Measures, and says what was found.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut needs = require::balancer();
    needs.extend(["nginx", "haproxy", "h2load"].map(Need::Program));
    let lacks = require::lacks(&needs);
    if !lacks.is_empty() {
        bail!("the benchmark cannot run here: {}", lacks.join("; "));
    }
    interrupt::listen();
    sweep::once();
    let report = measure(Effort::of(args))?;
    if args.smoke {
        println!("{} cases: every request was answered as it should be", report.rows.len());
        return Ok(());
    }
    println!("{}", report.text());
    if let Some(path) = &args.json {
        write_json(&report, path)?;
    }
    if args.write || !args.quick {
        write_docs(&report, Path::new(DOCS))?;
    }
    Ok(())
}

fn measure(effort: Effort) -> Result<Report> {
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
    for who in IDLE {
        samples.add_idle(who, idle::bytes(&stage, who, effort.idle)?);
    }
    let targets = targets::targets(&samples);
    let machine = machine::lines("one of them the proxy's alone");
    Ok(Report { rows: samples.rows(), samples, targets, machine, setting: setting(effort) })
}

/// What the figures depend on, besides the machine.
fn setting(effort: Effort) -> Vec<String> {
    vec![
        "proxies: one worker each, with connections to the backends that stay, round robin, no log; they write \
         `X-Forwarded-For`"
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

fn write_json(report: &Report, path: &Path) -> Result<()> {
    let json = serde_json::to_string_pretty(&report.rows)?;
    fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))
}

fn write_docs(report: &Report, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    plot::draw(&report.rows, &directory.join("l7.svg"))?;
    write_json(report, &directory.join("l7.json"))?;
    let page = directory.join("l7.md");
    fs::write(&page, report.page(COMMAND, "l7.svg"))
        .with_context(|| format!("cannot write {}", page.display()))?;
    println!("written: {}", page.display());
    Ok(())
}
