//! Reading what the program has written: stamps of moving slots, and remembered flows.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use lb_common::{
    abi::{Flow, FlowKey, Return},
    limits::{CHUNK_SLOTS, maps},
    slot::Slot,
};

use super::{
    DataplaneError,
    tables::{absent_is_fine, failed},
};
use crate::reconcile::sweep::{Found, Plan, flow_key, way_key};

/// Reads slots. It has handles of its own: to find the chunks again by the ring table would take a
/// privilege that the daemon has given up.
pub struct Slots(pub(super) BTreeMap<u32, Array<MapData, u64>>);

impl Slots {
    fn settled(&self, plan: &Plan) -> Result<Vec<(u32, Slot)>, DataplaneError> {
        let mut settled = Vec::new();
        for (index, idle_ticks) in plan.moving() {
            let Some(chunk) = self.0.get(&(index / CHUNK_SLOTS)) else { continue };
            let word = chunk.get(&(index % CHUNK_SLOTS), 0).map_err(failed(maps::RINGS))?;
            let slot = Slot::from_word(word);
            if plan.has_settled(slot, idle_ticks) {
                settled.push((index, slot));
            }
        }
        settled.sort_unstable_by_key(|(index, _)| *index);
        Ok(settled)
    }
}

/// What remembered flows say of backends.
#[derive(Default)]
struct Backends {
    /// Those that any flow names.
    named: BTreeSet<u32>,
    /// The flows of those whose flows are counted.
    flows: BTreeMap<u32, i64>,
}

/// Handles of its own, so that it can work beside the event loop.
pub struct Sweeper {
    flows: HashMap<MapData, FlowKey, Flow>,
    ways_back: HashMap<MapData, FlowKey, Return>,
    opened: Array<MapData, i64>,
    counted: Array<MapData, i64>,
}

impl Sweeper {
    pub(super) fn open(pin_dir: &Path) -> Result<Self, DataplaneError> {
        Ok(Self {
            flows: open(pin_dir, maps::FLOWS, Map::HashMap)?,
            ways_back: open(pin_dir, maps::RETURNS, Map::HashMap)?,
            opened: open(pin_dir, maps::FLOWS_OPENED, Map::Array)?,
            counted: open(pin_dir, maps::FLOWS_COUNTED, Map::Array)?,
        })
    }

    /// Forgets the flows that are over, and finds the slots that have settled.
    pub fn sweep(&mut self, plan: &Plan, slots: &Slots) -> Result<Found, DataplaneError> {
        let settled = slots.settled(plan)?;
        let mut backends = Backends::default();
        let flows = self.sweep_flows(plan, &mut backends)?;
        self.count(plan, &backends.flows)?;
        let ways = self.sweep_ways_back(plan)?;
        let unreferenced = plan.unreferenced(&backends.named);
        Ok(Found { settled, unreferenced, remembered: flows.max(ways) })
    }

    /// Says how many flows each backend has at present. The program goes on from there.
    fn count(&mut self, plan: &Plan, flows: &BTreeMap<u32, i64>) -> Result<(), DataplaneError> {
        for backend in plan.counted() {
            let opened = self.opened.get(backend, 0).map_err(failed(maps::FLOWS_OPENED))?;
            let live = flows.get(backend).copied().unwrap_or_default();
            let counted = live.wrapping_sub(opened);
            self.counted.set(*backend, counted, 0).map_err(failed(maps::FLOWS_COUNTED))?;
        }
        Ok(())
    }

    /// Adds the backends that flows name, and says how many flows remain.
    fn sweep_flows(
        &mut self,
        plan: &Plan,
        backends: &mut Backends,
    ) -> Result<usize, DataplaneError> {
        let error = failed(maps::FLOWS);
        let (mut over, mut remain) = (Vec::new(), 0);
        for entry in &self.flows {
            let (key, flow) = entry.map_err(&error)?;
            if self.flow_is_over(plan, &key, &flow)? {
                over.push(key);
            } else {
                backends.named.insert(flow.backend);
                if plan.counts(&flow) {
                    *backends.flows.entry(flow.backend).or_default() += 1;
                }
                remain += 1;
            }
        }
        // The client may have begun anew since.
        for key in over {
            let Some(flow) = found(self.flows.get(&key, 0)).map_err(&error)? else { continue };
            if self.flow_is_over(plan, &key, &flow)? {
                absent_is_fine(self.flows.remove(&key)).map_err(&error)?;
            }
        }
        Ok(remain)
    }

    fn sweep_ways_back(&mut self, plan: &Plan) -> Result<usize, DataplaneError> {
        let error = failed(maps::RETURNS);
        let (mut over, mut remain) = (Vec::new(), 0);
        for entry in &self.ways_back {
            let (key, way) = entry.map_err(&error)?;
            if self.way_is_over(plan, &key, &way)? {
                over.push(key);
            } else {
                remain += 1;
            }
        }
        for key in over {
            let Some(way) = found(self.ways_back.get(&key, 0)).map_err(&error)? else { continue };
            if self.way_is_over(plan, &key, &way)? {
                absent_is_fine(self.ways_back.remove(&key)).map_err(&error)?;
            }
        }
        Ok(remain)
    }

    fn flow_is_over(
        &self,
        plan: &Plan,
        key: &FlowKey,
        flow: &Flow,
    ) -> Result<bool, DataplaneError> {
        let way = found(self.ways_back.get(&way_key(key, flow), 0));
        let way = way.map_err(failed(maps::RETURNS))?;
        Ok(plan.flow_is_over(key, flow, way.as_ref()))
    }

    fn way_is_over(
        &self,
        plan: &Plan,
        key: &FlowKey,
        way: &Return,
    ) -> Result<bool, DataplaneError> {
        let flow = found(self.flows.get(&flow_key(key, way), 0));
        let flow = flow.map_err(failed(maps::FLOWS))?;
        Ok(plan.way_is_over(way, flow.as_ref()))
    }
}

fn open<M>(
    pin_dir: &Path,
    name: &'static str,
    kind: fn(MapData) -> Map,
) -> Result<M, DataplaneError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let data = MapData::from_pin(pin_dir.join(name)).map_err(failed(name))?;
    M::try_from(kind(data)).map_err(failed(name))
}

/// What is not there is no error.
fn found<T>(entry: Result<T, MapError>) -> Result<Option<T>, MapError> {
    match entry {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
