//! The tables of a daemon as they are in the kernel, read past the daemon.

use std::path::Path;

use anyhow::{Context, Result};
use aya::maps::{Array, ArrayOfMaps, HashMap, Map, MapData, MapError};
use lb_common::{
    abi::{Backend, Endpoint, Flow, FlowKey, Return, Service},
    limits::{CHUNK_SLOTS, maps},
    slot::Slot,
};

/// Ids that are looked at: tests have few backends, and ids are given out from 1.
const IDS: u32 = 256;

/// Handles of pinned maps.
pub(crate) struct Tables {
    services: HashMap<MapData, Endpoint, Service>,
    rings: ArrayOfMaps<MapData, Array<MapData, u64>>,
    backends: Array<MapData, Backend>,
    flows: HashMap<MapData, FlowKey, Flow>,
    ways_back: HashMap<MapData, FlowKey, Return>,
    flows_opened: Array<MapData, i64>,
    flows_counted: Array<MapData, i64>,
}

impl Tables {
    /// The tables pinned in a directory.
    pub(crate) fn open(pin_dir: &Path) -> Result<Self> {
        Ok(Self {
            services: open(pin_dir, maps::SERVICES, Map::HashMap)?,
            rings: open(pin_dir, maps::RINGS, Map::ArrayOfMaps)?,
            backends: open(pin_dir, maps::BACKENDS, Map::Array)?,
            flows: open(pin_dir, maps::FLOWS, Map::HashMap)?,
            ways_back: open(pin_dir, maps::RETURNS, Map::HashMap)?,
            flows_opened: open(pin_dir, maps::FLOWS_OPENED, Map::Array)?,
            flows_counted: open(pin_dir, maps::FLOWS_COUNTED, Map::Array)?,
        })
    }

    /// Flows of all backends, as a scheduler that goes by them sees it.
    pub(crate) fn counted_flows(&self) -> Result<i64> {
        let of = |id| Ok(self.flows_opened.get(&id, 0)? + self.flows_counted.get(&id, 0)?);
        (1..IDS).map(of).sum::<Result<i64, MapError>>().context(maps::FLOWS_COUNTED)
    }

    /// Makes the program believe that a backend has so many flows more.
    pub(crate) fn miscount(&mut self, backend: u32, more: i64) -> Result<()> {
        let opened = self.flows_opened.get(&backend, 0)?;
        Ok(self.flows_opened.set(backend, opened + more, 0)?)
    }

    /// Flows that are remembered.
    pub(crate) fn flows(&self) -> Result<Vec<(FlowKey, Flow)>> {
        self.flows.iter().collect::<Result<_, _>>().context(maps::FLOWS)
    }

    /// Ways back that are remembered.
    pub(crate) fn ways_back(&self) -> Result<usize> {
        Ok(self.ways_back.keys().collect::<Result<Vec<_>, _>>().context(maps::RETURNS)?.len())
    }

    /// Slots that move, of all services.
    pub(crate) fn moving(&self) -> Result<usize> {
        let mut moving = 0;
        for service in &self.services {
            let (_, service) = service.context(maps::SERVICES)?;
            let ring = service.ring_base..=service.ring_base + service.ring_mask;
            for number in ring.start() / CHUNK_SLOTS..=ring.end() / CHUNK_SLOTS {
                let chunk = self.rings.get(&number, 0).context(maps::RINGS)?;
                let first = number * CHUNK_SLOTS;
                for index in (first..first + CHUNK_SLOTS).filter(|index| ring.contains(index)) {
                    let word = chunk.get(&(index - first), 0).context(maps::RINGS)?;
                    moving += usize::from(Slot::from_word(word).is_moving());
                }
            }
        }
        Ok(moving)
    }

    /// Entries of the backend table that are in use.
    pub(crate) fn backends(&self) -> Result<usize> {
        let mut used = 0;
        for id in 1..IDS {
            let backend = self.backends.get(&id, 0).context(maps::BACKENDS)?;
            used += usize::from(backend.identity != 0);
        }
        Ok(used)
    }
}

fn open<M>(pin_dir: &Path, name: &'static str, kind: fn(MapData) -> Map) -> Result<M>
where
    M: TryFrom<Map, Error = MapError>,
{
    let data = MapData::from_pin(pin_dir.join(name)).context(name)?;
    M::try_from(kind(data)).context(name)
}
