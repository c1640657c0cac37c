//! The maps: operations to entries, and entries back to an image.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    os::fd::AsFd as _,
};

use aya::{
    Ebpf, Pod,
    maps::{
        Array, ArrayOfMaps, DevMapHash, HashMap, IterableMap as _, Map, MapData, MapError,
        PerCpuArray, PerCpuValues,
    },
    util::nr_cpus,
};
use lb_common::{
    abi::{
        ABI_VERSION, AddrBe, BACKEND_TAGGED, Backend, Counter, Endpoint, Explanation, Limits, Meta,
        Origin, Ranges, ServerId, Service, Vlan,
    },
    limits::{self, CHUNK_SLOTS, REASONS_PER_SERVICE, RING_CHUNKS, maps},
};

use super::{DataplaneError, index::ServiceIndex, options::Options, sweeper::Slots};
use crate::reconcile::{Image, Op};

/// Typed handles of all maps that the daemon reads or writes.
pub(super) struct Maps {
    meta: Array<MapData, Meta>,
    services: HashMap<MapData, Endpoint, Service>,
    index: ServiceIndex,
    rings: Rings,
    backends: Array<MapData, Backend>,
    origins: HashMap<MapData, Endpoint, Origin>,
    servers: HashMap<MapData, ServerId, u32>,
    vips: HashMap<MapData, AddrBe, u32>,
    tags: Array<MapData, u32>,
    vlans: HashMap<MapData, u32, Vlan>,
    direct_seen: Array<MapData, u32>,
    interfaces: DevMapHash<MapData>,
    explanation: Array<MapData, Explanation>,
    options: Options,
    pub(super) packet_counters: PerCpuArray<MapData, Counter>,
    pub(super) backend_counters: PerCpuArray<MapData, Counter>,
}

