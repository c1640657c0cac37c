//! Consistent hashing by the ring that layer 4 uses.

use std::net::{IpAddr, SocketAddr};

use lb_common::{
    abi::AddrBe,
    hash,
    maglev::{self, Walker},
};

use super::Field;

/// The ring of a pool: slots that each name a backend by its place.
#[derive(Debug)]
pub(in crate::proxy) struct Ring {
    slots: Vec<u32>,
}

impl Ring {
    /// The ring of some backends with their places and weights.
    pub(in crate::proxy) fn new(
        seed: u64,
        backends: impl Iterator<Item = (usize, SocketAddr, u32)>,
    ) -> Self {
        let walker = |(nth, address, weight): (usize, SocketAddr, u32)| {
            let id = u32::try_from(nth).unwrap_or(u32::MAX - 1) + 1;
            Walker::new(seed, id, &words(address.ip()), address.port().to_be(), weight)
        };
        let mut walkers: Vec<Walker> = backends.map(walker).collect();
        let length = usize::try_from(maglev::ring_slots(walkers.len())).unwrap_or_default();
        let mut slots = vec![0; length];
        maglev::fill(&mut walkers, &mut slots);
        Self { slots }
    }

    /// The owner of a hash; if it is not usable, that of the next slot with one that is.
    pub(in crate::proxy) fn owner(&self, hash: u32, field: &impl Field) -> Option<usize> {
        let length = self.slots.len();
        let start = usize::try_from(hash).unwrap_or_default() % length.max(1);
        let owner = |step: usize| {
            let id = *self.slots.get((start + step) % length)?;
            usize::try_from(id.checked_sub(1)?).ok()
        };
        (0..length).filter_map(owner).find(|nth| field.usable(*nth))
    }
}

/// The hash of a client, which is the one that layer 4 uses.
pub(in crate::proxy) fn hash_of_client(seed: u64, client: IpAddr) -> u32 {
    hash::client(seed, &words(client))
}

/// The hash of a value.
pub(in crate::proxy) fn hash_of_bytes(seed: u64, bytes: &[u8]) -> u32 {
    let hash = hash::bytes(seed, bytes);
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// An address as the tables have it, in network order.
fn words(address: IpAddr) -> AddrBe {
    let octets = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = bytes.try_into().map(u32::from_ne_bytes).unwrap_or_default();
    }
    words
}
