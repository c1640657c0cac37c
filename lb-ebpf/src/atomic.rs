//! Atomic steps on words that all CPUs share. The compiler knows none for this target, although the
//! instructions are there (`BPF_ATOMIC`, since Linux 5.12): so they are written out.

/// Replaces a word if it still is what it was; says what it was found to be.
///
/// # Safety
///
/// The pointer is to a word of a map, aligned to its size.
#[inline(always)]
pub(crate) unsafe fn compare_exchange(word: *mut u64, before: u64, after: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let found;
        // SAFETY: the caller's promise; nothing but the word is written.
        unsafe {
            core::arch::asm!(
                "r0 = cmpxchg_64({word} + 0, r0, {after})",
                word = in(reg) word,
                after = in(reg) after,
                inlateout("r0") before => found,
            );
        }
        found
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        // SAFETY: the caller's promise.
        let word = unsafe { core::sync::atomic::AtomicU64::from_ptr(word) };
        let order = core::sync::atomic::Ordering::Relaxed;
        match word.compare_exchange(before, after, order, order) {
            Ok(found) | Err(found) => found,
        }
    }
}

/// Adds to a word; says what it was.
///
/// # Safety
///
/// As for [`compare_exchange`].
#[inline(always)]
pub(crate) unsafe fn fetch_add(word: *mut u64, by: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let found;
        // SAFETY: the caller's promise; nothing but the word is written.
        unsafe {
            core::arch::asm!(
                "{by} = atomic_fetch_add((u64 *)({word} + 0), {by})",
                word = in(reg) word,
                by = inlateout(reg) by => found,
            );
        }
        found
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        // SAFETY: the caller's promise.
        let word = unsafe { core::sync::atomic::AtomicU64::from_ptr(word) };
        word.fetch_add(by, core::sync::atomic::Ordering::Relaxed)
    }
}