pub(super) fn failed(name: &'static str) -> impl Fn(MapError) -> DataplaneError {
    move |source| DataplaneError::Map { name, source }
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, DataplaneError> {
        let services = take(ebpf, maps::SERVICES)?;
        let index = ServiceIndex::open(
            take(ebpf, maps::SERVICE_INDEX)?,
            take(ebpf, maps::SERVICE_ROWS)?,
            &services,
        )?;
        Ok(Self {
            meta: take(ebpf, maps::META)?,
            services,
            index,
            rings: Rings::new(take(ebpf, maps::RINGS)?)?,
            backends: take(ebpf, maps::BACKENDS)?,
            origins: take(ebpf, maps::ORIGINS)?,
            servers: take(ebpf, maps::SERVER_IDS)?,
            vips: take(ebpf, maps::VIPS)?,
            tags: take(ebpf, maps::TAGS)?,
            vlans: take(ebpf, maps::VLANS)?,
            direct_seen: take(ebpf, maps::DIRECT_SEEN)?,
            interfaces: take(ebpf, maps::INTERFACES)?,
            explanation: take(ebpf, maps::EXPLANATION)?,
            options: Options::take(ebpf)?,
            packet_counters: take(ebpf, maps::PACKET_COUNTERS)?,
            backend_counters: take(ebpf, maps::BACKEND_COUNTERS)?,
        })
    }

    /// Marks the maps as this version's.
    pub(super) fn write_version(&mut self) -> Result<(), DataplaneError> {
        // The program goes on by what an earlier daemon has said.
        let flags = self.meta()?.flags;
        self.put_meta(flags)
    }

    fn meta(&self) -> Result<Meta, DataplaneError> {
        self.meta.get(&0, 0).map_err(failed(maps::META))
    }

    fn put_meta(&mut self, flags: u32) -> Result<(), DataplaneError> {
        let meta = Meta { abi_version: ABI_VERSION, flags };
        self.meta.set(0, meta, 0).map_err(failed(maps::META))
    }

    pub(super) fn apply(&mut self, op: &Op) -> Result<(), DataplaneError> {
        match op {
            Op::PutInterface(ifindex) => self
                .interfaces
                .insert(*ifindex, *ifindex, None, 0)
                .map_err(|source| DataplaneError::Redirect { ifindex: *ifindex, source }),
            Op::DeleteInterface(ifindex) => {
                absent_is_fine(self.interfaces.remove(*ifindex)).map_err(failed(maps::INTERFACES))
            }
            Op::ResetBackend(id) => self.reset_backend(*id),
            Op::PutBackend(id, backend) => {
                self.backends.set(*id, backend, 0).map_err(failed(maps::BACKENDS))
            }
            Op::DeleteBackend(id) => {
                self.backends.set(*id, Backend::default(), 0).map_err(failed(maps::BACKENDS))
            }
            Op::PutOrigin(key, origin) => {
                self.origins.insert(key, origin, 0).map_err(failed(maps::ORIGINS))
            }
            Op::DeleteOrigin(key) => {
                absent_is_fine(self.origins.remove(key)).map_err(failed(maps::ORIGINS))
            }
            Op::PutVip(addr, id) => self.vips.insert(addr, id, 0).map_err(failed(maps::VIPS)),
            Op::DeleteVip(addr) => {
                absent_is_fine(self.vips.remove(addr)).map_err(failed(maps::VIPS))
            }
            Op::PutTags(backend, tags) => self.put_tags(*backend, *tags),
            Op::DeleteTags(backend) => self.put_tags(*backend, 0),
            Op::PutVlan(ifindex, vlan) => {
                self.vlans.insert(ifindex, vlan, 0).map_err(failed(maps::VLANS))
            }
            Op::DeleteVlan(ifindex) => {
                absent_is_fine(self.vlans.remove(ifindex)).map_err(failed(maps::VLANS))
            }
            Op::PutServer(key, backend) => {
                self.servers.insert(key, backend, 0).map_err(failed(maps::SERVER_IDS))
            }
            Op::DeleteServer(key) => {
                absent_is_fine(self.servers.remove(key)).map_err(failed(maps::SERVER_IDS))
            }
            Op::PutSlots(first, words) => {
                self.rings.put(*first, words).map_err(failed(maps::RINGS))
            }
            Op::ResetService(id) => self.reset_service(*id),
            Op::PutService(vip, service) => {
                self.services.insert(vip, service, 0).map_err(failed(maps::SERVICES))?;
                self.index.put(vip, service)
            }
            Op::DeleteService(vip) => {
                self.index.delete(vip)?;
                absent_is_fine(self.services.remove(vip)).map_err(failed(maps::SERVICES))
            }
            Op::PutMeta(flags) => self.put_meta(*flags),
            Op::PutRanges(id, ranges) => self.options.put_ranges(*id, *ranges),
            Op::DeleteRanges(id) => self.options.put_ranges(*id, Ranges::default()),
            Op::PutLimits(service, limits) => self.options.put_limits(*service, *limits),
            Op::DeleteLimits(service) => self.options.put_limits(*service, Limits::default()),
            Op::PutTurns(first, turns) => self.options.put_turns(*first, turns),
            Op::PutWeight(backend, weight) => self.options.put_weight(*backend, *weight),
            Op::DeleteWeight(backend) => self.options.put_weight(*backend, 0),
            Op::PutSource(list, prefix, rule) => self.options.put_source(*list, *prefix, *rule),
            Op::DeleteSource(list, prefix) => self.options.delete_source(*list, *prefix),
            Op::PutFilter(word, bits) => self.options.put_filter(*word, *bits),
        }
    }

    fn put_tags(&mut self, backend: u32, tags: u32) -> Result<(), DataplaneError> {
        self.tags.set(backend, tags, 0).map_err(failed(maps::TAGS))
    }

    fn reset_backend(&mut self, id: u32) -> Result<(), DataplaneError> {
        let zero = zero_counter(maps::BACKEND_COUNTERS)?;
        self.backend_counters.set(id, zero, 0).map_err(failed(maps::BACKEND_COUNTERS))?;
        self.direct_seen.set(id, 0, 0).map_err(failed(maps::DIRECT_SEEN))?;
        self.options.reset_backend(id)
    }

    fn reset_service(&mut self, id: u32) -> Result<(), DataplaneError> {
        for index in id * REASONS_PER_SERVICE..(id + 1) * REASONS_PER_SERVICE {
            let zero = zero_counter(maps::PACKET_COUNTERS)?;
            self.packet_counters.set(index, zero, 0).map_err(failed(maps::PACKET_COUNTERS))?;
        }
        self.options.reset_service(id)
    }

    /// What the last test run of the program that explains packets found.
    pub(super) fn explanation(&self) -> Result<Explanation, DataplaneError> {
        self.explanation.get(&0, 0).map_err(failed(maps::EXPLANATION))
    }

    /// Who reads slots beside this.
    pub(super) fn slots(&self) -> Result<Slots, DataplaneError> {
        Ok(Slots(self.rings.again().map_err(failed(maps::RINGS))?))
    }

    /// Reads back what [`apply`](Self::apply) wrote, in this life or an earlier one.
    pub(super) fn image(&self) -> Result<Image, DataplaneError> {
        let mut image = Image::default();
        for entry in &self.services {
            let (vip, service) = entry.map_err(failed(maps::SERVICES))?;
            let words = self.rings.get(service.ring_base, service.ring_mask + 1);
            image.rings.insert(service.ring_base, words.map_err(failed(maps::RINGS))?);
            image.services.insert(vip, service);
        }
        for id in 1..limits::MAX_BACKENDS {
            let backend = self.backends.get(&id, 0).map_err(failed(maps::BACKENDS))?;
            if backend.identity != 0 {
                image.backends.insert(id, backend);
            }
            // Those of others have no meaning.
            if backend.flags & BACKEND_TAGGED != 0 {
                let tags = self.tags.get(&id, 0).map_err(failed(maps::TAGS))?;
                image.tags.insert(id, tags);
            }
        }
        for entry in &self.origins {
            let (key, origin) = entry.map_err(failed(maps::ORIGINS))?;
            image.origins.insert(key, origin);
        }
        for entry in &self.servers {
            let (key, backend) = entry.map_err(failed(maps::SERVER_IDS))?;
            image.servers.insert(key, backend);
        }
        for entry in &self.vips {
            let (addr, id) = entry.map_err(failed(maps::VIPS))?;
            image.vips.insert(addr, id);
        }
        for entry in &self.vlans {
            let (ifindex, vlan) = entry.map_err(failed(maps::VLANS))?;
            image.vlans.insert(ifindex, vlan);
        }
        for ifindex in self.interfaces.keys() {
            image.interfaces.insert(ifindex.map_err(failed(maps::INTERFACES))?);
        }
        image.meta = self.meta()?.flags;
        self.options.read(&mut image)?;
        Ok(image)
    }
}

