//! One slot of a ring: who owns its flows, and who owned the older ones.
//!
//! A slot is one 64-bit word, so that it is read and replaced atomically:
//!
//! | bits  | meaning |
//! |-------|---------|
//! | 0-15  | id of the owner, 0 for none |
//! | 16-31 | id of the previous owner, 0 for none |
//! | 32-46 | epoch: how often the slot has begun to move |
//! | 47    | the slot is moving: flows older than the change belong to the previous owner |
//! | 48-63 | stamp: when it last was changed, or a packet last went to another than its owner |
//!
//! The stamp is the only part that the program writes, as a word of its own; the daemon replaces
//! the whole slot.

use crate::time;

/// A slot word.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Slot(u64);

const ID_BITS: u32 = 16;
const ID_MASK: u64 = (1 << ID_BITS) - 1;
const EPOCH_SHIFT: u32 = 2 * ID_BITS;
const EPOCH_MASK: u64 = (1 << 15) - 1;
const MOVING: u64 = 1 << 47;
const STAMP_SHIFT: u32 = 48;

/// Where the stamp stands among the four 16-bit words of a slot in memory.
pub const STAMP_WORD: usize = if cfg!(target_endian = "little") { 3 } else { 0 };

const _: () = assert!(crate::limits::MAX_BACKENDS as u64 <= ID_MASK + 1);

/// Whether flows can still belong to the owners that a slot names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alive {
    /// To its owner.
    pub owner: bool,
    /// To its previous owner.
    pub previous: bool,
}

impl Slot {
    /// A slot whose every flow belongs to one owner.
    pub const fn settled(owner: u32, epoch: u16) -> Self {
        Self(owner as u64 & ID_MASK | (epoch as u64 & EPOCH_MASK) << EPOCH_SHIFT)
    }

    /// A slot whose flows older than the change belong to a previous owner.
    pub const fn moving(owner: u32, previous: u32, epoch: u16, stamp: u16) -> Self {
        let previous = (previous as u64 & ID_MASK) << ID_BITS;
        Self(Self::settled(owner, epoch).0 | previous | MOVING | (stamp as u64) << STAMP_SHIFT)
    }

    /// The slot in a word of the ring table.
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word for the ring table.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Backend id of the owner; 0 for none.
    #[inline(always)]
    pub const fn owner(self) -> u32 {
        (self.0 & ID_MASK) as u32
    }

    /// Backend id of the previous owner; 0 for none.
    #[inline(always)]
    pub const fn previous(self) -> u32 {
        (self.0 >> ID_BITS & ID_MASK) as u32
    }

    /// How often the slot has begun to move, modulo 2^15.
    #[inline(always)]
    pub const fn epoch(self) -> u16 {
        (self.0 >> EPOCH_SHIFT & EPOCH_MASK) as u16
    }

    /// Whether flows older than a change still belong to the previous owner.
    #[inline(always)]
    pub const fn is_moving(self) -> bool {
        self.0 & MOVING != 0
    }

    /// When it was changed, or a packet went to another than its owner.
    pub const fn stamp(self) -> u16 {
        (self.0 >> STAMP_SHIFT) as u16
    }

    /// The slot with another stamp.
    #[must_use]
    pub const fn stamped(self, stamp: u16) -> Self {
        Self(self.0 & ((1 << STAMP_SHIFT) - 1) | (stamp as u64) << STAMP_SHIFT)
    }

    /// The slot after another backend, or the same, has become its owner.
    ///
    /// A settled slot begins to move, with a new epoch, if its old owner still has flows. A moving
    /// one keeps its previous owner, for all younger flows are in the flow table. Whoever is dead is
    /// nobody's previous owner.
    #[must_use]
    pub const fn handed_to(self, owner: u32, alive: Alive, tick: u32) -> Self {
        let changed = owner != self.owner();
        if self.is_moving() {
            let previous = if alive.previous { self.previous() } else { 0 };
            let changed = changed || previous != self.previous();
            let stamp = if changed { time::stamp(tick) } else { self.stamp() };
            return Self::moving(owner, previous, self.epoch(), stamp);
        }
        if !changed {
            return self;
        }
        if self.owner() == 0 || !alive.owner {
            return Self::settled(owner, self.epoch());
        }
        Self::moving(owner, self.owner(), self.epoch() + 1, time::stamp(tick))
    }

