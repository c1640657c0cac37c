//! The daemon: start and stop order, and the one event loop that owns everything that changes.
//!
//! The loop is a single task on a single thread. Whoever wants something sends it a
//! [`Request`](crate::admin::Request); nobody else touches the tables, the configuration or the
//! state files, so nothing here is locked.
//!
//! Order at start: refuse what cannot work (configuration, another daemon), adopt or make the maps,
//! fill them, and only then attach. At the end nothing is undone: packets flow on by the pinned maps
//! and links until the next daemon adopts them or `shunt detach` removes them.

mod controller;
mod dead;
pub mod decap;
mod files;
mod flow;
mod journal;
mod privileges;
mod problems;
mod refused;
mod requests;
mod state;
mod sweep;
mod trace;
mod view;
mod vips;

use std::{
    collections::BTreeSet,
    io::IsTerminal as _,
    num::NonZeroUsize,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt;
use tokio::{
    net::UnixListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time,
};
use tracing::{error, info, warn};

use self::{
    controller::{Controller, Flow, Parts},
    journal::Journal,
    sweep::{Step, Sweeps},
    vips::Vips,
};
use crate::{
    admin::{Request, server},
    config,
    dataplane::{Dataplane, netlink, pins},
    health::{Checks, Report},
    model::Desired,
    proxy::Proxy,
};

/// How often the network is looked at without being told of a change: unanswered next hops are
/// asked for again, and stale ones confirmed.
const REFRESH: Duration = Duration::from_secs(3);
/// Changes of the network are waited for this long, to be handled together.
const SETTLE: Duration = Duration::from_millis(50);
/// Reports of health checks that are handled before anything else is looked at.
const REPORTS_AT_ONCE: usize = 1024;
/// Share of its time, as a divisor, that the daemon may spend on following a restless network.
const REFRESH_SHARE: u32 = 10;

/// Runs the daemon until it is told to end.
pub fn run(config: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // First of all: from here on it does not end us, whoever sends it.
    let hangup = {
        let _entered = runtime.enter();
        signal(SignalKind::hangup())?
    };
    let desired = config::load(config)?;
    start_log();
    runtime.block_on(serve(desired, hangup))
}

/// Removes what a daemon that no longer runs has left: program, maps, and VIP addresses. Says what
/// went.
pub fn detach(pin_dir: &Path, state_dir: &Path) -> Result<Vec<String>> {
    let mut removed = pins::remove_unowned(pin_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    removed.extend(runtime.block_on(async {
        let (netlink, connection, _changes) = netlink::open()?;
        tokio::spawn(connection);
        anyhow::Ok(Vips::load(state_dir)?.remove_all(&netlink).await?)
    })?);
    Ok(removed)
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SHUNT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

async fn serve(configured: Desired, hangup: Signal) -> Result<()> {
    let daemon = configured.daemon.clone();
    let listener = server::bind(&daemon.admin)?;
    let result = serve_on(listener, configured, hangup).await;
    if let Err(error) = std::fs::remove_file(&daemon.admin) {
        warn!("cannot remove {}: {error}", daemon.admin.display());
    }
    result
}

async fn serve_on(listener: UnixListener, configured: Desired, hangup: Signal) -> Result<()> {
    files::raise_limit();
    let state_dir = configured.daemon.state_dir.clone();
    state::create_dir(&state_dir)?;
    let (netlink, connection, changes) = netlink::open()?;
    tokio::spawn(connection);
    let links = netlink.links().await?;
    require_interfaces(&configured, &links.keys().cloned().collect())?;

    let (journal, desired) = Journal::replay(&state_dir, &configured)?;
    let vips = Vips::load(&state_dir)?;
    let dataplane = Dataplane::open(&configured.daemon.pin_dir)?;
    let (checks, reports) = Checks::new();
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let parts = Parts { dataplane, netlink, journal, vips, checks, proxy: Proxy::new(workers) };
    let mut controller = Controller::new(desired, parts)?;
    controller.start().await?;
    privileges::drop_most().context("cannot give up privileges")?;

    let (sender, requests) = mpsc::channel(64);
    let api = tokio::spawn(server::serve(listener, sender));
    info!("ready; the API is on {}", configured.daemon.admin.display());
    let ended = events(&mut controller, requests, changes, reports, hangup).await;
    controller.end_trace("the daemon is ending");
    controller.proxy.stop().await;
    ended?;
    // Whoever has been answered shall get the answer.
    _ = time::timeout(Duration::from_secs(1), api).await;
    Ok(())
}

fn require_interfaces(desired: &Desired, present: &BTreeSet<String>) -> Result<()> {
    let missing: Vec<_> = desired
        .interfaces
        .iter()
        .map(|interface| interface.name.as_str())
        .filter(|name| !present.contains(*name))
        .collect();
    if !missing.is_empty() {
        let present: Vec<_> = present.iter().map(String::as_str).collect();
        bail!(
            "there is no interface {}; this host has: {}",
            missing.join(", "),
            present.join(", ")
        );
    }
    Ok(())
}

async fn events(
    controller: &mut Controller,
    mut requests: mpsc::Receiver<Request>,
    mut changes: impl StreamExt<Item = ()> + Unpin,
    mut reports: mpsc::Receiver<Report>,
    mut hangup: Signal,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut pause = SETTLE;
    let mut refresh_at = Instant::now() + REFRESH;
    let mut sweeps = Sweeps::new(controller.dataplane.sweeper()?);
    loop {
        tokio::select! {
            Some(request) = requests.recv() => {
                if controller.handle(request).await == Flow::End {
                    return Ok(());
                }
            }
            Some(report) = reports.recv() => {
                // Backends that fail together are one change of the tables.
                let waiting = std::iter::from_fn(|| reports.try_recv().ok());
                let waiting = waiting.take(REPORTS_AT_ONCE);
                if let Err(error) = controller.probed(std::iter::once(report).chain(waiting)).await {
                    error!("cannot follow the health of the backends: {error:#}");
                }
            }
            Some(()) = changes.next() => {
                refresh_at = refresh_at.min(Instant::now() + pause);
            }
            () = time::sleep_until(refresh_at.into()) => {
                let started = Instant::now();
                if let Err(error) = controller.refresh().await {
                    error!("cannot follow the network: {error:#}");
                }
                pause = SETTLE.max(started.elapsed() * REFRESH_SHARE);
                refresh_at = Instant::now() + REFRESH;
            }
            step = controller.tracing.next() => controller.traced(step),
            step = sweeps.next() => {
                let done = match step {
                    Step::Begin => match controller.sweep_work() {
                        Ok(work) => {
                            sweeps.begin(work);
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                    Step::Found(Ok(found), changes) => controller.swept(found, changes).await,
                    Step::Found(Err(error), _) => Err(error),
                };
                sweeps.report(done);
            }
            // What cannot be opened is in the log.
            Some(()) = hangup.recv() => {
                _ = controller.reopen_logs().await;
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    info!("ending; packets flow on until `shunt detach`");
    Ok(())
}
