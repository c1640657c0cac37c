//! Tests of turns.

use std::collections::BTreeMap;

use lb_common::limits::MAX_SERVICE_TURNS;

use super::of;

/// How many turns each backend has, by its id.
fn shares(turns: &[u32]) -> BTreeMap<u32, usize> {
    turns.iter().fold(BTreeMap::new(), |mut shares, id| {
        *shares.entry(*id).or_default() += 1;
        shares
    })
}

#[test]
fn the_sequence_of_nginx() {
    // The example of its change log: a, b and c of weights 5, 1 and 1.
    assert_eq!(of([(1, 5), (2, 1), (3, 1)].into_iter()), [1, 1, 2, 1, 3, 1, 1]);
    assert_eq!(of([(7, 3), (8, 3), (9, 3)].into_iter()), [7, 8, 9]);
    assert_eq!(of([(7, 4), (8, 2)].into_iter()), [7, 8, 7]);
    assert_eq!(of([(9, 1000)].into_iter()), [9]);
    assert!(of(std::iter::empty()).is_empty());
}

#[test]
fn what_is_too_long_is_rounded() {
    let turns = of((1..=100).map(|id| (id, 900 + id)));
    assert!(turns.len() <= MAX_SERVICE_TURNS as usize, "{}", turns.len());
    let shares = shares(&turns);
    assert_eq!(shares.len(), 100);
    assert!(shares.values().all(|share| (38..=43).contains(share)), "{shares:?}");

    // Hardly any share is above one turn.
    let many = MAX_SERVICE_TURNS;
    let turns = of((1..=many).map(|id| (id, if id == 1 { 1000 } else { 1 })));
    assert_eq!(turns.len(), many as usize);
}
