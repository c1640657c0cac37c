//! One slot of a ring: who owns its flows, and who owned the older ones.
//!
//! A slot is one 64-bit word, so that it is read and replaced atomically:
//!
//! | bits  | meaning |
//! |-------|---------|
//! | 0-23  | id of the owner, 0 for none |
//! | 24-47 | id of the previous owner, 0 for none |
//! | 48-62 | epoch: how often the slot has begun to move |
//! | 63    | the slot is moving: flows older than the change belong to the previous owner |

/// A slot word.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Slot(u64);

const ID_BITS: u32 = 24;
const ID_MASK: u64 = (1 << ID_BITS) - 1;
const EPOCH_SHIFT: u32 = 2 * ID_BITS;
const EPOCH_MASK: u64 = (1 << 15) - 1;
const MOVING: u64 = 1 << 63;

const _: () = assert!(crate::limits::MAX_BACKENDS as u64 <= ID_MASK + 1);

impl Slot {
    /// A slot whose every flow belongs to one owner.
    pub const fn settled(owner: u32, epoch: u16) -> Self {
        Self(owner as u64 & ID_MASK | (epoch as u64 & EPOCH_MASK) << EPOCH_SHIFT)
    }

    /// A slot whose flows older than the change belong to a previous owner.
    pub const fn moving(owner: u32, previous: u32, epoch: u16) -> Self {
        let settled = Self::settled(owner, epoch).0;
        Self(settled | (previous as u64 & ID_MASK) << ID_BITS | MOVING)
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
    pub const fn previous(self) -> u32 {
        (self.0 >> ID_BITS & ID_MASK) as u32
    }

    /// How often the slot has begun to move, modulo 2^15.
    pub const fn epoch(self) -> u16 {
        (self.0 >> EPOCH_SHIFT & EPOCH_MASK) as u16
    }

    /// Whether flows older than a change still belong to the previous owner.
    pub const fn is_moving(self) -> bool {
        self.0 & MOVING != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn the_encoding_is_pinned() {
        assert_eq!(Slot::settled(5, 3).word(), 0x0003_0000_0000_0005);
        assert_eq!(Slot::moving(0x0001_0002, 0x0003_0004, 0x7fff).word(), 0xffff_0300_0401_0002);
    }

    #[test]
    fn every_part_survives_the_encoding() {
        let slot = Slot::from_word(Slot::moving(0xff_ffff, 0x12_3456, 0x7abc).word());
        assert_eq!(
            (slot.owner(), slot.previous(), slot.epoch(), slot.is_moving()),
            (0xff_ffff, 0x12_3456, 0x7abc, true)
        );
        assert!(!Slot::settled(1, 1).is_moving());
    }
}
