//! Services that read QUIC connection ids.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use super::Problem;
use crate::model::{Desired, Forward, Name, Service, Udp, quic::server_id};

/// Finds what keeps connection ids from naming their backends.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    let quic = || desired.services.iter().filter(|(_, service)| service.udp == Udp::Quic);
    for (name, service) in quic().filter(|(_, service)| service.forward == Forward::FullNat) {
        found.push(full_nat(name, service));
    }
    let pools: BTreeSet<&Name> = quic().map(|(_, service)| &service.pool).collect();
    for name in pools {
        let Some(pool) = desired.pools.get(name) else { continue };
        let ids = pool.backends.keys().map(|it| (*it, server_id(desired.daemon.seed, *it)));
        found.extend(shared_ids(name, ids));
    }
}

fn full_nat(name: &Name, service: &Service) -> Problem {
    let message = format!(
        "service `{name}` ({}) cannot have `udp = \"quic\"` with `full-nat`, which finds the way back of a flow by the client's address alone, so a client whose address changes would be a new one; use `udp = \"tracked\"`, or a mode in which backends see the client's address: `nat`, `dsr`, `ipip` or `gue`",
        service.listen
    );
    Problem::of_service(name, "udp", message)
}

/// Backends of a pool whose ids are the same as that of one before.
fn shared_ids(
    pool: &Name,
    ids: impl Iterator<Item = (SocketAddr, u32)>,
) -> impl Iterator<Item = Problem> {
    let mut owners: HashMap<u32, SocketAddr> = HashMap::new();
    ids.filter_map(move |(address, id)| {
        let owner = owners.insert(id, address)?;
        let message = format!(
            "backends {owner} and {address} of pool `{pool}` have the same QUIC server id ({id:08x}), so a connection id could not tell which of them is meant; give one of them another port or address"
        );
        Some(Problem::of_backend(pool, address, message))
    })
}

#[cfg(test)]
mod tests;
