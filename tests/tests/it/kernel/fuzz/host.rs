//! The host build's side: every packet by the usual way, and once more by the stages alone.

use std::collections::{HashMap, HashSet};

use lb_common::{
    abi::{Counter, Flow, FlowKey, FragmentKey, Ports, Reason, Return, Verdict},
    host::{HostFrame, HostTables, Router},
    slot::Slot,
};

use super::{
    Event, Setting,
    fixture::Rows,
    network::Links,
    routes,
    tables::{self, Held},
};

/// Both builds of the tables.
pub(super) struct Host {
    usual: HostTables,
    rare: HostTables,
}

/// What became of a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sent {
    pub(super) verdict: Verdict,
    pub(super) frame: Vec<u8>,
    /// Service and reason that it was counted under.
    pub(super) counted: Option<(u32, Reason)>,
}

impl Host {
    /// With the rows, for interfaces of these numbers.
    pub(super) fn new(rows: &Rows, links: Links) -> Self {
        let tables = || {
            let mut tables = rows.host_tables(0);
            tables.room = super::ROOM as usize;
            tables.router = Some(Router(Box::new(move |query| routes::answer(&links, query))));
            tables.tags.extend(tables::tags(rows));
            tables
        };
        Self { usual: tables(), rare: tables() }
    }

    /// As new, in a tick.
    pub(super) fn reset(&mut self, rows: &Rows, setting: &Setting, now: u32) {
        for tables in [&mut self.usual, &mut self.rare] {
            tables.now.set(now);
            tables.silent = setting.silent;
            tables.vlans = setting.vlans.iter().copied().collect();
            let mut slots = tables.slots.borrow_mut();
            slots.extend(rows.slots.iter().map(|row| (row.index, row.at(now))));
            drop(slots);
            tables.flows.borrow_mut().clear();
            tables.ways_back.borrow_mut().clear();
            tables.fragments.borrow_mut().clear();
            tables.direct_flows.borrow_mut().clear();
            tables.direct_seen.borrow_mut().clear();
            tables.buckets.borrow_mut().clear();
            tables.turns_taken.borrow_mut().clear();
            tables.backend_flows.borrow_mut().clear();
            tables.counters.borrow_mut().clear();
            tables.backend_counters.borrow_mut().clear();
        }
    }

    /// Does what an event says, by both ways.
    pub(super) fn apply(&self, event: &Event) -> Option<(Sent, Sent)> {
        match event {
            Event::Frame { ingress, bytes } => {
                let usual = run(&self.usual, HostTables::process, *ingress, bytes);
                let rare = run(&self.rare, HostTables::process_as_rare, *ingress, bytes);
                Some((usual, rare))
            }
            Event::Age(ticks) => {
                age(&self.usual, *ticks);
                age(&self.rare, *ticks);
                None
            }
        }
    }

    /// Packets that were counted, by reason.
    pub(super) fn counted(&self) -> Vec<(Reason, u64)> {
        let counters = self.usual.counters.borrow();
        counters.iter().map(|((_, reason), counter)| (*reason, counter.packets)).collect()
    }

    /// What the tables hold, by both ways.
    pub(super) fn held(&self) -> (Held, Held) {
        (held(&self.usual), held(&self.rare))
    }
}

fn run(
    tables: &HostTables,
    process: impl Fn(&HostTables, &mut HostFrame) -> Verdict,
    ingress: u32,
    bytes: &[u8],
) -> Sent {
    tables.last.set(None);
    let mut frame = HostFrame::new(bytes.to_vec(), ingress);
    let verdict = process(tables, &mut frame);
    Sent { verdict, frame: frame.into_bytes(), counted: tables.last.get() }
}

/// Lets everything that is remembered be older by so many ticks.
fn age(tables: &HostTables, ticks: u32) {
    let older = |seen: &mut u32| *seen = seen.wrapping_sub(ticks);
    tables.flows.borrow_mut().values_mut().for_each(|flow: &mut Flow| older(&mut flow.seen));
    tables.ways_back.borrow_mut().values_mut().for_each(|way: &mut Return| older(&mut way.seen));
    tables.fragments.borrow_mut().values_mut().for_each(|ports: &mut Ports| older(&mut ports.seen));
}

fn held(tables: &HostTables) -> Held {
    let flows: HashMap<FlowKey, Flow> = tables.flows.borrow().clone();
    let ways: HashMap<FlowKey, Return> = tables.ways_back.borrow().clone();
    let fragments: HashMap<FragmentKey, Ports> = tables.fragments.borrow().clone();
    let direct_flows: HashSet<FlowKey> = tables.direct_flows.borrow().clone();
    let direct_seen: HashSet<u32> = tables.direct_seen.borrow().clone();
    let slots: HashMap<u32, Slot> = tables.slots.borrow().clone();
    let packets: HashMap<(u32, Reason), Counter> = tables.counters.borrow().clone();
    let backends: HashMap<u32, Counter> = tables.backend_counters.borrow().clone();
    let mut flows_opened: HashMap<u32, i64> = tables.backend_flows.borrow().clone();
    flows_opened.retain(|_, flows| *flows != 0);
    Held {
        flows,
        ways,
        fragments,
        direct_flows,
        direct_seen,
        slots,
        packets,
        backends,
        flows_opened,
    }
}
