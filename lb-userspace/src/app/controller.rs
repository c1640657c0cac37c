//! The owner of everything that changes: configuration, tables, attachments, addresses.

mod answers;
mod attaching;
mod logs;
mod sweeping;
mod tracer;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Instant,
};

use anyhow::Result;
use tracing::{error, info, warn};

use self::answers::{answer, failure, lines, refusal};
use super::{
    dead, flow,
    journal::Journal,
    problems,
    refused::{self, Refused},
    requests, sweep,
    trace::Tracing,
    view,
    vips::Vips,
};
use crate::{
    admin::{
        Request, RequestError,
        types::{Apply, Changed, FlowView, Status},
    },
    config,
    dataplane::{
        Dataplane,
        netlink::{Links, Netlink, NextHops, vlan},
        probe,
    },
    health::{self, Checks, Report},
    model::{Change, Desired, FlowQuery},
    proxy::Proxy,
    reconcile::{
        self, Image,
        compile::{Down, Inputs, Targets, address_of, compile, vip_endpoint},
        describe::describe,
        filter::Filters,
        sweep::Leaving,
    },
};

/// Whether the event loop goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flow {
    /// It does.
    Continue,
    /// It ends.
    End,
}

/// What a controller is made of.
pub(super) struct Parts {
    pub(super) dataplane: Dataplane,
    pub(super) netlink: Netlink,
    pub(super) journal: Journal,
    pub(super) vips: Vips,
    pub(super) checks: Checks,
    pub(super) proxy: Proxy,
}

/// See the module.
pub(super) struct Controller {
    pub(super) desired: Desired,
    pub(super) dataplane: Dataplane,
    /// What the tables hold.
    pub(super) image: Image,
    pub(super) links: Links,
    pub(super) next_hops: NextHops,
    pub(super) checks: Checks,
    /// The layer-7 plane.
    pub(super) proxy: Proxy,
    /// Backends that get no packets, as their checks failed.
    down: Down,
    /// Backends that were leaving, and named by no remembered flow, when the flows were last swept.
    unreferenced: BTreeSet<u32>,
    /// The filter in front of lists of sources.
    filters: Filters,
    /// What earlier sweeps found of backends that are leaving.
    leaving: Leaving,
    /// How often backends have come or gone.
    changes: u64,
    /// Flows that were remembered when the tables were last swept.
    pub(super) remembered: usize,
    /// New flows that services had no room for.
    refused: Refused,
    pub(super) started: Instant,
    /// Whoever traces packets.
    pub(super) tracing: Tracing,
    netlink: Netlink,
    journal: Journal,
    vips: Vips,
    /// Interfaces attached to, with the index that they had then.
    attached: BTreeMap<String, u32>,
}

impl Controller {
    pub(super) fn new(desired: Desired, parts: Parts) -> Result<Self> {
        let Parts { dataplane, netlink, journal, vips, mut checks, proxy } = parts;
        let image = dataplane.image()?;
        checks.adopt(dead::of(&image, &desired));
        Ok(Self {
            desired,
            dataplane,
            image,
            links: Links::new(),
            next_hops: NextHops::new(),
            checks,
            proxy,
            down: Down::new(),
            unreferenced: BTreeSet::new(),
            filters: Filters::default(),
            leaving: Leaving::default(),
            changes: 0,
            remembered: 0,
            refused: Refused::default(),
            started: Instant::now(),
            tracing: Tracing::default(),
            netlink,
            journal,
            vips,
            attached: BTreeMap::new(),
        })
    }

    /// Fills the tables, then attaches. An interface that cannot be attached to ends the start: what
    /// was made until then is removed again, but what was adopted goes on as it was.
    pub(super) async fn start(&mut self) -> Result<()> {
        let adopts = !self.dataplane.attached()?.is_empty();
        let begun = self.begin().await;
        if begun.is_err()
            && !adopts
            && let Err(error) = self.remove_all().await
        {
            error!("cannot remove what was made before the start failed: {error:?}");
        }
        begun
    }

    async fn begin(&mut self) -> Result<()> {
        if !self.image.services.is_empty() {
            info!("adopted the pinned tables of {} services", self.image.services.len());
        }
        let desired = self.desired.clone();
        self.bring_about(&desired).await?;
        self.links = self.netlink.links().await?;
        for problem in self.problems().await {
            warn!("{problem}");
        }
        Ok(())
    }

