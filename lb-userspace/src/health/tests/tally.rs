//! Rise and fall.

use proptest::{collection::vec, prelude::*};

use super::super::tally::{State, Tally};
use crate::model::health::Runs;

fn runs(number: u8) -> Runs {
    i64::from(number).try_into().unwrap()
}

/// The states after each of the results, `+` for a success and `-` for a failure, as initials.
fn states(begin: Tally, rise: u8, fall: u8, results: &str) -> String {
    let mut tally = begin;
    let after = results.chars().map(|result| {
        tally.record(result == '+', runs(rise), runs(fall));
        match tally.state() {
            State::Unchecked => '?',
            State::Up => 'u',
            State::Down => 'd',
        }
    });
    after.collect()
}

#[test]
fn only_results_in_a_row_count() {
    let cases = [
        // rise, fall, results, states
        (2, 3, "+++", "uuu"),
        (2, 3, "---", "??d"),
        (2, 3, "--+---", "??uuud"),
        (2, 3, "+--+--+---", "uuuuuuuuud"),
        (2, 3, "---+-++", "??ddddu"),
        (2, 3, "---++---", "??dduuud"),
        (1, 1, "-+-+", "dudu"),
        (1, 2, "-+-+--", "?uuuud"),
        (3, 1, "-++-+++", "ddddddu"),
    ];
    for (rise, fall, results, expected) in cases {
        assert_eq!(states(Tally::default(), rise, fall, results), expected, "{results}");
    }
}

#[test]
fn what_was_down_before_has_to_rise() {
    assert_eq!(states(Tally::down(), 2, 3, "+-++"), "dddu");
    assert_eq!(states(Tally::down(), 1, 3, "+"), "u");
}

#[test]
fn counting_begins_anew_with_other_settings() {
    let mut tally = Tally::default();
    tally.record(false, runs(2), runs(3));
    tally.record(false, runs(2), runs(3));
    tally.restart();
    tally.record(false, runs(2), runs(2));
    assert_eq!(tally.state(), State::Unchecked);
    tally.record(false, runs(2), runs(2));
    assert_eq!(tally.state(), State::Down);
}

proptest! {
    /// Said in another way: the state is that of the last run which was long enough.
    #[test]
    fn the_last_long_run_decides(
        results in vec(any::<bool>(), 0..60),
        rise in 1_u8..6,
        fall in 1_u8..6,
    ) {
        let mut tally = Tally::default();
        for (n, passed) in results.iter().enumerate() {
            tally.record(*passed, runs(rise), runs(fall));
            let mut down = false;
            for end in 0..=n {
                let ended = |passed: bool, length: u8| {
                    let length = usize::from(length);
                    end + 1 >= length && results[end + 1 - length..=end].iter().all(|r| *r == passed)
                };
                // A run against the state changes it; one of the other kind does nothing.
                if down && ended(true, rise) || !down && ended(false, fall) {
                    down = !down;
                }
            }
            let seen = results[..=n].contains(&true);
            let expected = match (down, seen || down) {
                (true, _) => State::Down,
                (false, true) => State::Up,
                (false, false) => State::Unchecked,
            };
            prop_assert_eq!(tally.state(), expected);
        }
    }
}
