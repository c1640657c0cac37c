//! Packet memory: all unsafe access to it is in this file.

use core::ptr;

use aya_ebpf::{helpers::bpf_xdp_adjust_head, programs::XdpContext};
use lb_common::wire::{Frame, MAX_OFFSET, Word};

/// The frame that an XDP context describes.
pub(crate) struct XdpFrame<'a> {
    ctx: &'a XdpContext,
    start: usize,
    end: usize,
    ingress: u32,
}

impl<'a> XdpFrame<'a> {
    #[inline(always)]
    pub(crate) fn new(ctx: &'a XdpContext) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the context holds 32 bits")]
        let ingress = ctx.ingress_ifindex() as u32;
        Self { ctx, start: ctx.data(), end: ctx.data_end(), ingress }
    }

    /// Moves the start of the frame. All that the verifier knew of the packet is void afterwards.
    #[inline(always)]
    fn move_head(&mut self, by: i32) -> Option<()> {
        // SAFETY: the context is the program's own.
        if unsafe { bpf_xdp_adjust_head(self.ctx.ctx, by) } != 0 {
            return None;
        }
        (self.start, self.end) = (self.ctx.data(), self.ctx.data_end());
        Some(())
    }

    /// Where a word stands, if the frame reaches that far. The comparison with the constant comes
    /// first: it is what lets the verifier follow an offset that it does not know exactly.
    #[inline(always)]
    fn at<T: Word>(&self, offset: usize) -> Option<*mut T> {
        if offset > MAX_OFFSET || self.start + offset + size_of::<T>() > self.end {
            return None;
        }
        Some((self.start + offset) as *mut T)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        self.ingress
    }

    #[inline(always)]
    fn read<T: Word>(&self, offset: usize) -> Option<T> {
        let at = self.at::<T>(offset)?;
        // SAFETY: `at` checked that the word lies within the frame, and every bit pattern is a
        // value of a `Word`.
        Some(unsafe { ptr::read_unaligned(at) })
    }

    #[inline(always)]
    fn write<T: Word>(&mut self, offset: usize, word: T) -> Option<()> {
        let at = self.at::<T>(offset)?;
        // SAFETY: `at` checked that the word lies within the frame, which XDP lets us write.
        unsafe { ptr::write_unaligned(at, word) };
        Some(())
    }

    #[inline(always)]
    fn grow_head(&mut self, bytes: usize) -> Option<()> {
        self.move_head(-i32::try_from(bytes).ok()?)
    }

    #[inline(always)]
    fn shrink_head(&mut self, bytes: usize) -> Option<()> {
        self.move_head(i32::try_from(bytes).ok()?)
    }
}
