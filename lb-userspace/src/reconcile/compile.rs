//! A configuration, the state of the network and of the backends, and the present tables to the
//! tables that shall be.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use lb_common::{
    abi::{
        AddrBe, BACKEND_DEAD, BACKEND_EXPIRED, BACKEND_LEAVING, BACKEND_LIMITED, BACKEND_RESOLVED,
        BACKEND_SHARED, BACKEND_TAGGED, Backend, Endpoint, ForwardMode, ServerId, Service,
        Tracking, Vlan, v4_mapped,
    },
    hash, limits, maglev,
    slot::{Alive, Slot},
    time,
};

use super::{Image, layout::Layout, layout::LayoutError, origins::Origins};
use crate::model::{
    self, BackendState, Desired, Forward, Name, Pool, Protocol, Udp, Vip, quic::server_be,
};

/// Where packets to a backend go, as the tables want it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// Outgoing interface: of a VLAN interface the one that its frames leave by.
    pub ifindex: u32,
    /// The VLAN tags that frames leave with, as [`Vlan`] has them.
    pub tags: u32,
    /// MAC address of the next hop.
    pub mac: [u8; 6],
    /// MAC address of the outgoing interface.
    pub source_mac: [u8; 6],
    /// Largest IP packet in bytes that it carries.
    pub mtu: u32,
    /// The balancer's own address on the way there.
    pub source: IpAddr,
}

/// Next hops that are known.
pub type Targets = BTreeMap<IpAddr, Target>;

/// Backends that failed their health checks, by pool and address.
pub type Down = BTreeSet<(Name, SocketAddr)>;

/// All that the tables depend on, except what they are.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The configuration.
    pub desired: &'a Desired,
    /// Backends that get no packets, as they would not answer.
    pub down: &'a Down,
    /// Where packets to each backend go.
    pub targets: &'a Targets,
    /// Interfaces that packets may be redirected to.
    pub interfaces: &'a BTreeSet<u32>,
    /// VLAN interfaces that replies may leave by.
    pub vlans: &'a BTreeMap<u32, Vlan>,
    /// Ids of backends that no remembered flow names.
    pub unreferenced: &'a BTreeSet<u32>,
    /// The present tick.
    pub tick: u32,
}

/// Some backends, by their ids: a look-up for each of millions of slots must be cheap.
struct Ids(Vec<bool>);

impl Ids {
    fn of(ids: impl Iterator<Item = u32>) -> Self {
        let mut found = vec![false; limits::MAX_BACKENDS as usize];
        for id in ids {
            if let Some(found) = found.get_mut(id as usize) {
                *found = true;
            }
        }
        Self(found)
    }

    fn contain(&self, id: u32) -> bool {
        self.0.get(id as usize).is_some_and(|found| *found)
    }
}

/// The tables that shall be. Ids, places and moving slots are kept from the tables that are.
pub fn compile(inputs: &Inputs<'_>, present: &Image) -> Result<Image, LayoutError> {
    let Inputs { desired, interfaces, vlans, .. } = *inputs;
    let mut layout = Layout::of(present);
    let mut image =
        Image { interfaces: interfaces.clone(), vlans: vlans.clone(), ..Image::default() };
    for (name, pool) in &desired.pools {
        for address in pool.backends.keys() {
            let identity = identity(name, *address);
            let id = layout.backend(identity)?;
            let entry = wanted(inputs, name, pool, *address, present.backends.get(&id));
            image.backends.insert(id, entry);
        }
    }
    for (id, backend) in &present.backends {
        image.backends.entry(*id).or_insert_with(|| leftover(inputs, backend));
    }
    let alive = Ids::of(image.backends.iter().filter(|(_, b)| b.is_alive()).map(|(id, _)| *id));
    let mut origins = Origins::default();
    for service in desired.services.values() {
        if let Some(pool) = desired.pools.get(&service.pool) {
            let id = add_service(inputs, &mut image, &mut layout, service, pool, present, &alive)?;
            origins.add(service, pool, id, &layout);
            let (addr_be, _) = address_be(service.listen.address);
            // The lowest id, whatever the order of the services.
            image.vips.entry(addr_be).and_modify(|first| *first = id.min(*first)).or_insert(id);
        }
    }
    drop_forgotten(inputs, &mut image, present);
    image.tags = tags(inputs, &image.backends);
    keep_server_ids(&mut image, present);
    origins.keep_leftovers(&image, present);
    let shared = origins.write(&mut image, present);
    for backend in image.backends.values_mut() {
        if shared.contains(&(backend.addr_be, backend.port_be)) {
            backend.flags |= BACKEND_SHARED;
        }
    }
    Ok(image)
}