    /// Follows the network: next hops, interfaces that come back, VIP addresses.
    pub(super) async fn refresh(&mut self) -> Result<()> {
        let desired = self.desired.clone();
        self.fill_tables(&desired).await?;
        self.attach(&desired)?;
        self.proxy.reload_files(&desired, &self.down);
        self.note_refused()?;
        self.vips.follow(&desired, &self.netlink, &self.links).await
    }

    /// Reports services that have begun to refuse new flows.
    fn note_refused(&mut self) -> Result<()> {
        for (name, service) in &self.desired.services {
            let Some(entry) = self.image.services.get(&vip_endpoint(service.listen)) else {
                continue;
            };
            for reason in refused::REASONS {
                let packets = self.dataplane.packets_by(entry.id, reason)?.packets;
                if let Some(news) =
                    self.refused.note(name.as_str(), reason, packets, Instant::now())
                {
                    warn!("{news}");
                }
            }
        }
        Ok(())
    }

    /// Hears what probes found. When that makes a backend fail or rise, its flows are moved.
    pub(super) async fn probed(&mut self, reports: impl IntoIterator<Item = Report>) -> Result<()> {
        let whole = self.checks.pools_down(&self.desired);
        for news in reports.into_iter().filter_map(|report| self.checks.record(report)) {
            let health::News { key: (pool, address), change, reason } = news;
            match change {
                health::Change::Down => warn!("backend {address} of {pool} is down: {reason}"),
                health::Change::Up => info!("backend {address} of {pool} is up: {reason}"),
                health::Change::Skipped => warn!("backend {address} of {pool}: {reason}"),
            }
        }
        for (pool, fails_open) in &self.checks.pools_down(&self.desired) {
            if !whole.contains_key(pool) {
                warn!("{}", problems::pool_down(pool, *fails_open));
            }
        }
        if self.checks.down(&self.desired) != self.down {
            let desired = self.desired.clone();
            self.proxy.follow(&desired, &self.checks.down(&desired))?;
            self.fill_tables(&desired).await?;
        }
        Ok(())
    }

    /// Answers a request.
    pub(super) async fn handle(&mut self, request: Request) -> Flow {
        match request {
            Request::Status { reply } => match self.status().await {
                Ok(status) => answer(reply, Box::new(status)),
                // Without an answer the API says that the daemon could not give one.
                Err(error) => error!("cannot report the status: {error:#}"),
            },
            Request::Flow { query, reply } => answer(reply, self.explain(&query)),
            Request::Route { query, reply } => {
                answer(reply, requests::explain(&self.desired, &self.proxy, &query));
            }
            Request::Sources { service, list, reply } => {
                answer(reply, self.sources(&service, list));
            }
            Request::Trace { query, reply } => self.begin_trace(&query, reply),
            Request::Change { changes, reply } => answer(reply, self.change(&changes).await),
            Request::Apply { apply, reply } => answer(reply, self.apply(&apply).await),
            Request::Reopen { reply } => answer(reply, self.reopen_logs().await),
            Request::Detach { reply } => {
                let detached = self.remove_all().await;
                let flow = if detached.is_ok() { Flow::End } else { Flow::Continue };
                answer(reply, detached);
                return flow;
            }
        }
        Flow::Continue
    }

    async fn status(&mut self) -> Result<Status> {
        self.links = self.netlink.links().await?;
        let problems = self.problems().await;
        Ok(view::status(self, problems)?)
    }

    /// Asks the program which backend a flow gets.
    fn explain(&mut self, query: &FlowQuery) -> Result<FlowView, RequestError> {
        let frame = probe::frame(query).map_err(failure)?;
        let said = self.dataplane.explain(&frame).map_err(failure)?;
        Ok(flow::view(query, &said, &self.image, &self.desired))
    }

    async fn problems(&self) -> Vec<String> {
        let local = self.netlink.addresses().await.unwrap_or_default();
        let mut found = problems::problems(&self.desired, &self.links, &self.next_hops, &local);
        problems::health(&self.desired, &self.checks, &mut found);
        found.extend(self.refused.problems(Instant::now()));
        found.extend(requests::log_problems(&self.desired, &self.proxy));
        found
    }

