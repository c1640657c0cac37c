//! The kernel's side: the loaded program, and its maps.

use std::{
    collections::{BTreeMap, HashMap as Entries, HashSet},
    hash::Hash,
};

use anyhow::{Context, Result, anyhow};
use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, DevMapHash, HashMap, MapData, PerCpuArray, PerCpuValues, ProgramArray},
    programs::Xdp,
    util::nr_cpus,
};
use lb_common::{
    abi::{Counter, Flow, FlowKey, FragmentKey, Ports, Reason, Return, Vlan},
    limits::{CHUNK_SLOTS, PROGRAM, REASONS_PER_SERVICE, maps},
    slot::Slot,
};

use super::{
    ROOM, Setting,
    fixture::Rows,
    machine::{
        load_by, stages,
        tables::{Asked, chunks, fill, take_counter},
        take, test_run,
    },
    tables::{self, Held},
};

/// Packets by service and reason, and by backend.
type Counters = (Entries<(u32, Reason), Counter>, Entries<u32, Counter>);

/// The loaded program and the maps that packets write.
pub(super) struct Kernel {
    ebpf: Ebpf,
    interfaces: DevMapHash<MapData>,
    vlans: HashMap<MapData, u32, Vlan>,
    limit: PerCpuArray<MapData, u64>,
    flows: HashMap<MapData, FlowKey, Flow>,
    ways: HashMap<MapData, FlowKey, Return>,
    fragments: HashMap<MapData, FragmentKey, Ports>,
    direct_flows: HashMap<MapData, FlowKey, u32>,
    direct_seen: Array<MapData, u32>,
    asked: Asked,
    chunks: BTreeMap<u32, Array<MapData, u64>>,
    packets: PerCpuArray<MapData, Counter>,
    backends: PerCpuArray<MapData, Counter>,
    counters_are_old: bool,
    services: Vec<u32>,
    ids: Vec<u32>,
    _programs: ProgramArray<MapData>,
}

