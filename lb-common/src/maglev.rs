//! The ring: which backend owns which slot.
//!
//! Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4) with three changes. The number of slots
//! is a power of two, and each backend walks it with an odd step: an odd number has no common
//! divisor with a power of two, so the walk still meets every slot, and a mask replaces the modulo.
//! Two backends with the same step would follow each other around the whole ring, and when one left,
//! the other would move into its place; so each backend stirs the numbers that it meets in a way of
//! its own, which is reversible and therefore still meets every slot. Weights are credits: in each
//! round a backend earns its weight and pays the largest weight for a turn, so that shares err by at
//! most one turn however the weights are scaled.
//!
//! The result depends on the seed, the backends and their weights alone, never on the order in
//! which they are given: balancers that agree on these agree on every slot.

use crate::{abi::AddrBe, hash, limits};

/// One backend on its walk around the ring. Made by [`Walker::new`]; [`fill`] uses it up.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    id: u32,
    weight: u32,
    credit: u64,
    at: usize,
    step: usize,
    stir: usize,
    order: (u64, u64),
}

impl Walker {
    /// A backend by the id that [`fill`] writes, its address, and its weight (0 gets no slot).
    pub const fn new(seed: u64, id: u32, addr: &AddrBe, port_be: u16, weight: u32) -> Self {
        let start = hash::backend(seed, addr, port_be);
        let step = hash::backend(!seed, addr, port_be);
        Self {
            id,
            weight,
            credit: 0,
            at: low(start),
            step: low(step) | 1,
            stir: low(step >> 32) | 1,
            order: (start, step),
        }
    }

    /// The next slot on the walk. Shifting by half the bits and multiplying by an odd number are
    /// both reversible within the mask, hence so is the whole.
    fn next(&mut self, mask: usize) -> usize {
        let half = (mask.count_ones() / 2).max(1);
        let slot = self.at & mask;
        self.at = self.at.wrapping_add(self.step);
        let slot = (slot ^ (slot >> half)).wrapping_mul(self.stir) & mask;
        slot ^ (slot >> half)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a ring has far fewer slots than a usize counts"
)]
const fn low(hash: u64) -> usize {
    hash as usize
}

/// Slots that the ring of a service with so many backends has.
pub fn ring_slots(backends: usize) -> u32 {
    let wanted = u32::try_from(backends).unwrap_or(u32::MAX);
    let slots = wanted.saturating_mul(limits::SLOTS_PER_BACKEND).checked_next_power_of_two();
    slots.unwrap_or(limits::MAX_RING).clamp(limits::MIN_RING, limits::MAX_RING)
}

/// Fills a ring with backend ids; with 0 where there is no backend of positive weight.
///
/// `ring.len()` must be a power of two. `walkers` is scratch: it is sorted and its state used up.
pub fn fill(walkers: &mut [Walker], ring: &mut [u32]) {
    debug_assert!(ring.len().is_power_of_two(), "the mask below relies on it");
    ring.fill(0);
    let dearest = walkers.iter().map(|walker| u64::from(walker.weight)).max().unwrap_or(0);
    if dearest == 0 {
        return;
    }
    walkers.sort_unstable_by_key(|walker| walker.order);
    let mut free = ring.len();
    loop {
        for walker in walkers.iter_mut() {
            walker.credit += u64::from(walker.weight);
            if walker.credit < dearest {
                continue;
            }
            walker.credit -= dearest;
            if free == 0 {
                return;
            }
            take_next_free(walker, ring);
            free -= 1;
        }
    }
}

fn take_next_free(walker: &mut Walker, ring: &mut [u32]) {
    let mask = ring.len() - 1;
    for _ in 0..ring.len() {
        if let Some(slot) = ring.get_mut(walker.next(mask))
            && *slot == 0
        {
            *slot = walker.id;
            return;
        }
    }
}

#[cfg(test)]
mod tests;