/// The ring table. A chunk takes memory from the moment that a ring first needs it.
struct Rings {
    table: ArrayOfMaps<MapData, Array<MapData, u64>>,
    chunks: BTreeMap<u32, Array<MapData, u64>>,
}

impl Rings {
    fn new(table: ArrayOfMaps<MapData, Array<MapData, u64>>) -> Result<Self, DataplaneError> {
        let mut chunks = BTreeMap::new();
        for index in 0..RING_CHUNKS {
            match table.get(&index, 0) {
                Ok(chunk) => _ = chunks.insert(index, chunk),
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(failed(maps::RINGS)(error)),
            }
        }
        Ok(Self { table, chunks })
    }

    fn put(&mut self, first: u32, words: &[u64]) -> Result<(), MapError> {
        for (index, word) in (first..).zip(words) {
            self.chunk(index / CHUNK_SLOTS)?.set(index % CHUNK_SLOTS, word, 0)?;
        }
        Ok(())
    }

    fn chunk(&mut self, index: u32) -> Result<&mut Array<MapData, u64>, MapError> {
        match self.chunks.entry(index) {
            Entry::Occupied(chunk) => Ok(chunk.into_mut()),
            Entry::Vacant(vacant) => {
                let chunk = Array::create(CHUNK_SLOTS, 0)?;
                self.table.set(index, &chunk, 0)?;
                Ok(vacant.insert(chunk))
            }
        }
    }

    /// The same chunks by other handles.
    fn again(&self) -> Result<BTreeMap<u32, Array<MapData, u64>>, MapError> {
        let again = |(index, chunk): (&u32, &Array<MapData, u64>)| {
            let fd = chunk.map().fd().as_fd().try_clone_to_owned()?;
            Ok((*index, Array::try_from(Map::Array(MapData::from_fd(fd)?))?))
        };
        self.chunks.iter().map(again).collect()
    }

    fn get(&self, first: u32, slots: u32) -> Result<Vec<u64>, MapError> {
        let word = |index: u32| match self.chunks.get(&(index / CHUNK_SLOTS)) {
            Some(chunk) => chunk.get(&(index % CHUNK_SLOTS), 0),
            None => Ok(0),
        };
        (first..first + slots).map(word).collect()
    }
}

pub(super) fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, DataplaneError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(DataplaneError::Missing { name })?;
    M::try_from(map).map_err(failed(name))
}

/// What should go and is not there has gone: an interface takes its entry along.
pub(super) fn absent_is_fine(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        other => other,
    }
}

fn zero_counter(name: &'static str) -> Result<PerCpuValues<Counter>, DataplaneError> {
    zeros().map_err(|source| failed(name)(MapError::IoError(source)))
}

fn zeros<V: Pod + Default>() -> std::io::Result<PerCpuValues<V>> {
    let cpus = nr_cpus().map_err(|(_, error)| error)?;
    PerCpuValues::try_from(vec![V::default(); cpus])
}
