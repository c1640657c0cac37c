//! The service index: services found without a call into the kernel.
//!
//! A look-up in a hash map is a call, which costs a packet about as much as everything else that is
//! done to it; a look-up in an array is a few instructions. So two arrays stand in front of the map
//! of services: the hash of a VIP names a row, which is a copy of the service with its VIP. Where
//! two services have the same hash, one of them has the row, and packets of the other go on to the
//! map, which stays the record of what there is: the index is made to agree with it whenever it is
//! opened, whatever was not finished before.
//!
//! A row that is in use is never written: the new version of a service goes into its other row, and
//! the word of the index, which is read at once, says from when on it counts.

use std::collections::BTreeMap;

use aya::maps::{Array, HashMap, MapData};
use lb_common::{
    abi::{Endpoint, Service, ServiceRow},
    hash,
    limits::{SERVICE_WORDS, maps},
};

use super::{DataplaneError, tables::failed};

/// Both arrays, and the services that they must lead to.
pub(super) struct ServiceIndex {
    words: Array<MapData, u32>,
    rows: Array<MapData, ServiceRow>,
    services: BTreeMap<Endpoint, Service>,
}

/// What makes a word right.
#[derive(Debug, Eq, PartialEq)]
struct Change {
    word: u32,
    /// To be written into the row of that number before the word is.
    row: Option<ServiceRow>,
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
        let mut index = Self { words, rows, services };
        for word in 0..SERVICE_WORDS {
            index.mend(word)?;
        }
        Ok(index)
    }

    /// A service is new, or changed.
    pub(super) fn put(&mut self, vip: &Endpoint, service: &Service) -> Result<(), DataplaneError> {
        self.services.insert(*vip, *service);
        self.mend(hash::vip(vip))
    }

    /// A service goes.
    pub(super) fn delete(&mut self, vip: &Endpoint) -> Result<(), DataplaneError> {
        self.services.remove(vip);
        self.mend(hash::vip(vip))
    }

    fn mend(&mut self, at: u32) -> Result<(), DataplaneError> {
        let word = self.words.get(&at, 0).map_err(failed(maps::SERVICE_INDEX))?;
        let row = match word {
            0 => None,
            // A number that is none is no row of anybody.
            row => self.rows.get(&row, 0).ok(),
        };
        let Some(change) = change(&self.services, at, word, row) else { return Ok(()) };
        if let Some(row) = change.row {
            self.rows.set(change.word, row, 0).map_err(failed(maps::SERVICE_ROWS))?;
        }
        self.words.set(at, change.word, 0).map_err(failed(maps::SERVICE_INDEX))
    }
}

/// What to change, if anything, about the word at a place that names a row.
fn change(
    services: &BTreeMap<Endpoint, Service>,
    at: u32,
    word: u32,
    row: Option<ServiceRow>,
) -> Option<Change> {
    let holder = row.and_then(|row| services.get_key_value(&row.vip));
    let holder = holder.filter(|(vip, _)| hash::vip(vip) == at);
    let here = || services.iter().find(|(vip, _)| hash::vip(vip) == at);
    match holder.or_else(here) {
        None if word == 0 => None,
        None => Some(Change { word: 0, row: None }),
        Some((vip, service)) => {
            let [one, other] = [2 * service.id, 2 * service.id + 1];
            let wanted = ServiceRow { vip: *vip, service: *service, ..ServiceRow::default() };
            if row == Some(wanted) && [one, other].contains(&word) {
                return None;
            }
            let word = if word == one { other } else { one };
            Some(Change { word, row: Some(wanted) })
        }
    }
}

#[cfg(test)]
mod tests;
