//! Packet memory: all unsafe access to it is in this file.

use core::ptr;

use aya_ebpf::{helpers::bpf_xdp_adjust_head, programs::XdpContext};

/// The first bytes of a frame, as many as were checked for once.
pub(crate) struct Head {
    start: usize,
    length: usize,
}

impl Head {
    /// The first `length` bytes, if there are as many. With a constant, every access to them is
    /// proven by this one comparison.
    #[inline(always)]
    pub(crate) fn of(ctx: &XdpContext, length: usize) -> Option<Self> {
        let start = ctx.data();
        (start + length <= ctx.data_end()).then_some(Self { start, length })
    }

    /// Writes a word that lies within these bytes.
    #[inline(always)]
    pub(crate) fn write<T: Copy>(&self, offset: usize, word: T) {
        if offset + size_of::<T>() <= self.length {
            // SAFETY: the word lies within the bytes that were checked for.
            unsafe { ptr::write_unaligned((self.start + offset) as *mut T, word) };
        }
    }

    /// Writes words one behind the other.
    #[inline(always)]
    pub(crate) fn write_all(&self, offset: usize, words: &[u32]) {
        for (index, word) in words.iter().enumerate() {
            self.write(offset + index * 4, *word);
        }
    }
}

/// Moves the start of the frame: forwards, or backwards if negative.
#[inline(always)]
pub(crate) fn move_start(ctx: &XdpContext, by: i32) -> Option<()> {
    // SAFETY: the context is the program's own.
    (unsafe { bpf_xdp_adjust_head(ctx.ctx, by) } == 0).then_some(())
}
