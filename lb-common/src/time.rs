//! Time as the tables keep it: ticks of 2^30 ns, about 1.07 s, of the kernel's monotonic clock.
//!
//! A shift replaces the division, and 16 bits of ticks span 19.5 hours, in which every idle or
//! drain timeout fits. A stamp that is older than that looks younger than it is: what it guards is
//! then kept for longer than needed, never for shorter.
#![expect(clippy::cast_possible_truncation, reason = "ticks are cut to the bits that are wanted")]

use core::time::Duration;

const TICK_SHIFT: u32 = 30;

/// Longest timeout: below half of the span of 16 bits of ticks, so that what is due can be told from
/// what was.
pub const MAX_TIMEOUT: Duration = Duration::from_hours(8);

/// A flow of which only the opening packet was seen is over after so many ticks.
pub const OPENING_TICKS: u32 = 30;

/// A flow that one end has closed is over after so many ticks without a packet: twice the time that
/// Linux keeps a closed connection in TIME-WAIT.
pub const CLOSING_TICKS: u32 = 112;

/// The tick that a time of the monotonic clock, in nanoseconds, falls into.
#[inline(always)]
pub const fn tick(nanoseconds: u64) -> u32 {
    (nanoseconds >> TICK_SHIFT) as u32
}

/// The part of a tick that slots and backends keep.
#[inline(always)]
pub const fn stamp(tick: u32) -> u16 {
    tick as u16
}

/// Ticks since a stamp, which was made in this tick or before.
#[inline(always)]
pub const fn since(stamp: u16, tick: u32) -> u16 {
    (tick as u16).wrapping_sub(stamp)
}

/// Ticks that last at least as long as a timeout, and one more for the one that has begun already.
pub const fn ticks(timeout: Duration) -> u16 {
    let ticks = (timeout.as_nanos() >> TICK_SHIFT) + 2;
    if ticks > u16::MAX as u128 { u16::MAX } else { ticks as u16 }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{MAX_TIMEOUT, since, stamp, tick, ticks};

    #[test]
    fn a_timeout_is_never_over_too_early() {
        for timeout in [0, 1, 999, 1_073, 1_074, 30_000, 900_000].map(Duration::from_millis) {
            for start in [0, 1, 1_073_741_823, 1_073_741_824, 77_777_777_777] {
                let end = start + u64::try_from(timeout.as_nanos()).expect("a few minutes");
                let age = since(stamp(tick(start)), tick(end));
                assert!(age < ticks(timeout), "{timeout:?} from {start}");
            }
        }
    }

    #[test]
    fn the_longest_timeout_fits_with_room_for_a_late_sweep() {
        assert!(ticks(MAX_TIMEOUT) < u16::MAX / 2 - 5_000);
    }

    #[test]
    fn stamps_survive_the_turn_of_their_16_bits() {
        assert_eq!(since(stamp(0x1_ffff), 0x2_0002), 3);
    }
}
