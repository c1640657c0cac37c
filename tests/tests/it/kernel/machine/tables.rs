//! The maps that a case sets and that are read after it.

mod asked;

use std::collections::{BTreeMap, btree_map::Entry};

use anyhow::{Context, Result, anyhow};
use aya::{
    Ebpf,
    maps::{Array, ArrayOfMaps, HashMap, MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use lb_common::{
    abi::{
        self, AddrBe, Backend, Counter, Endpoint, FlowKey, FragmentKey, Origin, Ports, Reason,
        Return, SERVICE_RANGE, ServerId, Service, ServiceRow, Vlan,
    },
    hash,
    limits::{CHUNK_SLOTS, REASONS_PER_SERVICE, SERVICE_HASHES, maps},
    slot::Slot,
};

pub(in crate::kernel) use self::asked::Asked;
use super::take;
use crate::kernel::{
    case::Stamped,
    fixture::{Rows, SlotRow},
    memory::{Flow, Known, Memory, WayBack},
};

/// Maps of the loaded program.
pub(super) struct Tables {
    direct_flows: HashMap<MapData, FlowKey, u32>,
    direct_seen: Array<MapData, u32>,
    flows: HashMap<MapData, FlowKey, abi::Flow>,
    ways: HashMap<MapData, FlowKey, Return>,
    fragments: HashMap<MapData, FragmentKey, Ports>,
    icmp_limit: PerCpuArray<MapData, u64>,
    asked: Asked,
    /// Parts of the ring table.
    chunks: BTreeMap<u32, Array<MapData, u64>>,
    packets: PerCpuArray<MapData, Counter>,
    backends: PerCpuArray<MapData, Counter>,
    slot_rows: Vec<SlotRow>,
    backend_ids: Vec<u32>,
    service_ids: Vec<u32>,
}

impl Tables {
    /// The maps, with the rows of the fixture in them.
    pub(super) fn new(ebpf: &mut Ebpf, rows: &Rows) -> Result<Self> {
        fill(ebpf, rows)?;
        let mut service_ids: Vec<u32> = rows.services.iter().map(|(_, entry)| entry.id).collect();
        service_ids.insert(0, 0);
        Ok(Self {
            direct_flows: take(ebpf, maps::DIRECT_FLOWS)?.try_into()?,
            direct_seen: take(ebpf, maps::DIRECT_SEEN)?.try_into()?,
            flows: take(ebpf, maps::FLOWS)?.try_into()?,
            ways: take(ebpf, maps::RETURNS)?.try_into()?,
            fragments: take(ebpf, maps::FRAGMENTS)?.try_into()?,
            icmp_limit: take(ebpf, maps::ICMP_LIMIT)?.try_into()?,
            asked: Asked::new(ebpf, rows)?,
            chunks: chunks(ebpf, &rows.slots)?,
            packets: take(ebpf, maps::PACKET_COUNTERS)?.try_into()?,
            backends: take(ebpf, maps::BACKEND_COUNTERS)?.try_into()?,
            slot_rows: rows.slots.clone(),
            backend_ids: rows.backends.iter().map(|(id, _)| *id).collect(),
            service_ids,
        })
    }

    /// As they shall be before a case that begins in a tick.
    pub(super) fn reset(&mut self, memory: &Memory, now: u32) -> Result<()> {
        let direct = keys(&self.direct_flows)?;
        if !direct.is_empty() {
            for id in &self.backend_ids {
                self.direct_seen.set(*id, 0, 0)?;
            }
        }
        for key in direct {
            self.direct_flows.remove(&key)?;
        }
        for key in keys(&self.flows)? {
            self.flows.remove(&key)?;
        }
        for key in keys(&self.ways)? {
            self.ways.remove(&key)?;
        }
        for key in keys(&self.fragments)? {
            self.fragments.remove(&key)?;
        }
        for (key, ports) in memory.fragments.iter().map(|known| known.encode(now)) {
            self.fragments.insert(key, ports, 0)?;
        }
        for (key, flow) in memory.flows.iter().map(|flow| flow.encode(now)) {
            self.flows.insert(key, flow, 0)?;
        }
        for (key, way) in memory.ways.iter().map(|way| way.encode(now)) {
            self.ways.insert(key, way, 0)?;
        }
        self.asked.reset()?;
        for row in &self.slot_rows {
            let chunk = self.chunks.get_mut(&(row.index / CHUNK_SLOTS)).context("no chunk")?;
            chunk.set(row.index % CHUNK_SLOTS, row.at(now).word(), 0)?;
        }
        Ok(())
    }

    /// Whether no ICMP messages may be sent for a long time, or as many as ever.
    pub(super) fn silence(&mut self, silent: bool) -> Result<()> {
        let word = if silent { u64::MAX / 2 } else { 0 };
        self.icmp_limit.set(0, PerCpuValues::try_from(vec![word; cpus()?])?, 0)?;
        Ok(())
    }

    /// What they remember in a tick.
    pub(super) fn memory(&self, now: u32) -> Result<Memory> {
        let mut memory = Memory::default();
        for entry in &self.flows {
            let (key, flow) = entry?;
            memory.flows.push(Flow::decode(&key, &flow, now)?);
        }
        for entry in &self.ways {
            let (key, way) = entry?;
            memory.ways.push(WayBack::decode(&key, &way, now)?);
        }
        for entry in &self.fragments {
            let (key, ports) = entry?;
            memory.fragments.push(Known::decode(&key, ports, now)?);
        }
        Ok(memory.sorted())
    }

    /// Slots that were stamped in a case that began in a tick.
    pub(super) fn stamped(&self, now: u32) -> Result<Vec<Stamped>> {
        let mut stamped = Vec::new();
        for row in &self.slot_rows {
            let chunk = self.chunks.get(&(row.index / CHUNK_SLOTS)).context("no chunk")?;
            let found = Slot::from_word(chunk.get(&(row.index % CHUNK_SLOTS), 0)?);
            stamped.extend(Stamped::of(row, found, now)?);
        }
        Ok(stamped)
    }

    /// Counters of these services and backends that are not zero, which they are afterwards. The
    /// kernel is asked for each; [`leftovers`](Self::leftovers) asks for all, which takes long.
    pub(super) fn take_counters(&mut self, services: &[u32], backends: &[u32]) -> Result<Counted> {
        let mut counted = Counted::default();
        for &service in services {
            for &reason in Reason::ALL {
                let index = service * REASONS_PER_SERVICE + reason as u32;
                if let Some(counter) = take_counter(&mut self.packets, index)? {
                    counted.packets.push((service, reason, counter));
                }
            }
        }
        for &id in backends {
            if let Some(counter) = take_counter(&mut self.backends, id)? {
                counted.backends.push((id, counter));
            }
        }
        Ok(counted)
    }

    /// What was counted and not taken.
    pub(super) fn leftovers(&mut self) -> Result<Counted> {
        let (services, backends) = (self.service_ids.clone(), self.backend_ids.clone());
        self.take_counters(&services, &backends)
    }
}

/// Counters that were raised, by service and reason, and by backend.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Counted {
    pub(super) packets: Vec<(u32, Reason, Counter)>,
    pub(super) backends: Vec<(u32, Counter)>,
}

/// Fills the maps that only the daemon writes.
pub(in crate::kernel) fn fill(ebpf: &mut Ebpf, rows: &Rows) -> Result<()> {
    let mut services = HashMap::<_, Endpoint, Service>::try_from(take(ebpf, maps::SERVICES)?)?;
    let mut index = Array::<_, u32>::try_from(take(ebpf, maps::SERVICE_INDEX)?)?;
    let mut copies = Array::<_, ServiceRow>::try_from(take(ebpf, maps::SERVICE_ROWS)?)?;
    for (vip, service) in &rows.services {
        services.insert(vip, service, 0)?;
        // Of those that share a hash, the last one is found there, and the others by their ids: those of a
        // range are found by it.
        let copy = ServiceRow { vip: *vip, service: *service, ..ServiceRow::default() };
        copies.set(2 * service.id, copy, 0)?;
        index.set(SERVICE_HASHES + service.id, 2 * service.id, 0)?;
        if service.flags & SERVICE_RANGE == 0 {
            index.set(hash::vip(vip), 2 * service.id, 0)?;
        }
    }
    let mut vips = HashMap::<_, AddrBe, u32>::try_from(take(ebpf, maps::VIPS)?)?;
    for (addr, id) in rows.vips() {
        vips.insert(addr, id, 0)?;
    }
    let mut table = Array::<_, Backend>::try_from(take(ebpf, maps::BACKENDS)?)?;
    for (id, backend) in &rows.backends {
        table.set(*id, backend, 0)?;
    }
    // Others may want to go on with these two.
    let tags = ebpf.map_mut(maps::TAGS).context("no map of tags")?;
    let mut tags = Array::<_, u32>::try_from(tags)?;
    for (id, word) in &rows.tags {
        tags.set(*id, *word, 0)?;
    }
    let vlans = ebpf.map_mut(maps::VLANS).context("no map of VLANs")?;
    let mut vlans = HashMap::<_, u32, Vlan>::try_from(vlans)?;
    for (ifindex, vlan) in &rows.vlans {
        vlans.insert(ifindex, vlan, 0)?;
    }
    let mut origins = HashMap::<_, Endpoint, Origin>::try_from(take(ebpf, maps::ORIGINS)?)?;
    for (backend, origin) in &rows.origins {
        origins.insert(backend, origin, 0)?;
    }
    let mut servers = HashMap::<_, ServerId, u32>::try_from(take(ebpf, maps::SERVER_IDS)?)?;
    for (server, backend) in &rows.servers {
        servers.insert(server, backend, 0)?;
    }
    Ok(())
}

/// Makes the parts of the ring table that have slots.
pub(in crate::kernel) fn chunks(
    ebpf: &mut Ebpf,
    slots: &[SlotRow],
) -> Result<BTreeMap<u32, Array<MapData, u64>>> {
    let mut rings = ArrayOfMaps::<_, Array<MapData, u64>>::try_from(take(ebpf, maps::RINGS)?)?;
    let mut chunks = BTreeMap::new();
    for row in slots {
        if let Entry::Vacant(vacant) = chunks.entry(row.index / CHUNK_SLOTS) {
            let index = *vacant.key();
            rings.set(index, vacant.insert(Array::create(CHUNK_SLOTS, 0)?), 0)?;
        }
    }
    Ok(chunks)
}

fn keys<K: aya::Pod, V: aya::Pod>(map: &HashMap<MapData, K, V>) -> Result<Vec<K>> {
    Ok(map.keys().collect::<Result<_, _>>()?)
}

/// A counter, if it is not zero, which it is afterwards.
pub(in crate::kernel) fn take_counter(
    map: &mut PerCpuArray<MapData, Counter>,
    index: u32,
) -> Result<Option<Counter>> {
    let mut sum = Counter::default();
    map.get(&index, 0)?.iter().for_each(|counter| sum += *counter);
    if sum == Counter::default() {
        return Ok(None);
    }
    map.set(index, PerCpuValues::try_from(vec![Counter::default(); cpus()?])?, 0)?;
    Ok(Some(sum))
}

fn cpus() -> Result<usize> {
    nr_cpus().map_err(|(what, error)| anyhow!("{what}: {error}"))
}
