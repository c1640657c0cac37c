//! Shares, asserted over many turns and draws.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{Field, PARTS, Ring, Turns, eased, hash_of_bytes, least, random, two_choices};

#[derive(Clone, Debug)]
struct Backends(Vec<(u32, u32, bool)>);

impl Backends {
    fn of(weights: &[u32]) -> Self {
        Self(weights.iter().map(|weight| (*weight, 0, true)).collect())
    }
}

impl Field for Backends {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn usable(&self, nth: usize) -> bool {
        self.0[nth].2
    }

    fn weight(&self, nth: usize) -> u32 {
        self.0[nth].0 * PARTS
    }

    fn load(&self, nth: usize) -> u32 {
        self.0[nth].1
    }
}

fn counts(times: usize, mut pick: impl FnMut() -> Option<usize>) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        *counts.entry(pick().unwrap()).or_default() += 1;
    }
    counts
}

fn drawing(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    move |below| random.u64(0..below)
}

/// Chi-square of counts against weights; `99.9 %` of honest draws of up to 4 degrees of freedom are below 18.5.
fn chi_square(counts: &BTreeMap<usize, usize>, weights: &[u32]) -> f64 {
    let total: usize = counts.values().sum();
    let whole: u32 = weights.iter().sum();
    let float = |number: usize| f64::from(u32::try_from(number).unwrap());
    let term = |(nth, weight): (usize, &u32)| {
        let expected = float(total) * f64::from(*weight) / f64::from(whole);
        let seen = float(counts.get(&nth).copied().unwrap_or_default());
        (seen - expected).powi(2) / expected
    };
    weights.iter().enumerate().map(term).sum()
}

#[test]
fn round_robin_spreads_the_turns_of_the_heavy() {
    let mut turns = Turns::default();
    let field = Backends::of(&[5, 1, 1]);
    let order: Vec<_> = (0..7).map(|_| turns.next(&field).unwrap()).collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn turns_go_on_when_backends_come_and_go() {
    let mut turns = Turns::default();
    turns.next(&Backends::of(&[1, 1])).unwrap();
    // The second is due, wherever it stands then.
    let mut moved = turns.moved([None, Some(1), Some(0)].into_iter());
    assert_eq!(moved.next(&Backends::of(&[1, 1, 1])), Some(1));
}

#[test]
fn draws_follow_the_weights() {
    let weights = [1, 2, 3, 4];
    let mut draw = drawing(7);
    let seen = counts(20_000, || random(&Backends::of(&weights), &mut draw));
    assert!(chi_square(&seen, &weights) < 18.5, "{seen:?}");
}

#[test]
fn least_requests_levels_the_load_by_weight() {
    let mut field = Backends::of(&[1, 2, 1]);
    for start in 0..400 {
        let nth = least(&field, start).unwrap();
        field.0[nth].1 += 1;
    }
    let loads: Vec<_> = field.0.iter().map(|it| it.1).collect();
    assert_eq!(loads, [100, 200, 100]);
}

#[test]
fn two_choices_avoid_the_loaded() {
    let mut field = Backends::of(&[1, 1, 1, 1]);
    field.0[2].1 = 1000;
    let mut draw = drawing(3);
    let seen = counts(10_000, || two_choices(&field, &mut draw));
    assert_eq!(seen.get(&2), None, "{seen:?}");
    field.0[2].1 = 0;
    let seen = counts(20_000, || two_choices(&field, &mut draw));
    assert!(chi_square(&seen, &[1, 1, 1, 1]) < 18.5, "{seen:?}");
}

#[test]
fn a_ring_shares_by_weight_and_moves_little() {
    let address = |nth: usize| format!("192.0.2.{}:80", nth + 1).parse().unwrap();
    let ring = |count: usize| Ring::new(1, (0..count).map(|nth| (nth, address(nth), 1)));
    let field = Backends::of(&[1; 10]);
    let (ten, nine) = (ring(10), ring(9));
    let owner =
        |ring: &Ring, key: usize| ring.owner(hash_of_bytes(5, &key.to_be_bytes()), &field).unwrap();
    let mut key = 0;
    let seen = counts(20_000, || {
        key += 1;
        Some(owner(&ten, key))
    });
    assert!(seen.values().all(|count| (1700..2300).contains(count)), "{seen:?}");
    let stayed = (0..20_000).filter(|key| owner(&ten, *key) != 9);
    let moved = stayed.filter(|key| owner(&ten, *key) != owner(&nine, *key)).count();
    assert!(moved < 1000, "{moved} of those whose backend stayed have moved");
}

#[test]
fn a_share_grows_from_a_tenth() {
    let of = |seconds| eased(10, Duration::from_secs(100), Duration::from_secs(seconds));
    assert_eq!([of(0), of(5), of(50), of(100), of(1000)], [1024, 1024, 5120, 10240, 10240]);
    assert_eq!(eased(3, Duration::ZERO, Duration::ZERO), 3 * PARTS);
}

fn field() -> impl Strategy<Value = Backends> {
    prop::collection::vec((1..=1000_u32, 0..50_u32, any::<bool>()), 1..12).prop_map(Backends)
}

proptest! {
    /// Whatever the way, only usable backends are picked, and one is if there is one.
    #[test]
    fn only_the_usable_are_picked(field in field(), seed: u64, hash: u32) {
        let some = field.0.iter().any(|it| it.2);
        let address = |nth: usize| format!("192.0.2.{}:80", nth + 1).parse().unwrap();
        let ring = Ring::new(seed, field.0.iter().enumerate().map(|(nth, it)| (nth, address(nth), it.0)));
        let mut draw = drawing(seed);
        let picks = [
            Turns::default().next(&field),
            least(&field, usize::try_from(hash).unwrap()),
            random(&field, &mut draw),
            two_choices(&field, &mut draw),
            ring.owner(hash, &field),
        ];
        for pick in picks {
            prop_assert_eq!(pick.is_some(), some);
            prop_assert!(pick.is_none_or(|nth| field.usable(nth)));
        }
    }

    /// Over as many turns as the weights add up to, everybody has its weight of them.
    #[test]
    fn round_robin_is_exact(weights in prop::collection::vec(1..20_u32, 1..6)) {
        let (mut turns, field) = (Turns::default(), Backends::of(&weights));
        let total = usize::try_from(weights.iter().sum::<u32>()).unwrap();
        let seen = counts(total, || turns.next(&field));
        for (nth, weight) in weights.iter().enumerate() {
            prop_assert_eq!(seen.get(&nth).copied().unwrap_or_default(), usize::try_from(*weight).unwrap());
        }
    }
}
