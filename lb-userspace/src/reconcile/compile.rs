//! A configuration, the state of the network and of the backends, and the present tables to the
//! tables that shall be.

mod backends;
mod keys;
mod lists;
mod ranges;
mod services;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use lb_common::abi::{BACKEND_SHARED, META_RANGES, META_WIDE_ORIGINS, Vlan};

pub use self::keys::{address_be, address_of, endpoint, identity, vip_endpoint};
use self::{
    backends::Ids,
    lists::Lists,
    services::{Adding, keep_server_ids},
};
use super::{
    Image,
    filter::Filters,
    layout::{Layout, LayoutError},
    origins::Origins,
};
use crate::model::{Desired, Name};

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
    /// The filter that was made last.
    pub filters: &'a Filters,
    /// The present tick.
    pub tick: u32,
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
            let entry = backends::wanted(inputs, name, pool, *address, present.backends.get(&id));
            image.backends.insert(id, entry);
        }
    }
    for (id, backend) in &present.backends {
        image.backends.entry(*id).or_insert_with(|| backends::leftover(inputs, backend));
    }
    let alive = Ids::of(image.backends.iter().filter(|(_, b)| b.is_alive()).map(|(id, _)| *id));
    let lists = Lists::of(desired, present, inputs.filters);
    let mut origins = Origins::default();
    let mut adding = Adding { inputs, present, alive: &alive, lists: &lists, layout: &mut layout };
    for service in desired.services.values() {
        if let Some(pool) = desired.pools.get(&service.pool) {
            let id = adding.service(&mut image, service, pool)?;
            origins.add(service, pool, id, adding.layout);
            let (addr_be, _) = address_be(service.listen.address);
            // The lowest id, whatever the order of the services.
            image.vips.entry(addr_be).and_modify(|first| *first = id.min(*first)).or_insert(id);
        }
    }
    ranges::add(desired, &mut image, &mut layout, present)?;
    backends::drop_forgotten(inputs, &mut image, present);
    image.tags = backends::tags(inputs, &image.backends);
    keep_server_ids(&mut image, present);
    origins.keep_leftovers(&image, present);
    let shared = origins.write(&mut image, present);
    for backend in image.backends.values_mut() {
        if shared.contains(&(backend.addr_be, backend.port_be)) {
            backend.flags |= BACKEND_SHARED;
        }
    }
    (image.lists, image.filter) = (lists.rules, lists.filter);
    image.meta = meta(&image);
    Ok(image)
}

/// What is said of the tables as a whole.
fn meta(image: &Image) -> u32 {
    let ranges = if image.ranges.is_empty() { 0 } else { META_RANGES };
    let wide = image.origins.keys().any(|key| key.wide != 0);
    ranges | if wide { META_WIDE_ORIGINS } else { 0 }
}