impl Kernel {
    /// Loads the object in the namespace that the thread is in, and fills its maps.
    pub(super) fn new(rows: &Rows) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        loader.map_max_entries(maps::FLOWS, ROOM).map_max_entries(maps::RETURNS, ROOM);
        let mut ebpf = load_by(&mut loader)?;
        fill(&mut ebpf, rows)?;
        let mut tags = Array::<_, u32>::try_from(take(&mut ebpf, maps::TAGS)?)?;
        for (id, word) in tables::tags(rows) {
            tags.set(id, word, 0)?;
        }
        let services = rows.services.iter().map(|(_, service)| service.id);
        Ok(Self {
            interfaces: take(&mut ebpf, maps::INTERFACES)?.try_into()?,
            vlans: take(&mut ebpf, maps::VLANS)?.try_into()?,
            limit: take(&mut ebpf, maps::ICMP_LIMIT)?.try_into()?,
            flows: take(&mut ebpf, maps::FLOWS)?.try_into()?,
            ways: take(&mut ebpf, maps::RETURNS)?.try_into()?,
            fragments: take(&mut ebpf, maps::FRAGMENTS)?.try_into()?,
            direct_flows: take(&mut ebpf, maps::DIRECT_FLOWS)?.try_into()?,
            direct_seen: take(&mut ebpf, maps::DIRECT_SEEN)?.try_into()?,
            asked: Asked::new(&mut ebpf, rows)?,
            chunks: chunks(&mut ebpf, &rows.slots)?,
            packets: take(&mut ebpf, maps::PACKET_COUNTERS)?.try_into()?,
            backends: take(&mut ebpf, maps::BACKEND_COUNTERS)?.try_into()?,
            counters_are_old: false,
            services: [0].into_iter().chain(services).collect(),
            ids: rows.backends.iter().map(|(id, _)| *id).collect(),
            _programs: stages(&mut ebpf)?,
            ebpf,
        })
    }

    /// As new, in a tick.
    pub(super) fn reset(&mut self, rows: &Rows, setting: &Setting, now: u32) -> Result<()> {
        clear(&mut self.flows)?;
        clear(&mut self.ways)?;
        clear(&mut self.fragments)?;
        clear(&mut self.direct_flows)?;
        clear(&mut self.vlans)?;
        for (ifindex, vlan) in &setting.vlans {
            self.vlans.insert(ifindex, vlan, 0)?;
        }
        self.asked.reset()?;
        for id in &self.ids {
            if self.direct_seen.get(id, 0)? != 0 {
                self.direct_seen.set(*id, 0, 0)?;
            }
        }
        for row in &rows.slots {
            let chunk = self.chunks.get_mut(&(row.index / CHUNK_SLOTS)).context("no chunk")?;
            chunk.set(row.index % CHUNK_SLOTS, row.at(now).word(), 0)?;
        }
        for ifindex in &setting.shut {
            // Most often it is not there.
            _ = self.interfaces.remove(*ifindex);
        }
        for ifindex in &setting.open {
            self.interfaces.insert(*ifindex, *ifindex, None, 0)?;
        }
        if self.counters_are_old {
            self.take_all_counters()?;
        }
        self.counters_are_old = true;
        self.limit(setting.silent)
    }

    /// Forbids ICMP messages of the balancer's own, or allows as many as may follow each other.
    pub(super) fn limit(&mut self, silent: bool) -> Result<()> {
        let cpus = nr_cpus().map_err(|(what, error)| anyhow!("{what}: {error}"))?;
        let full = if silent { u64::MAX / 2 } else { 0 };
        Ok(self.limit.set(0, PerCpuValues::try_from(vec![full; cpus])?, 0)?)
    }

    /// Runs the program on a frame: what it returns, and the frame afterwards.
    pub(super) fn run(&self, ingress: u32, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
        let program: &Xdp = self.ebpf.program(PROGRAM).context("no such program")?.try_into()?;
        test_run(program, ingress, frame)
    }

    /// Lets everything that is remembered be older by so many ticks.
    pub(super) fn age(&mut self, ticks: u32) -> Result<()> {
        for (key, mut flow) in entries(&self.flows)? {
            flow.seen = flow.seen.wrapping_sub(ticks);
            self.flows.insert(key, flow, 0)?;
        }
        for (key, mut way) in entries(&self.ways)? {
            way.seen = way.seen.wrapping_sub(ticks);
            self.ways.insert(key, way, 0)?;
        }
        for (key, mut ports) in entries(&self.fragments)? {
            ports.seen = ports.seen.wrapping_sub(ticks);
            self.fragments.insert(key, ports, 0)?;
        }
        Ok(())
    }

    /// What the maps hold, but only those counters that are expected to be raised: they are many, and the
    /// kernel is asked for each. They are zero afterwards.
    pub(super) fn take(&mut self, rows: &Rows, expected: &Held) -> Result<Held> {
        let (packets, backends) = self.take_counters(
            &expected.packets.keys().copied().collect::<Vec<_>>(),
            &expected.backends.keys().copied().collect::<Vec<_>>(),
        )?;
        self.counters_are_old = false;
        let mut slots = Entries::new();
        for row in &rows.slots {
            let chunk = self.chunks.get(&(row.index / CHUNK_SLOTS)).context("no chunk")?;
            slots.insert(row.index, Slot::from_word(chunk.get(&(row.index % CHUNK_SLOTS), 0)?));
        }
        let (mut direct_seen, mut flows_opened) = (HashSet::new(), Entries::new());
        for id in &self.ids {
            match self.asked.flows_opened(*id)? {
                0 => {}
                flows => _ = flows_opened.insert(*id, flows),
            }
            if self.direct_seen.get(id, 0)? != 0 {
                direct_seen.insert(*id);
            }
        }
        Ok(Held {
            flows: entries(&self.flows)?,
            ways: entries(&self.ways)?,
            fragments: entries(&self.fragments)?,
            direct_flows: entries(&self.direct_flows)?.into_keys().collect(),
            direct_seen,
            slots,
            packets,
            backends,
            flows_opened,
        })
    }

    /// All counters that are raised. They are zero afterwards.
    pub(super) fn take_all_counters(&mut self) -> Result<Counters> {
        let reasons = |service: &u32| {
            Reason::ALL.iter().map(|reason| (*service, *reason)).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.services.iter().flat_map(reasons).collect();
        self.take_counters(&all, &self.ids.clone())
    }

    fn take_counters(&mut self, packets: &[(u32, Reason)], backends: &[u32]) -> Result<Counters> {
        let (mut by_reason, mut by_backend) = (Entries::new(), Entries::new());
        for (service, reason) in packets {
            let index = service * REASONS_PER_SERVICE + *reason as u32;
            if let Some(counter) = take_counter(&mut self.packets, index)? {
                by_reason.insert((*service, *reason), counter);
            }
        }
        for id in backends {
            if let Some(counter) = take_counter(&mut self.backends, *id)? {
                by_backend.insert(*id, counter);
            }
        }
        Ok((by_reason, by_backend))
    }
}

fn entries<K: Pod + Eq + Hash, V: Pod>(map: &HashMap<MapData, K, V>) -> Result<Entries<K, V>> {
    Ok(map.iter().collect::<Result<_, _>>()?)
}

fn clear<K: Pod, V: Pod>(map: &mut HashMap<MapData, K, V>) -> Result<()> {
    let keys: Vec<K> = map.keys().collect::<Result<_, _>>()?;
    for key in keys {
        map.remove(&key)?;
    }
    Ok(())
}
