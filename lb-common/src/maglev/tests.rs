//! The ring: pinned by golden vectors (computed by an independent implementation, in Python, from
//! the description in the module), and its promises as properties.
#![expect(clippy::cast_precision_loss, reason = "all numbers here are far below 2^52")]

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    vec,
    vec::Vec,
};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use super::{Walker, fill, ring_slots};
use crate::{
    host::endpoint,
    limits::{MAX_RING, MIN_RING, SLOTS_PER_BACKEND},
};

const SEED: u64 = 0x0123_4567_89ab_cdef;

/// A backend by its id, address and weight.
type Backend = (u32, SocketAddr, u32);

fn ring(seed: u64, backends: &[Backend], slots: usize) -> Vec<u32> {
    let mut walkers: Vec<_> = backends
        .iter()
        .map(|&(id, address, weight)| {
            let at = endpoint(address, 0);
            Walker::new(seed, id, &at.addr_be, at.port_be, weight)
        })
        .collect();
    let mut ring = vec![u32::MAX; slots];
    fill(&mut walkers, &mut ring);
    ring
}

/// Slots by owner.
fn shares(ring: &[u32]) -> HashMap<u32, u32> {
    let mut shares = HashMap::new();
    for owner in ring {
        *shares.entry(*owner).or_default() += 1;
    }
    shares
}

/// Backends with distinct addresses and ids, of weights drawn from a range.
fn backends(
    count: impl Into<prop::collection::SizeRange>,
    weight: std::ops::RangeInclusive<u32>,
) -> impl Strategy<Value = Vec<Backend>> {
    prop::collection::hash_map(any::<(IpAddr, u16)>(), weight, count).prop_map(|found| {
        let numbered = (1..).zip(found);
        numbered.map(|(id, (address, weight))| (id, address.into(), weight)).collect()
    })
}

fn backend(id: u32, address: &str, weight: u32) -> Backend {
    (id, address.parse().expect("an address and a port"), weight)
}

#[test]
fn a_small_ring_is_pinned() {
    let equal = [
        backend(1, "172.17.0.4:1001", 1),
        backend(2, "172.17.0.5:1002", 1),
        backend(3, "172.17.0.6:1003", 1),
        backend(4, "172.17.0.7:1004", 1),
    ];
    assert_eq!(
        ring(SEED, &equal, 32),
        [
            3, 4, 1, 1, 1, 4, 1, 2, 3, 3, 2, 1, 3, 2, 3, 3, 1, 3, 1, 4, 2, 4, 1, 4, 4, 4, 4, 2, 3,
            2, 2, 2
        ]
    );
    let weighted = [
        backend(1, "[2001:db8:20::11]:80", 1),
        backend(2, "[2001:db8:20::12]:80", 2),
        backend(3, "[2001:db8:20::13]:80", 5),
    ];
    assert_eq!(
        ring(SEED, &weighted, 32),
        [
            3, 2, 3, 2, 3, 3, 3, 3, 3, 3, 3, 3, 1, 2, 2, 1, 2, 3, 3, 3, 2, 2, 3, 3, 3, 2, 1, 3, 3,
            3, 3, 1
        ]
    );
}

#[test]
fn without_backends_no_slot_is_owned() {
    assert_eq!(ring(SEED, &[], 16), [0; 16]);
    let drained = [backend(1, "192.0.2.1:80", 0), backend(2, "192.0.2.2:80", 0)];
    assert_eq!(ring(SEED, &drained, 16), [0; 16]);
}

#[test]
fn the_number_of_slots_is_bounded() {
    assert_eq!([0, 1, 40, 41].map(ring_slots), [MIN_RING, MIN_RING, MIN_RING, 2 * MIN_RING]);
    assert_eq!([10_485, 10_486, 1 << 16, usize::MAX].map(ring_slots), [MAX_RING; 4]);
    for backends in (0..12_000).step_by(7) {
        let slots = ring_slots(backends);
        assert!(slots.is_power_of_two() && (MIN_RING..=MAX_RING).contains(&slots));
        let enough = slots as usize >= backends * SLOTS_PER_BACKEND as usize;
        assert!(enough || slots == MAX_RING, "{slots} slots for {backends} backends");
    }
}

