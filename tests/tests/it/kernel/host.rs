//! The cases on the host build.

use lb_common::{
    abi::{Counter, Reason},
    decide::process,
    host::HostFrame,
};

use super::{
    case::{Case, Outcome},
    fixture::Rows,
};

/// What becomes of the frame on the host build, with fresh tables.
pub(crate) fn run(rows: &Rows, case: &Case) -> Outcome {
    let tables = rows.host_tables();
    for (ingress, frame) in &case.before {
        let _ = process(&mut HostFrame::new(frame.clone(), *ingress), &tables);
    }
    tables.counters.borrow_mut().clear();
    tables.backend_counters.borrow_mut().clear();

    let mut frame = HostFrame::new(case.input.clone(), case.ingress);
    let verdict = process(&mut frame, &tables);
    let mut counted: Vec<(u32, Reason, Counter)> =
        tables.counters.take().into_iter().map(|((id, reason), n)| (id, reason, n)).collect();
    counted.sort_by_key(|(service, reason, _)| (*service, *reason));
    let mut backends: Vec<(u32, Counter)> = tables.backend_counters.take().into_iter().collect();
    backends.sort_by_key(|(id, _)| *id);
    Outcome { verdict, counted, backends, frame: frame.into_bytes() }
}
