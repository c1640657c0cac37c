//! What fits into the tables.

use std::{collections::BTreeSet, sync::Arc};

use lb_common::{limits, maglev};

use super::{Problem, Subject};
use crate::model::{Desired, Pool, Scheduler, Service, Udp, access::Rules};

/// Finds what there is too much of.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    let mut check = |what: &str, wanted: usize, most: u32| {
        if wanted > most as usize {
            found.push(Problem {
                subject: Subject::Whole,
                key: None,
                message: format!(
                    "{wanted} {what} are more than the {most} that fit into the tables; spread them over several balancers"
                ),
            });
        }
    };
    let services = || desired.services.values();
    let pool_of = |service: &Service| desired.pools.get(&service.pool);
    let backends_of = |service: &Service| pool_of(service).map_or(0, |pool| pool.backends.len());
    let slots = services().map(|service| maglev::ring_slots(backends_of(service)) as usize);
    let quic = services().filter(|service| service.udp == Udp::Quic);
    match hosts_of_ranges(desired) {
        0 => check("services", desired.services.len(), limits::MAX_SERVICES),
        hosts => check(
            "services and addresses with ranges of ports",
            desired.services.len() + hosts,
            limits::MAX_SERVICES,
        ),
    }
    check(
        "backends",
        desired.pools.values().map(|pool| pool.backends.len()).sum(),
        limits::MAX_BACKENDS - 1,
    );
    check("ring slots", slots.sum(), limits::RING_SLOTS);
    check("QUIC server ids", quic.map(backends_of).sum(), limits::MAX_SERVER_IDS);
    let in_turn = || services().filter(|service| service.scheduler == Scheduler::RoundRobin);
    let most = in_turn().map(backends_of).max().unwrap_or_default();
    check("backends of a service that take turns", most, limits::MAX_SERVICE_TURNS);
    let turns = in_turn().filter_map(pool_of).map(most_turns).sum();
    check("turns of backends", turns, limits::MAX_TURNS);
    check(
        "prefixes of `allow` and `deny` (equal lists of services count once, and stay equal if they change in one call)",
        prefixes(desired),
        limits::MAX_SOURCES,
    );
    check("interfaces", desired.interfaces.len(), limits::MAX_INTERFACES);
}

/// Each address and protocol with ranges of ports takes the place of one more service.
fn hosts_of_ranges(desired: &Desired) -> usize {
    let ranges = desired.services.values().filter(|service| service.listen.is_range());
    ranges.map(|service| service.listen.host()).collect::<BTreeSet<_>>().len()
}

/// How many turns there are, whichever backends of a pool work.
fn most_turns(pool: &Pool) -> usize {
    let weights = || pool.backends.values().map(|backend| backend.weight.get());
    let divisor = weights().fold(0, gcd).max(1);
    let turns: u32 = weights().map(|weight| weight / divisor).sum();
    turns.min(limits::MAX_SERVICE_TURNS) as usize
}

/// The greatest common divisor; 0 is divided by all.
pub const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How many prefixes stand in the tables, where services with equal lists share one.
fn prefixes(desired: &Desired) -> usize {
    let mut lists: Vec<&Arc<Rules>> = Vec::new();
    for service in desired.services.values() {
        if !lists.contains(&service.rules()) {
            lists.push(service.rules());
        }
    }
    lists.iter().map(|list| list.len()).sum()
}
