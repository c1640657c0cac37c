//! The maps of what a service may ask for besides a backend: ranges of ports, lists of sources, limits,
//! turns and weights.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use aya::{
    Ebpf,
    maps::{Array, LpmTrie, MapData, lpm_trie::Key},
};
use lb_common::{
    abi::{
        Endpoint, Limits, Ranges, SERVICE_LIMITED, SERVICE_RANGES, Service, SourceKey, SourceRule,
        is_v4_mapped,
    },
    limits::{SOURCE_FILTER_WORDS, maps},
};

use super::{
    DataplaneError,
    tables::{absent_is_fine, failed, take},
};
use crate::{
    model::{Prefix, Rule, access::Rules},
    reconcile::{Image, compile::address_be, filter::Filter},
};

/// Bits of a key before the address: the number of the list.
const LIST_BITS: u32 = 32;
/// Bits of an address before an IPv4 address in its IPv4-mapped form.
const V4_BITS_BEFORE: u32 = 96;

/// Typed handles of these maps.
pub(super) struct Options {
    ranges: Array<MapData, Ranges>,
    limits: Array<MapData, Limits>,
    service_buckets: Array<MapData, u64>,
    sources: LpmTrie<MapData, SourceKey, u32>,
    filter: Array<MapData, u64>,
    turns: Array<MapData, u32>,
    weights: Array<MapData, u32>,
    opened: Array<MapData, i64>,
    counted: Array<MapData, i64>,
}

impl Options {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, DataplaneError> {
        Ok(Self {
            ranges: take(ebpf, maps::RANGES)?,
            limits: take(ebpf, maps::LIMITS)?,
            service_buckets: take(ebpf, maps::SERVICE_BUCKETS)?,
            sources: take(ebpf, maps::SOURCES)?,
            filter: take(ebpf, maps::SOURCE_FILTER)?,
            turns: take(ebpf, maps::TURNS)?,
            weights: take(ebpf, maps::WEIGHTS)?,
            opened: take(ebpf, maps::FLOWS_OPENED)?,
            counted: take(ebpf, maps::FLOWS_COUNTED)?,
        })
    }

    pub(super) fn put_ranges(&mut self, id: u32, ranges: Ranges) -> Result<(), DataplaneError> {
        self.ranges.set(id, ranges, 0).map_err(failed(maps::RANGES))
    }

    pub(super) fn put_limits(
        &mut self,
        service: u32,
        limits: Limits,
    ) -> Result<(), DataplaneError> {
        self.limits.set(service, limits, 0).map_err(failed(maps::LIMITS))
    }

    pub(super) fn put_turns(&mut self, first: u32, turns: &[u32]) -> Result<(), DataplaneError> {
        for (turn, backend) in (first..).zip(turns) {
            self.turns.set(turn, backend, 0).map_err(failed(maps::TURNS))?;
        }
        Ok(())
    }

    pub(super) fn put_weight(&mut self, backend: u32, weight: u32) -> Result<(), DataplaneError> {
        self.weights.set(backend, weight, 0).map_err(failed(maps::WEIGHTS))
    }

    pub(super) fn put_source(
        &mut self,
        list: u32,
        prefix: Prefix,
        rule: Rule,
    ) -> Result<(), DataplaneError> {
        let rule = rule.entry() as u32;
        self.sources.insert(&key(list, prefix), rule, 0).map_err(failed(maps::SOURCES))
    }

    pub(super) fn delete_source(
        &mut self,
        list: u32,
        prefix: Prefix,
    ) -> Result<(), DataplaneError> {
        absent_is_fine(self.sources.remove(&key(list, prefix))).map_err(failed(maps::SOURCES))
    }

    pub(super) fn put_filter(&mut self, word: u32, bits: u64) -> Result<(), DataplaneError> {
        self.filter.set(word, bits, 0).map_err(failed(maps::SOURCE_FILTER))
    }

    /// Begins at zero what the program counts of a service.
    pub(super) fn reset_service(&mut self, id: u32) -> Result<(), DataplaneError> {
        self.service_buckets.set(id, 0, 0).map_err(failed(maps::SERVICE_BUCKETS))
    }

