//! A configuration, the next hops and the present tables to the tables that shall be.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use lb_common::{
    abi::{AddrBe, BACKEND_RESOLVED, Backend, Endpoint, ForwardMode, Origin, Service, v4_mapped},
    hash, maglev,
    slot::Slot,
};

use super::{Image, layout::Layout, layout::LayoutError};
use crate::model::{self, Desired, Forward, Name, Pool, Protocol, Vip};

/// Where packets to a backend go, as the tables want it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// Outgoing interface.
    pub ifindex: u32,
    /// MAC address of the next hop.
    pub mac: [u8; 6],
    /// MAC address of the outgoing interface.
    pub source_mac: [u8; 6],
    /// Largest IP packet in bytes that it carries.
    pub mtu: u32,
}

/// Next hops that are known.
pub type Targets = BTreeMap<IpAddr, Target>;

/// The tables that shall be. Ids and places are kept from the tables that are.
pub fn compile(
    desired: &Desired,
    targets: &Targets,
    interfaces: &BTreeSet<u32>,
    present: &Image,
) -> Result<Image, LayoutError> {
    let mut layout = Layout::of(present);
    let mut image = Image { interfaces: interfaces.clone(), ..Image::default() };
    for (name, pool) in &desired.pools {
        for address in pool.backends.keys() {
            let identity = identity(name, *address);
            let backend = backend(identity, *address, targets.get(&address.ip()));
            image.backends.insert(layout.backend(identity)?, backend);
        }
    }
    for service in desired.services.values() {
        if let Some(pool) = desired.pools.get(&service.pool) {
            add_service(&mut image, &mut layout, desired.daemon.seed, service, pool)?;
        }
    }
    Ok(image)
}

fn add_service(
    image: &mut Image,
    layout: &mut Layout,
    seed: u64,
    service: &model::Service,
    pool: &Pool,
) -> Result<(), LayoutError> {
    let vip = vip_endpoint(service.listen);
    let place = layout.service(vip, maglev::ring_slots(pool.backends.len()))?;
    let mode = match service.forward {
        Forward::Nat => ForwardMode::Nat,
        Forward::Dsr => ForwardMode::Dsr,
        Forward::FullNat => ForwardMode::FullNat,
        Forward::Ipip => ForwardMode::Ipip,
        Forward::Gue => ForwardMode::Gue,
    };
    let entry = Service {
        id: place.id,
        ring_base: place.ring_base,
        ring_mask: place.slots - 1,
        mode: mode as u8,
        seed,
        ..Service::default()
    };
    image.services.insert(vip, entry);

    let mut walkers = Vec::new();
    for (address, weight) in pool.enabled() {
        let id = layout.backend(identity(&service.pool, address))?;
        let (addr_be, port_be) = address_be(address);
        walkers.push(maglev::Walker::new(seed, id, &addr_be, port_be, weight.get()));
    }
    let mut owners = vec![0; place.slots as usize];
    maglev::fill(&mut walkers, &mut owners);
    let words = owners.into_iter().map(|owner| Slot::settled(owner, 0).word()).collect();
    image.rings.insert(place.ring_base, words);

    if service.forward == Forward::Nat {
        // Drained backends, too: they still answer their old flows.
        for address in pool.backends.keys() {
            let backend = layout.backend(identity(&service.pool, *address))?;
            let origin = Origin {
                vip_be: vip.addr_be,
                port_be: vip.port_be,
                service: place.id,
                backend,
                ..Origin::default()
            };
            image.origins.insert(endpoint(*address, service.listen.protocol), origin);
        }
    }
    Ok(())
}

fn backend(identity: u64, address: SocketAddr, target: Option<&Target>) -> Backend {
    let (addr_be, port_be) = address_be(address);
    let unresolved = Backend { identity, addr_be, port_be, ..Backend::default() };
    match target {
        None => unresolved,
        Some(target) => Backend {
            flags: BACKEND_RESOLVED,
            ifindex: target.ifindex,
            link: link(target.mac, target.source_mac),
            mtu: u16::try_from(target.mtu).unwrap_or(u16::MAX),
            ..unresolved
        },
    }
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

fn endpoint(address: SocketAddr, protocol: Protocol) -> Endpoint {
    let (addr_be, port_be) = address_be(address);
    Endpoint { addr_be, port_be, protocol: protocol.number(), _pad: 0 }
}

/// An address as it stands in a packet.
pub fn address_be(address: SocketAddr) -> (AddrBe, u16) {
    let addr_be = match address.ip() {
        IpAddr::V4(v4) => v4_mapped(u32::from_ne_bytes(v4.octets())),
        IpAddr::V6(v6) => words(&v6.octets()),
    };
    (addr_be, address.port().to_be())
}
