//! Incremental update of Internet checksums.
//!
//! RFC 1624 equation 3: `HC' = ~(~HC + ~m + m')` in one's complement arithmetic. The sum does not
//! depend on byte order as long as all words are read in the same one (RFC 1071 section 2 B), so
//! words are taken as they stand in the packet. Sums are kept in 64 bits and folded once; neither a
//! word nor a checksum is ever added more than a few dozen times, so they cannot overflow.

use crate::abi::AddrBe;

/// The sum of all changes to the words under a checksum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delta(u64);

impl Delta {
    /// No change.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(0)
    }

    /// One 16-bit word replaced by another.
    #[inline(always)]
    #[must_use]
    pub const fn word16(self, old: u16, new: u16) -> Self {
        Self(self.0 + !old as u64 + new as u64)
    }

    /// One 32-bit word replaced by another. It counts as two 16-bit words: folding adds the halves.
    #[inline(always)]
    #[must_use]
    pub const fn word32(self, old: u32, new: u32) -> Self {
        Self(self.0 + !old as u64 + new as u64)
    }

    /// The time to live, or another first byte of a word, counted down. It must be positive: then
    /// the difference is the same for every value.
    #[inline(always)]
    #[must_use]
    pub const fn counted_down(self) -> Self {
        Self(self.0 + (u16::MAX - u16::from_ne_bytes([1, 0])) as u64)
    }

    /// A 32-bit word where there was none.
    #[inline(always)]
    #[must_use]
    pub const fn added(self, new: u32) -> Self {
        Self(self.0 + new as u64)
    }

    /// The checksum of all that was added and nothing else.
    #[inline(always)]
    pub const fn checksum(self) -> u16 {
        self.apply(u16::MAX)
    }

    /// One address replaced by another.
    #[inline(always)]
    #[must_use]
    pub const fn addr(self, old: &AddrBe, new: &AddrBe) -> Self {
        self.word32(old[0], new[0])
            .word32(old[1], new[1])
            .word32(old[2], new[2])
            .word32(old[3], new[3])
    }

    /// The checksum after the changes.
    #[inline(always)]
    pub const fn apply(self, checksum: u16) -> u16 {
        // Halves added to each other by turning the sum: the carry of the upper half is what is
        // left, already added. Half the instructions of folding with masks.
        let sum = self.0 + !checksum as u64;
        let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
        !((sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16)
    }

    /// Whether all that was added, a checksum among it, is what the checksum says: then it sums up to
    /// nothing, of which there are two representations before the last carry is folded in.
    #[inline(always)]
    pub const fn is_right(self) -> bool {
        let sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        sum == 0xffff || sum == 0x1_fffe
    }

    /// The UDP checksum after the changes (RFC 768): 0 means that there is none and stays; a
    /// computed 0 is sent as its other representation.
    #[inline(always)]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        if checksum == 0 {
            return 0;
        }
        match self.apply(checksum) {
            0 => 0xffff,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Delta;

    /// RFC 1071 over all words, written without regard to the code above.
    fn full(words: &[u16]) -> u16 {
        let mut sum: u32 = 0;
        for word in words {
            sum += u32::from(*word);
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
        !(u16::try_from(sum).expect("kept below 2^16"))
    }

    #[test]
    fn the_example_of_rfc_1624_comes_out_right() {
        // Section 4: HC = 0xDD2F, m = 0x5555, m' = 0x3285 gives 0x0000, where RFC 1141 gave 0xFFFF.
        assert_eq!(Delta::new().word16(0x5555, 0x3285).apply(0xdd2f), 0x0000);
    }

    #[test]
    fn a_udp_checksum_of_zero_stays_and_none_is_computed() {
        assert_eq!(Delta::new().word16(1, 2).apply_udp(0), 0);
        assert_eq!(Delta::new().word16(0x5555, 0x3285).apply_udp(0xdd2f), 0xffff);
    }

    proptest! {
        #[test]
        fn an_update_equals_a_new_computation(
            mut words in prop::collection::vec(1u16.., 4..30),
            at in 0usize..2,
            new in any::<u32>(),
        ) {
            let before = full(&words);
            let old = [words[at], words[at + 1]];
            let [high, low] = [(new >> 16) as u16, (new & 0xffff) as u16];
            (words[at], words[at + 1]) = (high, low);
            let whole = Delta::new().word32(u32::from(old[0]) << 16 | u32::from(old[1]), new);
            let halves = Delta::new().word16(old[0], words[at]).word16(old[1], words[at + 1]);
            let sum = |checksum: u16| {
                words.iter().fold(Delta::new().added(checksum.into()), |sum, word| {
                    sum.added(u32::from(*word) << 16)
                })
            };
            prop_assert!(sum(full(&words)).is_right());
            prop_assert!(!sum(full(&words) ^ 0x0100).is_right());
            prop_assert_eq!(whole.apply(before), full(&words));
            prop_assert_eq!(halves.apply(before), full(&words));
        }
    }
}
