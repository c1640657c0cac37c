//! Tests of durations.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use proptest::prelude::*;

use super::{duration, duration_within, text};

#[test]
fn units() {
    let cases = [("0s", 0), ("1ms", 1), ("500ms", 500), ("30s", 30_000), ("5m", 300_000)];
    for (given, milliseconds) in cases {
        assert_eq!(duration(given), Ok(Duration::from_millis(milliseconds)), "{given}");
        assert_eq!(text(Duration::from_millis(milliseconds)), given);
    }
    assert_eq!(duration("1h").unwrap(), Duration::from_hours(1));
    assert_eq!(duration("007s").unwrap(), Duration::from_secs(7));
}

#[test]
fn the_largest_unit_that_is_whole() {
    let cases = [(1_000, "1s"), (1_500, "1500ms"), (90_000, "90s"), (900_000, "15m")];
    for (milliseconds, expected) in cases {
        assert_eq!(text(Duration::from_millis(milliseconds)), expected);
    }
    assert_eq!(text(Duration::from_micros(1_999)), "1ms");
}

#[test]
fn what_is_no_duration() {
    let bad = [
        "",
        "5",
        "s",
        "5 s",
        " 5s",
        "5s ",
        "-5s",
        "+5s",
        "1.5s",
        "5S",
        "5sec",
        "5us",
        "1h30m",
        "5d",
        "ms",
        "\u{664}s",
        "18446744073709551616ms",
        "18446744073709551615h",
    ];
    for given in bad {
        let message = duration(given).unwrap_err().to_string();
        assert!(message.starts_with(&format!("`{given}` is not a duration: write")), "{message}");
    }
}

#[test]
fn bounds_are_allowed_themselves() {
    let (least, most) = (Duration::from_millis(100), Duration::from_hours(1));
    for good in ["100ms", "1s", "60m", "1h"] {
        duration_within(good, least, most).unwrap();
    }
    for bad in ["0s", "99ms", "61m", "3601s", "2h"] {
        let message = duration_within(bad, least, most).unwrap_err().to_string();
        assert_eq!(message, format!("{bad} is out of range; use 100ms to 1h"));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(milliseconds in any::<u64>()) {
        let written = Duration::from_millis(milliseconds);
        prop_assert_eq!(duration(&text(written)), Ok(written));
    }
}
