//! What can happen, one after the other.

use proptest::prelude::*;

use super::scene::{Change, KINDS};

/// One thing that happens. Seeds say which packets are sent, so that a sequence replays exactly.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Changes that are made in one plan, with packets between its operations. The daemon may die
    /// before one of them, and another takes up what it finds.
    Change { changes: Vec<Change>, crash: Option<u16>, seed: u64 },
    /// Packets of flows that are opened, go on and end.
    Packets { number: u16, seed: u64 },
    /// Opening packets of nobody's flows.
    Flood { kind: usize, number: u16, seed: u64 },
    /// Time goes by.
    Ticks(u16),
    /// So many steps of a sweep: six are a whole one.
    Sweep(u8),
    /// The daemon dies, and another one starts.
    Restart,
    /// The balancer dies, and another one with empty tables takes over its packets.
    TakeOver,
}

impl Event {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let changes = prop::collection::vec(Change::any(), 1..3);
        let crash = prop::option::weighted(0.15, any::<u16>());
        prop_oneof![
            8 => (changes, crash, any::<u64>())
                .prop_map(|(changes, crash, seed)| Self::Change { changes, crash, seed }),
            8 => (10..80_u16, any::<u64>())
                .prop_map(|(number, seed)| Self::Packets { number, seed }),
            1 => (0..KINDS.len(), 10..60_u16, any::<u64>())
                .prop_map(|(kind, number, seed)| Self::Flood { kind, number, seed }),
            6 => prop_oneof![8 => 1..30_u16, 2 => 30..200_u16, 1 => Just(60_000)].prop_map(Self::Ticks),
            6 => (1..8_u8).prop_map(Self::Sweep),
            1 => Just(Self::Restart),
            1 => Just(Self::TakeOver),
        ]
    }
}

/// Numbers that a seed determines (`SplitMix64`).
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below another.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
    /// A place in a list.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// A number below another.
    pub(super) fn small(&mut self, bound: u16) -> u16 {
        u16::try_from(self.below(bound.into())).unwrap()
    }
}
