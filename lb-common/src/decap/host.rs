//! Lists in ordinary memory: what the tests run the decisions on.

use std::{cell::RefCell, collections::BTreeMap, vec::Vec};

use super::{Reason, SourceKey, Tables};
use crate::abi::{AddrBe, Counter};

/// Lists of the ends of tunnels, and counters.
#[derive(Debug, Default)]
pub struct HostTables {
    /// Addresses that tunnels end at.
    pub addresses: Vec<AddrBe>,
    /// Sources that tunnelled packets may come from: keys, and how many of their bits count.
    pub sources: Vec<(SourceKey, u32)>,
    /// Packets by reason.
    pub counters: RefCell<BTreeMap<Reason, Counter>>,
}

impl Tables for HostTables {
    fn is_local(&self, addr: &AddrBe) -> bool {
        self.addresses.contains(addr)
    }

    fn is_allowed(&self, source: &SourceKey) -> bool {
        self.sources.iter().any(|(prefix, bits)| same_bits(prefix, source, *bits))
    }

    fn count(&self, reason: Reason, bytes: u64) {
        *self.counters.borrow_mut().entry(reason).or_default() += Counter { packets: 1, bytes };
    }
}

/// Whether two keys agree in their first bits.
fn same_bits(one: &SourceKey, other: &SourceKey, bits: u32) -> bool {
    (0_u32..).zip(one.iter().zip(other)).all(|(word, (one, other))| {
        let bits = bits.saturating_sub(word * 32).min(32);
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        (u32::from_be(*one) ^ u32::from_be(*other)) & mask == 0
    })
}
