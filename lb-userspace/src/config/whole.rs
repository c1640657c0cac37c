//! The rules for a configuration as a whole, each problem at its line.

use super::{
    findings::Findings,
    sections::{Draft, Places},
};
use crate::model::{
    Desired,
    rules::{self, Problem, Subject},
};

/// Runs the rules over what could be read.
///
/// Something that could not be read was reported already. It shall not be reported a second time
/// as something that does not exist.
pub(super) fn judge(draft: &Draft, findings: &mut Findings<'_>) {
    let mut desired = draft.desired.clone();
    if draft.unnamed_pool {
        assume_pools(&mut desired, draft);
    }
    for problem in rules::problems(&desired) {
        findings.add(place(&problem, &draft.places), &problem.message);
    }
    for service in &draft.unfinished {
        let missing = rules::missing_pool(&desired, &service.who, &service.pool.value);
        if let Some(message) = missing {
            findings.add(service.pool.span.start, &message);
        }
    }
}

/// A pool without a name may be any of those that services name.
fn assume_pools(desired: &mut Desired, draft: &Draft) {
    let finished = draft.desired.services.values().map(|service| &service.pool);
    let unfinished = draft.unfinished.iter().map(|service| &service.pool.value);
    for pool in finished.chain(unfinished) {
        desired.pools.entry(pool.clone()).or_default();
    }
}

fn place(problem: &Problem, places: &Places) -> usize {
    let place = match &problem.subject {
        Subject::Service(name) => places.services.get(name).map(|service| {
            let key = problem.key.and_then(|key| service.keys.get(key));
            key.copied().unwrap_or(service.start)
        }),
        Subject::Backend(pool, address) => places.backends.get(&(pool.clone(), *address)).copied(),
        Subject::Whole => None,
    };
    place.unwrap_or_default()
}
