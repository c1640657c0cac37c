//! Entries of backends: where packets to them go, and how long they keep their flows.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use lb_common::{
    abi::{
        BACKEND_DEAD, BACKEND_EXPIRED, BACKEND_LEAVING, BACKEND_LIMITED, BACKEND_RESOLVED,
        BACKEND_TAGGED, Backend,
    },
    limits,
    slot::Slot,
    time,
};

use super::{
    Inputs, Target,
    keys::{address_be, address_of, identity, words},
};
use crate::{
    model::{BackendState, Name, Pool},
    reconcile::Image,
};

/// Some backends, by their ids: a look-up for each of millions of slots must be cheap.
pub(super) struct Ids(Vec<bool>);

impl Ids {
    pub(super) fn of(ids: impl Iterator<Item = u32>) -> Self {
        let mut found = vec![false; limits::MAX_BACKENDS as usize];
        for id in ids {
            if let Some(found) = found.get_mut(id as usize) {
                *found = true;
            }
        }
        Self(found)
    }

    pub(super) fn contain(&self, id: u32) -> bool {
        self.0.get(id as usize).is_some_and(|found| *found)
    }
}

/// The entry of a backend that is in the configuration.
pub(super) fn wanted(
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
pub(super) fn leftover(inputs: &Inputs<'_>, present: &Backend) -> Backend {
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
pub(super) fn tags(inputs: &Inputs<'_>, backends: &BTreeMap<u32, Backend>) -> BTreeMap<u32, u32> {
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
pub(super) fn drop_forgotten(inputs: &Inputs<'_>, image: &mut Image, present: &Image) {
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

/// The first 12 bytes of a frame: destination, then source.
fn link(destination: [u8; 6], source: [u8; 6]) -> [u32; 3] {
    let mut bytes = [0; 12];
    bytes[..6].copy_from_slice(&destination);
    bytes[6..].copy_from_slice(&source);
    words(&bytes)
}
