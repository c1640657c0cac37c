//! Where things stand in the tables: ids of services and backends, places of rings and turns.
//!
//! An id or place stays for as long as its owner lives, across restarts, because it is read back
//! from the tables themselves. What is about to be freed is not given out in the same plan: its old
//! owner is in use until the plan is through.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{abi::Endpoint, limits};
use thiserror::Error;

use super::Image;

/// Why there is no place.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum LayoutError {
    /// No service id is free.
    #[error(
        "no room for another service among {}; remove some in one step and add the others in a second",
        limits::MAX_SERVICES
    )]
    Services,
    /// No backend id is free.
    #[error(
        "no room for another backend among {}; remove some in one step and add the others in a second",
        limits::MAX_BACKENDS - 1
    )]
    Backends,
    /// No run of slots is free.
    #[error(
        "no room for a ring of {slots} slots; remove some services in one step and add the others in a second"
    )]
    Ring {
        /// Slots wanted.
        slots: u32,
    },
    /// No run of turns is free.
    #[error(
        "no room for {turns} turns of backends among {}; remove some services with `scheduler = \"round-robin\"` in one step and add the others in a second",
        limits::MAX_TURNS
    )]
    Turns {
        /// Turns wanted.
        turns: usize,
    },
}

/// The place of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Its counter row.
    pub id: u32,
    /// First slot of its ring.
    pub ring_base: u32,
    /// Slots of its ring.
    pub slots: u32,
}

/// All places given out.
#[derive(Debug, Default)]
pub struct Layout {
    services: BTreeMap<Endpoint, Place>,
    backends: BTreeMap<u64, u32>,
    service_ids: BTreeSet<u32>,
    backend_ids: BTreeSet<u32>,
    /// First slot of each ring in use, and the slot behind its last.
    rings: BTreeMap<u32, u32>,
    /// First turn of each service whose backends take turns.
    first_turns: BTreeMap<Endpoint, u32>,
    /// First turn of each sequence in use, and the one behind its last.
    turns: BTreeMap<u32, u32>,
}

impl Layout {
    /// The places that tables give out.
    pub fn of(image: &Image) -> Self {
        let mut layout = Self::default();
        for (vip, service) in &image.services {
            let slots = service.ring_mask + 1;
            let place = Place { id: service.id, ring_base: service.ring_base, slots };
            layout.services.insert(*vip, place);
            layout.service_ids.insert(place.id);
            layout.rings.insert(place.ring_base, place.ring_base + slots);
            if service.turns > 0 {
                layout.first_turns.insert(*vip, service.first_turn);
                layout.turns.insert(service.first_turn, service.first_turn + service.turns);
            }
        }
        for (id, backend) in &image.backends {
            layout.backends.insert(backend.identity, *id);
            layout.backend_ids.insert(*id);
        }
        layout
    }

    /// The place of a service; a new one if it has none, or if its ring must grow. A ring never
    /// shrinks: that would move flows for nothing but memory.
    pub fn service(&mut self, vip: Endpoint, slots: u32) -> Result<Place, LayoutError> {
        let old = self.services.get(&vip).copied();
        if let Some(place) = old.filter(|place| place.slots >= slots) {
            return Ok(place);
        }
        let id = match old {
            Some(place) => place.id,
            None => take_first_free(&mut self.service_ids, limits::MAX_SERVICES)
                .ok_or(LayoutError::Services)?,
        };
        let ring_base =
            first_gap(&self.rings, slots, limits::RING_SLOTS).ok_or(LayoutError::Ring { slots })?;
        self.rings.insert(ring_base, ring_base + slots);
        let place = Place { id, ring_base, slots };
        self.services.insert(vip, place);
        Ok(place)
    }

    /// The id of a backend, if it has one.
    pub fn known_backend(&self, identity: u64) -> Option<u32> {
        self.backends.get(&identity).copied()
    }

    /// The id of a backend; a new one if it has none.
    pub fn backend(&mut self, identity: u64) -> Result<u32, LayoutError> {
        if let Some(id) = self.backends.get(&identity) {
            return Ok(*id);
        }
        let id = take_first_free(&mut self.backend_ids, limits::MAX_BACKENDS - 1)
            .ok_or(LayoutError::Backends)?;
        self.backends.insert(identity, id);
        Ok(id)
    }

    /// The first turn of a service and how many there are: where it has some, if there is room behind it;
    /// otherwise a new place.
    pub fn turns(&mut self, vip: Endpoint, wanted: usize) -> Result<(u32, u32), LayoutError> {
        let error = LayoutError::Turns { turns: wanted };
        let wanted = u32::try_from(wanted).map_err(|_| error)?;
        if wanted == 0 {
            return Ok((0, 0));
        }
        if let Some(first) = self.first_turns.get(&vip).copied() {
            let next = self.turns.range(first + 1..).next();
            let room = next.map_or(limits::MAX_TURNS, |(next, _)| *next) - first;
            if wanted <= room {
                let end = self.turns.entry(first).or_default();
                *end = (*end).max(first + wanted);
                return Ok((first, wanted));
            }
        }
        let first = first_gap(&self.turns, wanted, limits::MAX_TURNS).ok_or(error)?;
        self.turns.insert(first, first + wanted);
        Ok((first, wanted))
    }
}

/// The first gap between places that is large enough.
fn first_gap(taken: &BTreeMap<u32, u32>, wanted: u32, most: u32) -> Option<u32> {
    let mut start = 0;
    for (base, end) in taken {
        if base - start >= wanted {
            return Some(start);
        }
        start = *end;
    }
    (most - start >= wanted).then_some(start)
}

/// Takes the lowest free number from 1 to `most`.
fn take_first_free(taken: &mut BTreeSet<u32>, most: u32) -> Option<u32> {
    let free = (1..).zip(taken.iter()).find(|(n, id)| n != *id).map_or_else(
        || u32::try_from(taken.len()).unwrap_or(u32::MAX).saturating_add(1),
        |(n, _)| n,
    );
    (free <= most && taken.insert(free)).then_some(free)
}