    /// Begins at zero what the program counts of a backend.
    pub(super) fn reset_backend(&mut self, id: u32) -> Result<(), DataplaneError> {
        self.opened.set(id, 0, 0).map_err(failed(maps::FLOWS_OPENED))?;
        self.counted.set(id, 0, 0).map_err(failed(maps::FLOWS_COUNTED))
    }

    /// Adds to an image of services and backends what these maps say of them.
    pub(super) fn read(&self, image: &mut Image) -> Result<(), DataplaneError> {
        let services: Vec<(Endpoint, Service)> =
            image.services.iter().map(|(vip, service)| (*vip, *service)).collect();
        for (_, service) in services {
            let id = service.id;
            if service.flags & SERVICE_RANGES != 0 {
                let row = self.ranges.get(&id, 0).map_err(failed(maps::RANGES))?;
                image.ranges.insert(id, row);
            }
            if service.flags & SERVICE_LIMITED != 0 {
                let limits = self.limits.get(&id, 0).map_err(failed(maps::LIMITS))?;
                image.limits.insert(id, limits);
            }
            if service.turns > 0 {
                let turns = service.first_turn..service.first_turn.saturating_add(service.turns);
                let turns: Result<Vec<u32>, _> = turns.map(|it| self.turns.get(&it, 0)).collect();
                image.turns.insert(service.first_turn, turns.map_err(failed(maps::TURNS))?);
            }
        }
        for backend in image.backends.keys() {
            let weight = self.weights.get(backend, 0).map_err(failed(maps::WEIGHTS))?;
            if weight != 0 {
                image.weights.insert(*backend, weight);
            }
        }
        image.lists = self.lists()?;
        // Without a list nobody looks at the filter, and what may be left there does no harm.
        if !image.lists.is_empty() {
            image.filter = Arc::new(self.filter()?);
        }
        Ok(())
    }

    fn lists(&self) -> Result<BTreeMap<u32, Arc<Rules>>, DataplaneError> {
        let mut lists: BTreeMap<u32, Rules> = BTreeMap::new();
        for entry in &self.sources {
            let (key, rule) = entry.map_err(failed(maps::SOURCES))?;
            let rule = if rule == SourceRule::Allow as u32 { Rule::Allow } else { Rule::Deny };
            if let Some((list, prefix)) = listed(key.prefix_len(), &key.data()) {
                lists.entry(list).or_default().insert(prefix, rule);
            }
        }
        Ok(lists.into_iter().map(|(list, rules)| (list, Arc::new(rules))).collect())
    }

    fn filter(&self) -> Result<Filter, DataplaneError> {
        let mut filter = Filter::default();
        for word in 0..SOURCE_FILTER_WORDS {
            filter.put(word, self.filter.get(&word, 0).map_err(failed(maps::SOURCE_FILTER))?);
        }
        Ok(filter)
    }
}

/// A prefix of a list as a key.
fn key(list: u32, prefix: Prefix) -> Key<SourceKey> {
    let before = if prefix.address().is_ipv4() { V4_BITS_BEFORE } else { 0 };
    let (addr_be, _) = address_be((prefix.address(), 0).into());
    let bits = LIST_BITS + before + u32::from(prefix.length());
    Key::new(bits, SourceKey { list, addr_be })
}

/// The prefix of a list that a key stands for.
fn listed(bits: u32, key: &SourceKey) -> Option<(u32, Prefix)> {
    // The fields of a packed key are copied before they are looked at.
    let SourceKey { list, addr_be } = *key;
    let bits = bits.checked_sub(LIST_BITS)?;
    let octets: Vec<u8> = addr_be.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let octets: [u8; 16] = octets.try_into().ok()?;
    let v6 = Ipv6Addr::from(octets);
    let (address, bits) = if is_v4_mapped(&addr_be) && bits >= V4_BITS_BEFORE {
        (v6.to_canonical(), bits - V4_BITS_BEFORE)
    } else {
        (IpAddr::V6(v6), bits)
    };
    Some((list, Prefix::new(address, u8::try_from(bits).ok()?).ok()?))
}

#[cfg(test)]
mod tests;
