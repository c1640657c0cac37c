//! Whatever happens to the services, every one is found.

use std::collections::BTreeMap;

use lb_common::{
    abi::{Endpoint, Service, ServiceRow},
    hash,
    limits::MAX_SERVICES,
};
use proptest::prelude::*;

use super::{Change, change};

fn vip(number: u16) -> Endpoint {
    Endpoint { port_be: number.to_be(), protocol: 6, ..Endpoint::default() }
}

/// The arrays, and look-ups as the program makes them.
#[derive(Default)]
struct Arrays {
    words: BTreeMap<u32, u32>,
    rows: BTreeMap<u32, ServiceRow>,
}

impl Arrays {
    fn mend(&mut self, services: &BTreeMap<Endpoint, Service>, at: u32) {
        let word = self.words.get(&at).copied().unwrap_or(0);
        let row = (word != 0).then(|| self.rows.get(&word).copied().unwrap_or_default());
        let Some(Change { word: new, row }) = change(services, at, word, row) else { return };
        if let Some(row) = row {
            assert_ne!(new, word, "a row in use is written");
            self.rows.insert(new, row);
        }
        self.words.insert(at, new);
    }

    fn find(&self, services: &BTreeMap<Endpoint, Service>, vip: &Endpoint) -> Option<Service> {
        let row = match self.words.get(&hash::vip(vip)) {
            None | Some(0) => return None,
            Some(word) => self.rows[word],
        };
        if row.vip == *vip { Some(row.service) } else { services.get(vip).copied() }
    }
}

#[test]
fn neighbouring_ports_and_addresses_have_words_of_their_own() {
    let words: std::collections::BTreeSet<u32> =
        (1..=256).map(|port| hash::vip(&vip(port))).collect();
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
        let (mut services, mut arrays) = (BTreeMap::new(), Arrays::default());
        for (which, change) in changes {
            let vip = vips[which];
            match change {
                Some(seed) => {
                    let old: Option<&Service> = services.get(&vip);
                    let id = old.map(|old| old.id).or_else(|| ids.pop()).unwrap_or(1);
                    services.insert(vip, Service { id, seed, ..Service::default() });
                }
                None => _ = services.remove(&vip),
            }
            arrays.mend(&services, hash::vip(&vip));
            for vip in &vips {
                prop_assert_eq!(arrays.find(&services, vip), services.get(vip).copied());
            }
        }
    }

    /// As after a daemon that died between two steps.
    #[test]
    fn whatever_was_there_is_mended(
        words in prop::collection::btree_map(0u32..8, 0u32..40, 0..8),
        count in 0u32..12,
    ) {
        let near = |port: &u16| hash::vip(&vip(*port)) < 8;
        let vips: Vec<Endpoint> = (0..u16::MAX).filter(near).take(12).map(vip).collect();
        let all = vips.iter().zip(1..=count);
        let services: BTreeMap<_, _> =
            all.map(|(vip, id)| (*vip, Service { id, ..Service::default() })).collect();
        let mut arrays = Arrays { words, rows: BTreeMap::new() };
        for at in 0..8 {
            arrays.mend(&services, at);
        }
        for vip in &vips {
            prop_assert_eq!(arrays.find(&services, vip), services.get(vip).copied());
        }
    }
}
