//! What only new flows ask for: leave, a turn, the load of backends. All CPUs share it, so every change is
//! one atomic step.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers};
use lb_common::{
    abi::{Service, SourceBucket},
    limit::Rate,
};

use crate::{atomic, maps};

/// How often a bucket is tried while other CPUs take of it, too. Who fails as often is one of so many that
/// it may well be one too many.
const ATTEMPTS: usize = 4;

#[inline(always)]
pub(crate) fn take_of_source(source: &SourceBucket, rate: Rate) -> bool {
    if let Some(word) = maps::SOURCE_BUCKETS.get_ptr_mut(source) {
        return take(word, rate);
    }
    let Some(word) = rate.take(0, now()) else { return false };
    // Another CPU may have been faster, with another flow of the same source; and a table that has no
    // room, although it makes room for new entries by itself, is no reason to refuse anybody.
    _ = maps::SOURCE_BUCKETS.insert(source, word, u64::from(BPF_NOEXIST));
    true
}

#[inline(always)]
pub(crate) fn take_of_service(service: u32, rate: Rate) -> bool {
    match maps::SERVICE_BUCKETS.get_ptr_mut(service) {
        Some(word) => take(word, rate),
        None => false,
    }
}

#[inline(always)]
fn take(word: *mut u64, rate: Rate) -> bool {
    for _ in 0..ATTEMPTS {
        // SAFETY: the pointer is into a map.
        let before = unsafe { word.read_volatile() };
        let Some(after) = rate.take(before, now()) else { return false };
        // SAFETY: as above; values of maps are aligned to eight bytes.
        if unsafe { atomic::compare_exchange(word, before, after) } == before {
            return true;
        }
    }
    false
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { helpers::bpf_ktime_get_ns() }
}

#[inline(always)]
pub(crate) fn turn(service: &Service) -> u32 {
    let Some(taken) = maps::TURNS_TAKEN.get_ptr_mut(service.id) else { return 0 };
    // SAFETY: the pointer is into a map, whose values are aligned to eight bytes.
    whose(service, unsafe { atomic::fetch_add(taken, 1) })
}

#[inline(always)]
pub(crate) fn next_turn(service: &Service) -> u32 {
    match maps::TURNS_TAKEN.get(service.id) {
        Some(taken) => whose(service, *taken),
        None => 0,
    }
}

#[inline(always)]
fn whose(service: &Service, taken: u64) -> u32 {
    if service.turns == 0 {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below the number of turns")]
    let turn = service.first_turn.wrapping_add((taken % u64::from(service.turns)) as u32);
    maps::TURNS.get(turn).copied().unwrap_or_default()
}

/// Both parts change at their own times: their sum may be below zero for a moment.
#[inline(always)]
pub(crate) fn flows(backend: u32) -> u64 {
    let opened = maps::FLOWS_OPENED.get(backend).copied().unwrap_or_default();
    let counted = maps::FLOWS_COUNTED.get(backend).copied().unwrap_or_default();
    let flows = opened.wrapping_add(counted);
    if flows < 0 { 0 } else { flows.cast_unsigned() }
}

#[inline(always)]
pub(crate) fn add_flows(backend: u32, by: i64) {
    if let Some(opened) = maps::FLOWS_OPENED.get_ptr_mut(backend) {
        // SAFETY: as above.
        unsafe { atomic::fetch_add(opened.cast(), by.cast_unsigned()) };
    }
}