    /// The slot once all its flows are its owner's, or remembered ones that have ended: when no
    /// packet went to anybody else for so many ticks.
    #[must_use]
    pub const fn swept(self, idle_ticks: u16, tick: u32) -> Self {
        let age = time::since(self.stamp(), tick);
        // A stamp may be of a tick that has begun since this one was read.
        if self.is_moving() && age >= idle_ticks && age <= u16::MAX / 2 {
            return Self::settled(self.owner(), self.epoch());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Alive, STAMP_WORD, Slot};

    const BOTH: Alive = Alive { owner: true, previous: true };

    #[test]
    fn the_encoding_is_pinned() {
        assert_eq!(Slot::settled(5, 3).word(), 0x0000_0003_0000_0005);
        assert_eq!(Slot::moving(0x0102, 0x0304, 0x7fff, 0xabcd).word(), 0xabcd_ffff_0304_0102);
    }

    #[test]
    fn every_part_survives_the_encoding() {
        let slot = Slot::from_word(Slot::moving(0xffff, 0x1234, 0x7abc, 0x4321).word());
        assert_eq!(
            (slot.owner(), slot.previous(), slot.epoch(), slot.is_moving(), slot.stamp()),
            (0xffff, 0x1234, 0x7abc, true, 0x4321)
        );
        assert!(!Slot::settled(1, 1).is_moving());
    }

    #[test]
    fn the_stamp_is_a_word_of_its_own_in_memory() {
        let bytes = Slot::moving(1, 2, 3, 0xabcd).word().to_ne_bytes();
        let at = STAMP_WORD * 2;
        assert_eq!(u16::from_ne_bytes([bytes[at], bytes[at + 1]]), 0xabcd);
    }

    #[test]
    fn a_settled_slot_begins_to_move_with_a_new_epoch() {
        let slot = Slot::settled(1, 7).handed_to(2, BOTH, 100);
        assert_eq!(slot, Slot::moving(2, 1, 8, 100));
        assert_eq!(Slot::settled(1, 0x7fff).handed_to(2, BOTH, 0).epoch(), 0);
    }

    #[test]
    fn a_moving_slot_keeps_its_previous_owner_and_epoch() {
        let slot = Slot::moving(2, 1, 8, 100).handed_to(3, BOTH, 200);
        assert_eq!(slot, Slot::moving(3, 1, 8, 200));
        let back = slot.handed_to(1, BOTH, 300);
        assert_eq!(back, Slot::moving(1, 1, 8, 300));
    }

    #[test]
    fn nothing_changes_where_the_owner_stays() {
        for slot in [Slot::settled(2, 8), Slot::moving(2, 1, 8, 100)] {
            assert_eq!(slot.handed_to(2, BOTH, 200), slot);
        }
    }

    #[test]
    fn the_dead_are_nobodys_previous_owners() {
        let owner_dead = Alive { owner: false, previous: true };
        assert_eq!(Slot::settled(1, 7).handed_to(2, owner_dead, 9), Slot::settled(2, 7));
        assert_eq!(Slot::moving(2, 1, 8, 5).handed_to(3, owner_dead, 9), Slot::moving(3, 1, 8, 9));
        let previous_dead = Alive { owner: true, previous: false };
        assert_eq!(
            Slot::moving(2, 1, 8, 5).handed_to(2, previous_dead, 9),
            Slot::moving(2, 0, 8, 9)
        );
    }

    #[test]
    fn a_first_owner_has_nobody_before_it() {
        assert_eq!(Slot::default().handed_to(4, BOTH, 9), Slot::settled(4, 0));
    }

    #[test]
    fn a_slot_settles_after_the_idle_time_and_not_before() {
        let slot = Slot::moving(2, 1, 8, 0xfff0);
        assert_eq!(slot.swept(20, 0x1_0003), slot);
        assert_eq!(slot.swept(20, 0x1_0004), Slot::settled(2, 8));
        assert_eq!(Slot::settled(2, 8).swept(0, 5), Slot::settled(2, 8));
    }

    #[test]
    fn a_stamp_of_the_next_tick_is_not_an_old_one() {
        let slot = Slot::moving(2, 1, 8, 101);
        assert_eq!(slot.swept(20, 100), slot);
        assert_eq!(Slot::moving(2, 1, 8, 0).swept(20, 0x1_ffff), Slot::moving(2, 1, 8, 0));
    }
}
