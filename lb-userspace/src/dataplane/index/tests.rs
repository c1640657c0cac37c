//! Whatever happens to the services, every one is found.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{
    abi::{Endpoint, Service, ServiceRow},
    hash,
    limits::{MAX_SERVICES, SERVICE_HASHES, SERVICE_ROWS, SERVICE_WORDS},
};
use proptest::prelude::*;

use super::{Held, Write};

fn vip(number: u16) -> Endpoint {
    Endpoint { port_be: number.to_be(), protocol: 6, ..Endpoint::default() }
}

fn empty() -> Held {
    Held {
        words: vec![0; SERVICE_WORDS as usize],
        rows: vec![ServiceRow::default(); SERVICE_ROWS as usize],
        services: BTreeMap::new(),
    }
}

impl Held {
    fn row(&self, word: u32) -> Option<&ServiceRow> {
        match self.words[word as usize] {
            0 => None,
            row => Some(&self.rows[row as usize]),
        }
    }

    /// As the program does it.
    fn find(&self, vip: &Endpoint) -> Option<Service> {
        let mut row = self.row(hash::vip(vip))?;
        if row.vip != *vip {
            row = self.row(SERVICE_HASHES + self.services.get(vip)?.id)?;
        }
        Some(row.service)
    }

    /// Writes, looking for some services after each step.
    fn write(&mut self, writes: Vec<Write>, others: &[(Endpoint, Option<Service>)]) {
        for write in writes {
            if let Write::Row(at, _) = &write {
                assert!(!self.words.contains(at), "a row in use is written");
            }
            self.note(&write);
            for (vip, service) in others {
                assert_eq!(self.find(vip), *service);
            }
        }
    }
}

#[test]
fn neighbouring_ports_and_addresses_have_words_of_their_own() {
    let words: BTreeSet<u32> = (1..=256).map(|port| hash::vip(&vip(port))).collect();
    assert!(words.len() > 230, "{} words for 256 ports", words.len());
}

proptest! {
    /// Over few hashes, so that many services share one.
    #[test]
    fn whatever_changes_every_service_is_found(
        changes in prop::collection::vec((0usize..12, any::<Option<u64>>()), 1..80)
    ) {
        let same = |port: &u16| hash::vip(&vip(*port)) % 1024 == 7;
        let vips: Vec<Endpoint> = (0..u16::MAX).filter(same).take(12).map(vip).collect();
        let mut ids: Vec<u32> = (1..=MAX_SERVICES).rev().collect();
        let mut held = empty();
        for (which, change) in changes {
            let vip = vips[which];
            let others: Vec<_> = vips
                .iter()
                .filter(|other| **other != vip)
                .map(|other| (*other, held.services.get(other).copied()))
                .collect();
            let old = held.services.get(&vip).copied();
            let new = change.map(|seed| {
                let id = old.map_or_else(|| ids.pop().unwrap_or(1), |old| old.id);
                Service { id, seed, ..Service::default() }
            });
            let writes = match &new {
                Some(service) => held.put(&vip, service),
                None => held.delete(&vip),
            };
            ids.extend(old.filter(|_| new.is_none()).map(|old| old.id));
            held.write(writes, &others);
            prop_assert_eq!(held.find(&vip), new);
        }
    }

    /// As after a daemon that died between two steps.
    #[test]
    fn whatever_was_there_is_mended(
        words in prop::collection::btree_map(0..SERVICE_WORDS, 0..SERVICE_ROWS, 0..80),
        count in 0u32..12,
    ) {
        let near = |port: &u16| hash::vip(&vip(*port)) < 8;
        let vips: Vec<Endpoint> = (0..u16::MAX).filter(near).take(12).map(vip).collect();
        let services = vips.iter().zip(1..=count);
        let services = services.map(|(vip, id)| (*vip, Service { id, ..Service::default() }));
        let mut held = Held { services: services.collect(), ..empty() };
        for (at, row) in words {
            held.words[at as usize] = row;
        }
        for (vip, service) in held.services.clone() {
            held.put(&vip, &service).into_iter().for_each(|write| held.note(&write));
        }
        held.stale().into_iter().for_each(|write| held.note(&write));
        for vip in vips.iter().copied().chain((0..100).map(vip)) {
            prop_assert_eq!(held.find(&vip), held.services.get(&vip).copied());
        }
    }
}

/// The service that stands for the ranges of an address is looked up; those with a range are found by
/// their ids, and take no word from anybody.
#[test]
fn services_with_ranges_are_found_by_their_ids() {
    let mut held = empty();
    let range = Endpoint { wide: 1, ..vip(80) };
    let host = range.any_port();
    let of = |id| Service { id, ..Service::default() };
    for (key, id) in [(range, 3), (host, 2), (vip(80), 1)] {
        let writes = held.put(&key, &of(id));
        held.write(writes, &[]);
    }
    let by_id = |held: &Held, id| held.row(SERVICE_HASHES + id).map(|row| row.service);
    assert_eq!([vip(80), host].map(|key| held.find(&key)), [Some(of(1)), Some(of(2))]);
    assert_eq!(by_id(&held, 3), Some(of(3)));
    assert_eq!(held.row(hash::vip(&range)).map(|row| row.vip), Some(vip(80)));
    assert!(held.stale().is_empty());
    let writes = held.delete(&range);
    held.write(writes, &[(vip(80), Some(of(1))), (host, Some(of(2)))]);
    assert_eq!(by_id(&held, 3), None);
}