/// The entry of a backend that is in the configuration.
fn wanted(
    inputs: &Inputs<'_>,
    name: &Name,
    pool: &Pool,
    address: SocketAddr,
    present: Option<&Backend>,
) -> Backend {
    let (addr_be, port_be) = address_be(address);
    let mut entry =
        Backend { identity: identity(name, address), addr_be, port_be, ..Backend::default() };
    resolve(&mut entry, inputs.targets.get(&address.ip()));
    if let Some(timeout) = pool.drain_timeout {
        entry.flags |= BACKEND_LIMITED;
        entry.drain = time::ticks(timeout);
    }
    let drained = pool.backends.get(&address).is_none_or(|b| b.state == BackendState::Drained);
    if drained {
        leave(&mut entry, present, inputs.tick);
    }
    if inputs.down.contains(&(name.clone(), address)) {
        entry.flags |= BACKEND_DEAD;
    }
    entry
}

/// The entry of a backend that is not in the configuration any more: its flows go on.
fn leftover(inputs: &Inputs<'_>, present: &Backend) -> Backend {
    let mut entry = *present;
    entry.flags &= BACKEND_LIMITED | BACKEND_DEAD;
    resolve(&mut entry, inputs.targets.get(&address_of(present).ip()));
    leave(&mut entry, Some(present), inputs.tick);
    entry
}

fn resolve(entry: &mut Backend, target: Option<&Target>) {
    let Some(target) = target else { return };
    entry.flags |= BACKEND_RESOLVED;
    if target.tags != 0 {
        entry.flags |= BACKEND_TAGGED;
    }
    entry.ifindex = target.ifindex;
    entry.link = link(target.mac, target.source_mac);
    entry.mtu = u16::try_from(target.mtu).unwrap_or(u16::MAX);
    entry.source_be = address_be((target.source, 0).into()).0;
}

/// The VLAN tags of frames to those backends that have any.
fn tags(inputs: &Inputs<'_>, backends: &BTreeMap<u32, Backend>) -> BTreeMap<u32, u32> {
    let tagged = backends.iter().filter(|(_, backend)| backend.flags & BACKEND_TAGGED != 0);
    let with_tags = tagged.filter_map(|(id, backend)| {
        Some((*id, inputs.targets.get(&address_of(backend).ip())?.tags))
    });
    with_tags.collect()
}

/// Marks an entry as leaving: since now, or since when it was marked before. When its time is over,
/// it is dead.
fn leave(entry: &mut Backend, present: Option<&Backend>, tick: u32) {
    entry.flags |= BACKEND_LEAVING;
    if entry.flags & BACKEND_LIMITED == 0 {
        return;
    }
    let leaving = BACKEND_LEAVING | BACKEND_LIMITED;
    let present = present.filter(|present| present.flags & leaving == leaving);
    match present {
        Some(present) => entry.drain = present.drain,
        None => entry.drain = entry.drain.wrapping_add(time::stamp(tick)),
    }
    let left = entry.drain.wrapping_sub(time::stamp(tick));
    let expired = present.is_some_and(|present| present.flags & BACKEND_EXPIRED != 0);
    if expired || left == 0 || left > u16::MAX / 2 {
        entry.flags |= BACKEND_EXPIRED | BACKEND_DEAD;
    }
}

