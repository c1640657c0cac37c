//! The maps of what services ask for besides a backend.

use anyhow::Result;
use aya::{
    Ebpf,
    maps::{Array, HashMap, LpmTrie, MapData, lpm_trie::Key},
};
use lb_common::{
    abi::{Limits, META_RANGES, Meta, Ranges, SourceBucket, SourceKey},
    limits::maps,
};

use crate::kernel::{
    fixture::{META, Rows},
    machine::take,
};

/// Those of them that packets write.
pub(in crate::kernel) struct Asked {
    services: Vec<u32>,
    backends: Vec<u32>,
    service_buckets: Array<MapData, u64>,
    source_buckets: HashMap<MapData, SourceBucket, u64>,
    turns_taken: Array<MapData, u64>,
    flows_opened: Array<MapData, i64>,
}

const _: () = assert!(META & META_RANGES != 0);

impl Asked {
    /// The maps, with the rows of the fixture in those that only the daemon writes.
    pub(in crate::kernel) fn new(ebpf: &mut Ebpf, rows: &Rows) -> Result<Self> {
        let mut meta = Array::<_, Meta>::try_from(take(ebpf, maps::META)?)?;
        meta.set(0, Meta { flags: META, ..Meta::default() }, 0)?;
        let mut ranges = Array::<_, Ranges>::try_from(take(ebpf, maps::RANGES)?)?;
        for (id, row) in &rows.ranges {
            ranges.set(*id, row, 0)?;
        }
        let mut limits = Array::<_, Limits>::try_from(take(ebpf, maps::LIMITS)?)?;
        for (id, row) in &rows.limits {
            limits.set(*id, row, 0)?;
        }
        let mut turns = Array::<_, u32>::try_from(take(ebpf, maps::TURNS)?)?;
        for (turn, backend) in (0..).zip(&rows.turns) {
            turns.set(turn, *backend, 0)?;
        }
        let mut sources = LpmTrie::<_, SourceKey, u32>::try_from(take(ebpf, maps::SOURCES)?)?;
        for (list, addr_be, length, rule) in Rows::sources() {
            sources.insert(&Key::new(u32::BITS + length, SourceKey { list, addr_be }), rule, 0)?;
        }
        let mut filter = Array::<_, u64>::try_from(take(ebpf, maps::SOURCE_FILTER)?)?;
        for bit in Rows::source_filter() {
            let (word, bit) = (bit / u64::BITS, bit % u64::BITS);
            let old = filter.get(&word, 0)?;
            filter.set(word, old | 1 << bit, 0)?;
        }
        Ok(Self {
            services: rows.services.iter().map(|(_, service)| service.id).collect(),
            backends: rows.backends.iter().map(|(id, _)| *id).collect(),
            service_buckets: take(ebpf, maps::SERVICE_BUCKETS)?.try_into()?,
            source_buckets: take(ebpf, maps::SOURCE_BUCKETS)?.try_into()?,
            turns_taken: take(ebpf, maps::TURNS_TAKEN)?.try_into()?,
            flows_opened: take(ebpf, maps::FLOWS_OPENED)?.try_into()?,
        })
    }

    /// As new.
    pub(in crate::kernel) fn reset(&mut self) -> Result<()> {
        for id in &self.services {
            if self.service_buckets.get(id, 0)? != 0 {
                self.service_buckets.set(*id, 0, 0)?;
            }
            if self.turns_taken.get(id, 0)? != 0 {
                self.turns_taken.set(*id, 0, 0)?;
            }
        }
        for id in &self.backends {
            if self.flows_opened.get(id, 0)? != 0 {
                self.flows_opened.set(*id, 0, 0)?;
            }
        }
        let sources: Vec<SourceBucket> = self.source_buckets.keys().collect::<Result<_, _>>()?;
        for source in sources {
            self.source_buckets.remove(&source)?;
        }
        Ok(())
    }

    /// Flows of a backend that were opened, less those that ended.
    pub(in crate::kernel) fn flows_opened(&self, backend: u32) -> Result<i64> {
        Ok(self.flows_opened.get(&backend, 0)?)
    }
}
