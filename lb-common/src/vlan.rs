//! VLAN tags (IEEE 802.1Q): off before a packet is looked at, on before it leaves.
//!
//! So everything else finds the IP header behind 14 bytes, and a packet may come in by one VLAN and
//! leave by another.

use crate::wire::{Frame, eth, read_link, write_link};

/// Tags that are taken off a frame at most: those of a customer in those of a provider.
const MOST: usize = 2;

/// The tags of a frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tags {
    count: usize,
    /// Type and tag, as they stand in the frame, the outermost first.
    words: [u32; MOST],
}

impl Tags {
    /// Tags that no frame has.
    #[cfg(any(feature = "std", test))]
    pub(crate) const WRONG: Self = Self { count: 0xee, words: [0xeeee_eeee; MOST] };

    /// The tags of a next hop, by its word in the tables: the low half is the innermost tag in host
    /// order, the high half the one around it, and 0 is none.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a half of the word is meant")]
    pub const fn of_word(word: u32) -> Self {
        let (inner, outer) = (word as u16, (word >> 16) as u16);
        let inner = tag(eth::VLAN_BE, inner);
        if outer != 0 {
            return Self { count: 2, words: [tag(eth::PROVIDER_VLAN_BE, outer), inner] };
        }
        Self { count: if word == 0 { 0 } else { 1 }, words: [inner, 0] }
    }
}

#[inline(always)]
const fn tag(kind_be: u16, tag: u16) -> u32 {
    let ([a, b], [c, d]) = (kind_be.to_ne_bytes(), tag.to_be_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

/// Takes up to two tags off. `None`, and nothing changed, if the frame ends within them.
#[inline(always)]
pub fn take_off<F: Frame>(frame: &mut F) -> Option<Tags> {
    let mut tags = Tags::default();
    if is_tag(frame.read(eth::TYPE)?) {
        tags.words[0] = frame.read(eth::TYPE)?;
        tags.count = 1;
        if is_tag(frame.read(eth::TYPE + eth::TAG_LEN)?) {
            tags.words[1] = frame.read(eth::TYPE + eth::TAG_LEN)?;
            tags.count = 2;
        }
    }
    let link = read_link(frame)?;
    match tags.count {
        0 => return Some(tags),
        1 => frame.shrink_head(eth::TAG_LEN)?,
        _ => frame.shrink_head(2 * eth::TAG_LEN)?,
    }
    write_link(frame, &link)?;
    Some(tags)
}

/// Puts tags on. `None`, and nothing changed, if there is no room in front of the frame.
#[inline(always)]
pub fn put_on<F: Frame>(frame: &mut F, tags: &Tags) -> Option<()> {
    let link = read_link(frame)?;
    match tags.count {
        0 => return Some(()),
        1 => frame.grow_head(eth::TAG_LEN)?,
        _ => frame.grow_head(2 * eth::TAG_LEN)?,
    }
    write_link(frame, &link)?;
    frame.write(eth::TYPE, tags.words[0])?;
    if tags.count > 1 {
        frame.write(eth::TYPE + eth::TAG_LEN, tags.words[1])?;
    }
    Some(())
}

#[inline(always)]
const fn is_tag(kind_be: u16) -> bool {
    kind_be == eth::VLAN_BE || kind_be == eth::PROVIDER_VLAN_BE
}

#[cfg(test)]
mod tests;
