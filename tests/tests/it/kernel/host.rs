//! The cases on the host build.

use anyhow::Result;
use lb_common::{
    abi::{Counter, Reason, Verdict},
    host::{HostFrame, HostTables},
};

use super::{
    case::{Case, Outcome, Stamped},
    fixture::Rows,
    memory::{Flow, Known, Memory, WayBack},
};

/// The tick in which everything happens: stamps have to cope with the turn of their 16 bits.
const NOW: u32 = 0x3_0002;

/// What becomes of the frame on the host build, with fresh tables.
pub(crate) fn run(rows: &Rows, case: &Case) -> Result<Outcome> {
    run_by(HostTables::process, rows, case)
}

/// The same by the stages alone.
pub(crate) fn run_as_rare(rows: &Rows, case: &Case) -> Result<Outcome> {
    run_by(HostTables::process_as_rare, rows, case)
}

fn run_by(
    process: impl Fn(&HostTables, &mut HostFrame) -> Verdict,
    rows: &Rows,
    case: &Case,
) -> Result<Outcome> {
    let mut tables = rows.host_tables(NOW);
    tables.silent = case.silent;
    let known = case.memory.fragments.iter().map(|known| known.encode(NOW));
    tables.fragments.borrow_mut().extend(known);
    tables.flows.borrow_mut().extend(case.memory.flows.iter().map(|flow| flow.encode(NOW)));
    tables.ways_back.borrow_mut().extend(case.memory.ways.iter().map(|way| way.encode(NOW)));
    for (ingress, frame) in &case.before {
        let _ = process(&tables, &mut HostFrame::new(frame.clone(), *ingress));
    }
    tables.counters.borrow_mut().clear();
    tables.backend_counters.borrow_mut().clear();

    let mut frame = HostFrame::new(case.input.clone(), case.ingress);
    if let Some(headroom) = case.headroom {
        frame = frame.with_headroom(headroom);
    }
    let verdict = process(&tables, &mut frame);
    let mut counted: Vec<(u32, Reason, Counter)> =
        tables.counters.take().into_iter().map(|((id, reason), n)| (id, reason, n)).collect();
    counted.sort_by_key(|(service, reason, _)| (*service, *reason));
    let mut backends: Vec<(u32, Counter)> = tables.backend_counters.take().into_iter().collect();
    backends.sort_by_key(|(id, _)| *id);
    let (memory, stamped) = (memory(&tables)?, stamped(rows, &tables)?);
    Ok(Outcome { verdict, counted, backends, frame: frame.into_bytes(), memory, stamped })
}

fn memory(tables: &HostTables) -> Result<Memory> {
    let (flows, ways) = (tables.flows.borrow(), tables.ways_back.borrow());
    let flows = flows.iter().map(|(key, flow)| Flow::decode(key, flow, NOW));
    let ways = ways.iter().map(|(key, way)| WayBack::decode(key, way, NOW));
    let (flows, ways) = (flows.collect::<Result<_>>()?, ways.collect::<Result<_>>()?);
    let fragments = tables.fragments.borrow();
    let fragments = fragments.iter().map(|(key, ports)| Known::decode(key, *ports, NOW));
    let fragments = fragments.collect::<Result<_>>()?;
    Ok(Memory { flows, ways, fragments }.sorted())
}

fn stamped(rows: &Rows, tables: &HostTables) -> Result<Vec<Stamped>> {
    let slots = tables.slots.borrow();
    let stamped = rows.slots.iter().filter_map(|row| {
        let found = slots.get(&row.index).copied().unwrap_or_default();
        Stamped::of(row, found, NOW).transpose()
    });
    stamped.collect()
}
