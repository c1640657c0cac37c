//! The service index: services found without a call into the kernel.
//!
//! A look-up in a hash map is a call, which costs a packet about as much as everything else that is
//! done to it; a look-up in an array is a few instructions. So two arrays stand in front of the map
//! of services: the hash of a VIP names a row, which is a copy of the service with its VIP. Where
//! two services have the same hash, one of them has the word; packets of the other ask the map for
//! its id, and a word by that id names its row. The map stays the record of what there is: the index
//! is made to agree with it whenever it is opened, whatever was not finished before.
//!
//! A row that is in use is never written: the new version of a service goes into its other row, and
//! the words of the index, each read at once, say from when on it counts.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{Array, HashMap, MapData};
use lb_common::{
    abi::{Endpoint, Service, ServiceRow},
    hash,
    limits::{SERVICE_HASHES, SERVICE_WORDS, maps},
};

use super::{DataplaneError, tables::failed};

/// Both arrays.
pub(super) struct ServiceIndex {
    words: Array<MapData, u32>,
    rows: Array<MapData, ServiceRow>,
    held: Held,
}

/// What the arrays hold, and the services that they must lead to.
struct Held {
    words: Vec<u32>,
    rows: Vec<ServiceRow>,
    services: BTreeMap<Endpoint, Service>,
}

/// One entry of an array is written.
#[derive(Debug)]
enum Write {
    Row(u32, ServiceRow),
    Word(u32, u32),
}

impl ServiceIndex {
    /// Makes the index agree with the services.
    pub(super) fn open(
        words: Array<MapData, u32>,
        rows: Array<MapData, ServiceRow>,
        services: &HashMap<MapData, Endpoint, Service>,
    ) -> Result<Self, DataplaneError> {
        let services: Result<BTreeMap<_, _>, _> = services.iter().collect();
        let services = services.map_err(failed(maps::SERVICES))?;
        let all_words: Result<Vec<_>, _> = words.iter().collect();
        let all_rows: Result<Vec<_>, _> = rows.iter().collect();
        let held = Held {
            words: all_words.map_err(failed(maps::SERVICE_INDEX))?,
            rows: all_rows.map_err(failed(maps::SERVICE_ROWS))?,
            services: services.clone(),
        };
        let mut index = Self { words, rows, held };
        for (vip, service) in &services {
            index.put(vip, service)?;
        }
        index.write(index.held.stale())?;
        Ok(index)
    }

    /// A service is new, or changed.
    pub(super) fn put(&mut self, vip: &Endpoint, service: &Service) -> Result<(), DataplaneError> {
        let writes = self.held.put(vip, service);
        self.write(writes)
    }

    /// A service goes.
    pub(super) fn delete(&mut self, vip: &Endpoint) -> Result<(), DataplaneError> {
        let writes = self.held.delete(vip);
        self.write(writes)
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<(), DataplaneError> {
        for write in writes {
            match &write {
                Write::Row(at, row) => {
                    self.rows.set(*at, row, 0).map_err(failed(maps::SERVICE_ROWS))?;
                }
                Write::Word(at, row) => {
                    self.words.set(*at, row, 0).map_err(failed(maps::SERVICE_INDEX))?;
                }
            }
            self.held.note(&write);
        }
        Ok(())
    }
}

impl Held {
    /// What leads to a service from now on.
    fn put(&mut self, vip: &Endpoint, service: &Service) -> Vec<Write> {
        self.services.insert(*vip, *service);
        let wanted = ServiceRow { vip: *vip, service: *service, ..ServiceRow::default() };
        let (own, [one, other]) = (own_word(service), [2 * service.id, 2 * service.id + 1]);
        let mut writes = Vec::new();
        let mut row = self.words[own as usize];
        if ![one, other].contains(&row) || self.rows[row as usize] != wanted {
            row = if row == one { other } else { one };
            writes.extend([Write::Row(row, wanted), Write::Word(own, row)]);
        }
        let hashed = hash::vip(vip);
        let holds = is_looked_up(vip) && self.holder(hashed) == Some(service);
        if holds && self.words[hashed as usize] != row {
            writes.push(Write::Word(hashed, row));
        }
        writes
    }

    /// What leads to others where it led to a service, or nowhere.
    fn delete(&mut self, vip: &Endpoint) -> Vec<Write> {
        let Some(service) = self.services.remove(vip) else { return Vec::new() };
        if !is_looked_up(vip) {
            return vec![Write::Word(own_word(&service), 0)];
        }
        let hashed = hash::vip(vip);
        let next = self.holder(hashed).map_or(0, |next| self.words[own_word(next) as usize]);
        vec![Write::Word(hashed, next), Write::Word(own_word(&service), 0)]
    }

    /// What ends words that lead to nobody's row.
    fn stale(&self) -> Vec<Write> {
        let hashed = |vip: &Endpoint| is_looked_up(vip).then(|| hash::vip(vip));
        let needed = |(vip, service)| [hashed(vip), Some(own_word(service))];
        let needed: BTreeSet<u32> = self.services.iter().flat_map(needed).flatten().collect();
        let words = (0..SERVICE_WORDS).zip(&self.words);
        let stale = words.filter(|(at, row)| **row != 0 && !needed.contains(at));
        stale.map(|(at, _)| Write::Word(at, 0)).collect()
    }

    /// The service that has the word of a hash.
    fn holder(&self, hashed: u32) -> Option<&Service> {
        let holds = |(vip, _): &(&Endpoint, _)| is_looked_up(vip) && hash::vip(vip) == hashed;
        self.services.iter().find(holds).map(|(_, service)| service)
    }

    fn note(&mut self, write: &Write) {
        match write {
            Write::Row(at, row) => self.rows[*at as usize] = *row,
            Write::Word(at, row) => self.words[*at as usize] = *row,
        }
    }
}

/// Whether packets are looked up by a key: a service with a range of ports is found by its id alone, which
/// the entry of its address leads to.
const fn is_looked_up(vip: &Endpoint) -> bool {
    vip.wide == 0 || vip.port_be == 0
}

/// The word by a service's id.
const fn own_word(service: &Service) -> u32 {
    SERVICE_HASHES + service.id
}

#[cfg(test)]
mod tests;