/// Drops backends that are not in the configuration and that neither a slot nor a remembered flow
/// names.
fn drop_forgotten(inputs: &Inputs<'_>, image: &mut Image, present: &Image) {
    let pools = &inputs.desired.pools;
    let configured: BTreeSet<u64> = pools
        .iter()
        .flat_map(|(name, pool)| pool.backends.keys().map(|address| identity(name, *address)))
        .collect();
    let slots = image.rings.values().flatten().map(|word| Slot::from_word(*word));
    let named = Ids::of(slots.flat_map(|slot| [slot.owner(), slot.previous()]));
    image.backends.retain(|id, backend| {
        configured.contains(&backend.identity)
            || named.contain(*id)
            || !inputs.unreferenced.contains(id)
            || !present.backends.contains_key(id)
    });
}

/// Keeps the server ids of backends that have left the configuration, but not the tables.
fn keep_server_ids(image: &mut Image, present: &Image) {
    let services: BTreeSet<u32> = image
        .services
        .values()
        .filter(|service| service.tracking == Tracking::Quic as u8)
        .map(|service| service.id)
        .collect();
    for (key, backend) in &present.servers {
        if services.contains(&key.service) && image.backends.contains_key(backend) {
            image.servers.entry(*key).or_insert(*backend);
        }
    }
}

/// Adds a service, its ring and its server ids; its id.
fn add_service(
    inputs: &Inputs<'_>,
    image: &mut Image,
    layout: &mut Layout,
    service: &model::Service,
    pool: &Pool,
    present: &Image,
    alive: &Ids,
) -> Result<u32, LayoutError> {
    let seed = inputs.desired.daemon.seed;
    let vip = vip_endpoint(service.listen);
    let place = layout.service(vip, maglev::ring_slots(pool.backends.len()))?;
    let entry = Service {
        id: place.id,
        ring_base: place.ring_base,
        ring_mask: place.slots - 1,
        ..settings(service, seed)
    };
    image.services.insert(vip, entry);

    let mut walkers = Vec::new();
    for (address, weight) in pool.enabled() {
        let id = layout.backend(identity(&service.pool, address))?;
        let (addr_be, port_be) = address_be(address);
        if !inputs.down.contains(&(service.pool.clone(), address)) {
            walkers.push(maglev::Walker::new(seed, id, &addr_be, port_be, weight.get()));
        }
    }
    // A ring that was larger once is filled as one of today's size, and repeats: its memory stays,
    // but every balancer with this configuration has the same owners.
    let mut owners = vec![0; maglev::ring_slots(pool.backends.len()) as usize];
    maglev::fill(&mut walkers, &mut owners);
    let owners = owners.repeat(place.slots as usize / owners.len());
    let old = present.services.get(&vip).and_then(|old| present.rings.get(&old.ring_base));
    let old = old.map_or(&[][..], Vec::as_slice);
    image.rings.insert(place.ring_base, handed_over(&entry, old, &owners, alive, inputs.tick));

    if entry.tracking == Tracking::Quic as u8 {
        for address in pool.backends.keys() {
            let server_be = server_be(seed, *address);
            let id = layout.backend(identity(&service.pool, *address))?;
            image.servers.insert(ServerId { service: place.id, server_be }, id);
        }
    }
    Ok(place.id)
}

/// The slots of a ring with new owners. A slot of a ring that has grown begins as the slot that had
/// its flows.
fn handed_over(service: &Service, old: &[u64], owners: &[u32], alive: &Ids, tick: u32) -> Vec<u64> {
    let tracked = [Tracking::Moving as u8, Tracking::Quic as u8].contains(&service.tracking)
        && service.mode != ForwardMode::FullNat as u8;
    let grown = owners.len() > old.len();
    let slots = owners.iter().enumerate().map(|(index, owner)| {
        let Some(word) = index.checked_rem(old.len()).and_then(|at| old.get(at)) else {
            // Entries of a service that had the VIP before may not have been swept yet.
            return Slot::settled(*owner, time::stamp(tick)).word();
        };
        let slot = Slot::from_word(*word);
        if !tracked {
            return Slot::settled(*owner, slot.epoch()).word();
        }
        // Stamps that the program makes from now on go to the old place, until the service is
        // switched over.
        let slot = if grown && slot.is_moving() { slot.stamped(time::stamp(tick)) } else { slot };
        let alive =
            Alive { owner: alive.contain(slot.owner()), previous: alive.contain(slot.previous()) };
        slot.handed_to(*owner, alive, tick).word()
    });
    slots.collect()
}

