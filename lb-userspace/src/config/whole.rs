//! The rules for a configuration as a whole, each problem at its line.

use super::{
    findings::Findings,
    sections::{Draft, Places, ServicePlaces},
};
use crate::model::{
    Desired, Route,
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
    let routes = draft.desired.listeners.values().flat_map(|listener| &listener.routes);
    let wanted = routes.flat_map(Route::pools);
    for pool in finished.chain(unfinished).chain(wanted) {
        desired.pools.entry(pool.clone()).or_default();
    }
}

impl ServicePlaces {
    /// Where a key is, or the section if it is about none that is there.
    fn of(&self, key: Option<&str>) -> usize {
        key.and_then(|key| self.keys.get(key)).copied().unwrap_or(self.start)
    }
}

fn place(problem: &Problem, places: &Places) -> usize {
    let place = match &problem.subject {
        Subject::Service(name) => places.services.get(name).map(|it| it.of(problem.key)),
        Subject::Listener(name) => places.listeners.get(name).map(|it| it.of(problem.key)),
        Subject::Route(name, nth) => {
            places.routes.get(&(name.clone(), *nth)).map(|it| it.of(problem.key))
        }
        Subject::Backend(pool, address) => places.backends.get(&(pool.clone(), *address)).copied(),
        Subject::Whole => None,
    };
    place.unwrap_or_default()
}
