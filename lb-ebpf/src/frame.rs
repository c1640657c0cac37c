//! Packet memory: all unsafe access to it is in this file.

use core::ptr;

use aya_ebpf::{
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail},
    programs::XdpContext,
};
use lb_common::wire::{Frame, MAX_OFFSET, Word};

/// The frame that an XDP context describes.
///
/// `FIXED` promises that all offsets are constants. Then one comparison with the end of the frame does
/// for all words before it, and the compiler may know that. With other offsets, the verifier would not
/// see why.
pub(crate) struct XdpFrame<'a, const FIXED: bool = false> {
    ctx: &'a XdpContext,
    start: usize,
    end: usize,
    ingress: u32,
}

impl<'a, const FIXED: bool> XdpFrame<'a, FIXED> {
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
        self.look_again();
        Some(())
    }

    #[inline(always)]
    fn look_again(&mut self) {
        (self.start, self.end) = (self.ctx.data(), self.ctx.data_end());
    }

    /// Where a word stands, if the frame reaches that far. The comparison with the constant comes
    /// first: it is what lets the verifier follow an offset that it does not know exactly.
    #[inline(always)]
    fn at<T: Word>(&self, offset: usize) -> Option<*mut T> {
        if offset > MAX_OFFSET {
            return None;
        }
        let (at, end) = if FIXED {
            // SAFETY: no packet lies within so few bytes of the end of all addresses.
            unsafe {
                let end = self.start.unchecked_add(offset + size_of::<T>());
                (self.start.unchecked_add(offset), end)
            }
        } else {
            (self.start + offset, self.start + offset + size_of::<T>())
        };
        (end <= self.end).then_some(at as *mut T)
    }
}

impl<const FIXED: bool> Frame for XdpFrame<'_, FIXED> {
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

    #[inline(always)]
    fn shrink_tail(&mut self, bytes: usize) -> Option<()> {
        let by = -i32::try_from(bytes).ok()?;
        // SAFETY: the context is the program's own.
        if unsafe { bpf_xdp_adjust_tail(self.ctx.ctx, by) } != 0 {
            return None;
        }
        self.look_again();
        Some(())
    }
}
