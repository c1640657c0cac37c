//! Packet counters, summed over all CPUs.

use std::collections::BTreeMap;

use aya::maps::{MapData, PerCpuArray};
use lb_common::{
    abi::{Counter, Reason},
    limits::{REASONS_PER_SERVICE, maps},
};

use super::{Dataplane, DataplaneError, tables::failed};

/// Packets by reason; reasons never met are left out.
pub type ByReason = BTreeMap<Reason, Counter>;

impl Dataplane {
    /// Packets of a service by its id; of no service for 0.
    pub fn packets(&self, service: u32) -> Result<ByReason, DataplaneError> {
        let mut counters = ByReason::new();
        for reason in Reason::ALL {
            let sum = self.packets_by(service, *reason)?;
            if sum.packets > 0 {
                counters.insert(*reason, sum);
            }
        }
        Ok(counters)
    }

    /// Packets of a service, by its id, that met one reason.
    pub fn packets_by(&self, service: u32, reason: Reason) -> Result<Counter, DataplaneError> {
        let index = service * REASONS_PER_SERVICE + reason as u32;
        sum(&self.maps.packet_counters, index, maps::PACKET_COUNTERS)
    }

    /// Packets sent to a backend by its id.
    pub fn packets_to(&self, backend: u32) -> Result<Counter, DataplaneError> {
        sum(&self.maps.backend_counters, backend, maps::BACKEND_COUNTERS)
    }
}

fn sum(
    map: &PerCpuArray<MapData, Counter>,
    index: u32,
    name: &'static str,
) -> Result<Counter, DataplaneError> {
    let per_cpu = map.get(&index, 0).map_err(failed(name))?;
    Ok(per_cpu.iter().fold(Counter::default(), |mut sum, counter| {
        sum += *counter;
        sum
    }))
}