proptest! {
    #![proptest_config(Config::with_cases(64))]

    #[test]
    fn every_slot_is_owned_and_weight_0_gets_none(
        seed: u64,
        backends in backends(1..40, 0..=3),
        bits in 0_u32..12,
    ) {
        let ring = ring(seed, &backends, 1 << bits);
        let owners: HashSet<_> =
            backends.iter().filter(|backend| backend.2 > 0).map(|backend| backend.0).collect();
        let owned = ring.iter().all(|owner| owners.contains(owner));
        prop_assert!(owned || owners.is_empty() && ring.iter().all(|owner| *owner == 0));
    }

    #[test]
    fn the_order_of_backends_does_not_matter(
        seed: u64,
        (backends, shuffled) in backends(1..30, 0..=1000)
            .prop_flat_map(|backends| (Just(backends.clone()), Just(backends).prop_shuffle())),
    ) {
        prop_assert_eq!(ring(seed, &backends, 4096), ring(seed, &shuffled, 4096));
    }

    /// Only the ratio of the weights counts.
    #[test]
    fn weights_can_be_scaled(seed: u64, backends in backends(1..30, 0..=100), by in 1_u32..=10) {
        let scaled: Vec<_> = backends.iter().map(|&(id, at, weight)| (id, at, weight * by)).collect();
        prop_assert_eq!(ring(seed, &backends, 4096), ring(seed, &scaled, 4096));
    }

    /// The ring has 100 slots a backend on average, and so has the backend itself.
    #[test]
    fn shares_follow_the_weights_within_2_percent(
        seed: u64,
        backends in backends(1..160, 0..=1000),
        more in 0_u32..2,
    ) {
        let slots = (backends.len() * 100).next_power_of_two().max(1024) << more;
        let shares = shares(&ring(seed, &backends, slots));
        let total: u64 = backends.iter().map(|backend| u64::from(backend.2)).sum();
        for (id, _, weight) in backends.into_iter().filter(|_| total > 0) {
            let fair = slots as f64 * f64::from(weight) / total as f64;
            let share = f64::from(shares.get(&id).copied().unwrap_or(0));
            let within = (share - fair).abs() <= fair * 0.02;
            prop_assert!(within || fair < 100.0, "{share} slots of {fair:.1}, weight {weight}");
        }
    }

    #[test]
    fn equal_backends_differ_by_one_slot(seed: u64, backends in backends(1..=40, 7..=7)) {
        let ring = ring(seed, &backends, 4096);
        let fair = 4096 / u32::try_from(backends.len())?;
        for (owner, share) in shares(&ring) {
            prop_assert!((fair..=fair + 1).contains(&share), "{owner} owns {share}, not {fair}");
        }
    }
}

/// How many slots change their owner when one of n equal backends leaves, in units of 1/n of the
/// ring: one entry for each draw of backends and seed. The draws are the same in every run.
fn disruption(n: usize, slots: usize, draws: usize) -> Vec<f64> {
    let mut runner = TestRunner::deterministic();
    let strategy = (any::<u64>(), backends(n, 1..=1));
    let draw = |_| {
        let tree = strategy.new_tree(&mut runner).expect("nothing is filtered");
        let (seed, all) = tree.current();
        let before = ring(seed, &all, slots);
        let after = ring(seed, all.get(1..).unwrap_or_default(), slots);
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new).count();
        moved as f64 * n as f64 / slots as f64
    };
    (0..draws).map(draw).collect()
}

fn mean(draws: &[f64]) -> f64 {
    draws.iter().sum::<f64>() / draws.len() as f64
}

fn worst(draws: &[f64]) -> f64 {
    draws.iter().copied().fold(0.0, f64::max)
}

/// Measured over 20,000 draws: mean 1.250, 16 draws above 1.4 (two backends whose walks happen to be
/// alike), the worst 1.83. So the bound of 1.4 is asserted of the mean and of 99 draws in 100, and a
/// looser one of each.
#[test]
fn the_leave_of_one_of_10_backends_moves_few_slots() {
    let draws = disruption(10, 1024, 500);
    let above = draws.iter().filter(|moved| **moved > 1.4).count();
    assert!(mean(&draws) <= 1.3, "mean {:.3}/n", mean(&draws));
    assert!(above * 100 <= draws.len(), "{above} draws above 1.4/n");
    assert!(worst(&draws) <= 2.0, "worst {:.3}/n", worst(&draws));
}

/// The smallest ring that the daemon makes. Measured over 5,000 draws: mean 1.120, worst 1.211.
#[test]
fn the_smallest_ring_moves_fewer() {
    let draws = disruption(10, MIN_RING as usize, 100);
    assert!(worst(&draws) <= 1.4, "worst {:.3}/n", worst(&draws));
    assert!(mean(&draws) <= 1.2, "mean {:.3}/n", mean(&draws));
}

/// Measured over 1,000 draws: mean 1.573, worst 1.646; so the bound is asserted of each.
#[test]
fn the_leave_of_one_of_100_backends_moves_few_slots() {
    let draws = disruption(100, 65_536, 12);
    assert!(worst(&draws) <= 1.7, "worst {:.3}/n", worst(&draws));
}
