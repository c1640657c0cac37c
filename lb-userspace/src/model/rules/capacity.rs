//! What fits into the tables.

use lb_common::{limits, maglev};

use super::{Problem, Subject};
use crate::model::{Desired, Service, Udp};

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
    let backends_of =
        |service: &Service| desired.pools.get(&service.pool).map_or(0, |pool| pool.backends.len());
    let services = || desired.services.values();
    let slots = services().map(|service| maglev::ring_slots(backends_of(service)) as usize);
    let quic = services().filter(|service| service.udp == Udp::Quic);
    check("services", desired.services.len(), limits::MAX_SERVICES);
    check(
        "backends",
        desired.pools.values().map(|pool| pool.backends.len()).sum(),
        limits::MAX_BACKENDS - 1,
    );
    check("ring slots", slots.sum(), limits::RING_SLOTS);
    check("QUIC server ids", quic.map(backends_of).sum(), limits::MAX_SERVER_IDS);
    check("interfaces", desired.interfaces.len(), limits::MAX_INTERFACES);
}