    /// Makes changes, all or none. They are recorded before they are made.
    async fn change(&mut self, changes: &[Change]) -> Result<Changed, RequestError> {
        let next = self.desired.with(changes).map_err(|error| refusal(&error))?;
        let operations = describe(&self.desired, &next);
        self.journal.append(changes).map_err(failure)?;
        if let Err(error) = self.bring_about(&next).await {
            self.return_to_present().await;
            self.journal.take_back().map_err(failure)?;
            return Err(failure(error));
        }
        self.desired = next;
        for operation in &operations {
            info!("changed: {operation}");
        }
        Ok(Changed { operations })
    }

    async fn apply(&mut self, apply: &Apply) -> Result<Changed, RequestError> {
        let next = config::parse_with_files(&apply.file, &apply.text)
            .map_err(|errors| lines(&errors.to_string()))?;
        if next.daemon != self.desired.daemon {
            return Err(lines(&format!(
                "{}: [daemon] settings are read at start only; restart the daemon to change them, or leave them as they are",
                apply.file
            )));
        }
        let operations = describe(&self.desired, &next);
        if apply.dry_run {
            return Ok(Changed { operations });
        }
        if let Err(error) = self.bring_about(&next).await {
            self.return_to_present().await;
            return Err(failure(error));
        }
        self.desired = next;
        self.journal.clear().map_err(failure)?;
        info!("applied {}: {} differences", apply.file, operations.len());
        Ok(Changed { operations })
    }

    async fn bring_about(&mut self, next: &Desired) -> Result<()> {
        self.changes += 1;
        self.checks.follow(next)?;
        self.fill_tables(next).await?;
        self.attach(next)?;
        self.detach_others(next)?;
        self.vips.follow(next, &self.netlink, &self.links).await?;
        // Last, because a listener may bind the address of a VIP that was put on an interface just now.
        Ok(self.proxy.follow(next, &self.checks.down(next))?)
    }

    /// After a change that failed half-way: back to what was.
    async fn return_to_present(&mut self) {
        let present = self.desired.clone();
        if let Err(error) = self.bring_about(&present).await {
            error!("cannot return to the state before the failed change: {error:#}");
        }
    }

    async fn remove_all(&mut self) -> Result<Changed, RequestError> {
        let mut operations = self.dataplane.remove().map_err(failure)?;
        operations.extend(self.vips.remove_all(&self.netlink).await.map_err(failure)?);
        Ok(Changed { operations })
    }

    /// Makes the tables say what a configuration and the network come to.
    async fn fill_tables(&mut self, desired: &Desired) -> Result<()> {
        self.links = self.netlink.links().await?;
        let leaving = self.image.backends.values().map(|backend| address_of(backend).ip());
        let pools = desired.pools.iter().filter(|(name, _)| !desired.is_for_requests_only(name));
        let configured = pools.flat_map(|(_, pool)| pool.backends.keys().map(SocketAddr::ip));
        let addresses: BTreeSet<_> = configured.chain(leaving).collect();
        self.next_hops = self.netlink.next_hops(addresses, &self.links).await?;
        // The kernel drops the entries of interfaces that go.
        let redirectable = vlan::redirectable(&self.links);
        self.image.interfaces.retain(|ifindex| redirectable.contains(ifindex));
        self.down = self.checks.down(desired);
        let inputs = Inputs {
            desired,
            down: &self.down,
            targets: &targets(&self.next_hops),
            interfaces: &redirectable,
            vlans: &vlan::vlans(&self.links),
            unreferenced: &self.unreferenced,
            filters: &self.filters,
            tick: sweep::tick(),
        };
        let wanted = compile(&inputs, &self.image)?;
        // A backend that comes back may get flows again.
        self.unreferenced.clear();
        for op in reconcile::plan(&self.image, &wanted) {
            self.dataplane.apply(&op)?;
            self.image.apply(&op);
        }
        // They are equal now; sharing them makes that cheap to see the next time.
        self.image.lists = wanted.lists;
        self.image.filter = wanted.filter;
        Ok(())
    }
}

fn targets(next_hops: &NextHops) -> Targets {
    let known = next_hops.iter().filter_map(|(address, hop)| Some((*address, hop.as_ref().ok()?)));
    known.map(|(address, hop)| (address, hop.target)).collect()
}