/// What a service's entry says besides its places.
fn settings(service: &model::Service, seed: u64) -> Service {
    let mode = match service.forward {
        Forward::Nat => ForwardMode::Nat,
        Forward::Dsr => ForwardMode::Dsr,
        Forward::FullNat => ForwardMode::FullNat,
        Forward::Ipip => ForwardMode::Ipip,
        Forward::Gue => ForwardMode::Gue,
    };
    let tracking = match (service.listen.protocol, service.udp) {
        (Protocol::Tcp, _) => Tracking::Moving,
        (Protocol::Udp, Udp::Stateless) => Tracking::None,
        (Protocol::Udp, Udp::Tracked) => Tracking::All,
        (Protocol::Udp, Udp::Quic) => Tracking::Quic,
    };
    let mut entry = Service {
        mode: mode as u8,
        tracking: tracking as u8,
        idle_ticks: time::ticks(service.idle_timeout),
        seed,
        first_port: service.source_ports.first(),
        last_port_offset: service.source_ports.last() - service.source_ports.first(),
        ..Service::default()
    };
    for prefix in &service.source {
        let (addr_be, _) = address_be((prefix.address(), 0).into());
        if prefix.is_ipv4() {
            entry.source_v4_be = addr_be[3];
            entry.spread_v4_be = prefix.spread().to_be();
        } else {
            entry.source_v6_be = addr_be;
            entry.spread_v6_be = prefix.spread().to_be();
        }
    }
    entry
}

/// The first 12 bytes of a frame: destination, then source.
fn link(destination: [u8; 6], source: [u8; 6]) -> [u32; 3] {
    let mut bytes = [0; 12];
    bytes[..6].copy_from_slice(&destination);
    bytes[6..].copy_from_slice(&source);
    words(&bytes)
}

/// Bytes as words that hold them in the same order, whatever the machine's.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    std::array::from_fn(|word| {
        u32::from_ne_bytes(std::array::from_fn(|byte| bytes[word * 4 + byte]))
    })
}

/// What recognises a backend across restarts: its pool and its address.
pub fn identity(pool: &Name, address: SocketAddr) -> u64 {
    // 0 means an unused entry.
    hash::bytes(0, format!("{pool} {address}").as_bytes()).max(1)
}

/// A VIP as a key of the tables.
pub fn vip_endpoint(vip: Vip) -> Endpoint {
    endpoint(vip.address, vip.protocol)
}

pub(super) fn endpoint(address: SocketAddr, protocol: Protocol) -> Endpoint {
    let (addr_be, port_be) = address_be(address);
    Endpoint { addr_be, port_be, protocol: protocol.number(), wide: 0 }
}

/// An address as it stands in a packet.
pub fn address_be(address: SocketAddr) -> (AddrBe, u16) {
    let addr_be = match address.ip() {
        IpAddr::V4(v4) => v4_mapped(u32::from_ne_bytes(v4.octets())),
        IpAddr::V6(v6) => words(&v6.octets()),
    };
    (addr_be, address.port().to_be())
}

/// The address of a backend's entry.
pub fn address_of(backend: &Backend) -> SocketAddr {
    let octets: Vec<u8> = backend.addr_be.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let octets: [u8; 16] = octets.try_into().unwrap_or_default();
    let ip = std::net::Ipv6Addr::from(octets).to_canonical();
    SocketAddr::new(ip, u16::from_be(backend.port_be))
}
