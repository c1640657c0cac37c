//! Ranges of ports that share an address and protocol.

use std::collections::BTreeMap;

use lb_common::{
    abi::{Endpoint, PortRange, Ranges, SERVICE_RANGES, Service},
    limits::RANGES_PER_ADDRESS,
};

use super::keys::vip_endpoint;
use crate::{
    model::Desired,
    reconcile::{Image, layout::Layout, layout::LayoutError},
};

/// Where all ports of an address are: behind every other range.
const LAST: usize = RANGES_PER_ADDRESS - 1;

/// The ranges of one host.
#[derive(Default)]
struct Host {
    ranges: Vec<PortRange>,
    all: Option<PortRange>,
}

/// Adds the entries that lead to services with ranges of ports, which have been added.
pub(super) fn add(
    desired: &Desired,
    image: &mut Image,
    layout: &mut Layout,
    present: &Image,
) -> Result<(), LayoutError> {
    let mut hosts: BTreeMap<Endpoint, Host> = BTreeMap::new();
    for service in desired.services.values().filter(|service| service.listen.is_range()) {
        let vip = vip_endpoint(service.listen);
        let Some(entry) = image.services.get(&vip) else { continue };
        let (first, last) = (service.listen.address.port(), service.listen.last_port);
        let range = PortRange { service: entry.id, first, last };
        let host = hosts.entry(vip.any_port()).or_default();
        if service.listen.is_all() {
            host.all = Some(range);
        } else {
            host.ranges.push(range);
        }
    }
    for (key, mut host) in hosts {
        let place = layout.service(key, 1)?;
        let entry = Service {
            id: place.id,
            ring_base: place.ring_base,
            ring_mask: place.slots - 1,
            flags: SERVICE_RANGES,
            ..Service::default()
        };
        image.services.insert(key, entry);
        image.rings.insert(place.ring_base, vec![0; place.slots as usize]);
        host.ranges.sort_by_key(|range| range.first);
        image.ranges.insert(place.id, row(&host, present.ranges.get(&place.id)));
    }
    Ok(())
}

/// The row of a host. A packet may be looking at the present one while it is written, so what stays keeps
/// its place.
fn row(host: &Host, present: Option<&Ranges>) -> Ranges {
    let present = present.copied().unwrap_or_default().ranges;
    let mut row = Ranges::default();
    let mut new = Vec::new();
    for range in &host.ranges {
        let place = present.iter().position(|old| old == range);
        match place.filter(|place| *place != LAST || host.all.is_none()) {
            Some(place) => row.ranges[place] = *range,
            None => new.push(*range),
        }
    }
    if let Some(all) = host.all {
        row.ranges[LAST] = all;
    }
    for range in new {
        // Better one where there was none.
        let free = |place: &usize| row.ranges[*place].service == 0;
        let untouched = |place: &usize| free(place) && present[*place].service == 0;
        let place = (0..RANGES_PER_ADDRESS).find(untouched);
        if let Some(place) = place.or_else(|| (0..RANGES_PER_ADDRESS).find(free)) {
            row.ranges[place] = range;
        }
    }
    row
}
