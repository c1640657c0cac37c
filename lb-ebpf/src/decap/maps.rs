//! Every map of the decapsulator, with one purpose each, and the lists over them. They are found by
//! the names in `lb_common::limits::decap`, which are the names here.

use aya_ebpf::{
    btf_maps::{Array, HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    macros::btf_map,
};
use lb_common::{
    abi::{AddrBe, Counter},
    decap::{Meta, Reason, SOURCE_BITS, SourceKey, Tables},
    limits::decap::{MAX_ADDRESSES, MAX_REASONS, MAX_SOURCES},
};

/// Whose maps these are; only the command reads and writes it.
#[btf_map]
pub(crate) static META: Array<Meta, 1> = Array::new();

/// Addresses that tunnels end at; the value is unused.
#[btf_map]
pub(crate) static ADDRESSES: HashMap<AddrBe, u32, { MAX_ADDRESSES as usize }> = HashMap::new();

/// Prefixes that tunnelled packets may come from; the value is unused.
#[btf_map]
pub(crate) static SOURCES: LpmTrie<SourceKey, u32, { MAX_SOURCES as usize }> = LpmTrie::new();

/// Packets by reason.
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counter, { MAX_REASONS as usize }> = PerCpuArray::new();

/// The lists as a packet sees them.
pub(crate) struct MapTables;

impl Tables for MapTables {
    #[inline(always)]
    fn is_local(&self, addr: &AddrBe) -> bool {
        ADDRESSES.get_ptr(addr).is_some()
    }

    #[inline(always)]
    fn is_allowed(&self, source: &SourceKey) -> bool {
        SOURCES.get(&Key::new(SOURCE_BITS, *source)).is_some()
    }

    #[inline(always)]
    fn count(&self, reason: Reason, bytes: u64) {
        if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
            // SAFETY: the pointer is to this CPU's own copy of the entry, and the program is not
            // preempted by itself on one CPU.
            unsafe {
                (*counter).packets += 1;
                (*counter).bytes += bytes;
            }
        }
    }
}
