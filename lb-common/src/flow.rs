//! How long a remembered flow lasts.

use crate::{
    abi::FlowState,
    time::{CLOSING_TICKS, OPENING_TICKS},
};

/// The state of a flow after a packet of it that does not open it.
#[inline(always)]
pub const fn next_state(state: u8, closes: bool) -> u8 {
    if closes || state == FlowState::Closing as u8 {
        FlowState::Closing as u8
    } else {
        FlowState::Open as u8
    }
}

/// Whether a flow whose last packet came in a tick is over.
#[inline(always)]
pub const fn is_over(state: u8, seen: u32, now: u32, idle_ticks: u16) -> bool {
    let idle_ticks = idle_ticks as u32;
    let limit = if state == FlowState::Opening as u8 && OPENING_TICKS < idle_ticks {
        OPENING_TICKS
    } else if state == FlowState::Closing as u8 && CLOSING_TICKS < idle_ticks {
        CLOSING_TICKS
    } else {
        idle_ticks
    };
    let age = now.wrapping_sub(seen);
    // Another CPU may have seen a packet in the tick that has just begun.
    age >= limit && age <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::{is_over, next_state};
    use crate::{
        abi::FlowState::{Closing, Open, Opening},
        time::{CLOSING_TICKS, OPENING_TICKS},
    };

    #[test]
    fn a_flow_opens_closes_and_stays_closed() {
        for (state, closes, next) in [
            (Opening, false, Open),
            (Opening, true, Closing),
            (Open, false, Open),
            (Open, true, Closing),
            (Closing, false, Closing),
            (Closing, true, Closing),
        ] {
            assert_eq!(next_state(state as u8, closes), next as u8, "{state:?} {closes}");
        }
    }

    #[test]
    fn each_state_has_its_own_limit_but_none_beyond_the_idle_time() {
        for (state, idle, limit) in [
            (Opening, 900, OPENING_TICKS),
            (Open, 900, 900),
            (Closing, 900, CLOSING_TICKS),
            (Opening, 10, 10),
            (Open, 10, 10),
            (Closing, 10, 10),
        ] {
            assert!(!is_over(state as u8, 5, 5 + limit - 1, idle), "{state:?} {idle}");
            assert!(is_over(state as u8, 5, 5 + limit, idle), "{state:?} {idle}");
        }
    }

    #[test]
    fn a_packet_of_the_next_tick_is_not_an_old_one() {
        assert!(!is_over(Open as u8, 6, 5, 900));
        assert!(!is_over(Open as u8, u32::MAX, 3, 900));
        assert!(is_over(Open as u8, u32::MAX, 899, 900));
    }
}
