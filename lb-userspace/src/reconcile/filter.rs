//! The filter in front of the lists of sources: one bit says of a source that no list has anything of
//! it, so that nearly no packet asks for more.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, sync::Arc};

use lb_common::{
    abi::{SERVICE_LIST_V4, SERVICE_LIST_V6},
    hash::source_bit,
    limits::{SHORTEST_FILTERED_V4, SHORTEST_FILTERED_V6, SOURCE_FILTER_WORDS},
};

use super::compile::address_be;
use crate::model::{Prefix, access::Rules};

/// Hosts of an IPv4 /24, and the bits of an IPv6 address behind its /40.
const V4_UNIT: u8 = 24;
const V6_UNIT: u8 = 40;

/// The most IPv6 /40s of a list that are marked. A list with more is always asked: its bits would say yes
/// to everything.
const MOST_V6: u64 = 1 << 22;

/// The words of the filter. All are zero if there are none.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// The filter of some lists.
    pub fn of(lists: &BTreeMap<u32, Arc<Rules>>) -> Self {
        let mut filter = Self::default();
        for (list, rules) in lists {
            let flags = flags(rules);
            let asked = |ipv4| flags & if ipv4 { SERVICE_LIST_V4 } else { SERVICE_LIST_V6 } != 0;
            for prefix in rules.keys().filter(|prefix| !asked(prefix.address().is_ipv4())) {
                filter.mark(*list, *prefix);
            }
        }
        filter
    }

    /// Says that a list has something of a prefix.
    fn mark(&mut self, list: u32, prefix: Prefix) {
        let bit = |address: IpAddr| source_bit(list, &address_be((address, 0).into()).0);
        match prefix.address() {
            IpAddr::V4(v4) => {
                let first = v4.to_bits() >> (32 - V4_UNIT);
                let units = 1_u32 << V4_UNIT.saturating_sub(prefix.length());
                // 64 of them in a row are one word, in some order.
                let (step, bits) = if units < u64::BITS { (1, 1) } else { (u64::BITS, u64::MAX) };
                for unit in (first..first + units).step_by(step as usize) {
                    let bit = bit(IpAddr::V4((unit << (32 - V4_UNIT)).into()));
                    let bits = if step == 1 { bits << (bit % u64::BITS) } else { bits };
                    self.set(bit / u64::BITS, bits);
                }
            }
            IpAddr::V6(v6) => {
                let first = v6.to_bits() >> (128 - V6_UNIT);
                let units = 1_u128 << V6_UNIT.saturating_sub(prefix.length());
                for unit in first..first + units {
                    let bit = bit(IpAddr::V6((unit << (128 - V6_UNIT)).into()));
                    self.set(bit / u64::BITS, 1 << (bit % u64::BITS));
                }
            }
        }
    }

    fn set(&mut self, word: u32, bits: u64) {
        self.put(word, self.word(word) | bits);
    }

    /// Writes a word.
    pub fn put(&mut self, word: u32, bits: u64) {
        if self.words.is_empty() {
            if bits == 0 {
                return;
            }
            self.words.resize(SOURCE_FILTER_WORDS as usize, 0);
        }
        if let Some(found) = self.words.get_mut(word as usize) {
            *found = bits;
        }
    }

    /// A word.
    pub fn word(&self, word: u32) -> u64 {
        self.words.get(word as usize).copied().unwrap_or_default()
    }

    /// The words that differ from those of another one, with both values.
    pub fn differences(&self, other: &Self) -> Vec<(u32, u64, u64)> {
        if self.words == other.words {
            return Vec::new();
        }
        let words = (0..SOURCE_FILTER_WORDS).map(|at| (at, self.word(at), other.word(at)));
        words.filter(|(_, here, there)| here != there).collect()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.differences(other).is_empty()
    }
}

impl Eq for Filter {}

/// The shortest prefix that the filter knows.
const fn shortest(ipv4: bool) -> u8 {
    if ipv4 { SHORTEST_FILTERED_V4 } else { SHORTEST_FILTERED_V6 }
}

/// Whether a list must be asked about every source of a family, whatever the filter says.
fn flags(rules: &Rules) -> u16 {
    let (mut flags, mut units) = (0, 0_u64);
    for prefix in rules.keys() {
        let ipv4 = prefix.address().is_ipv4();
        let short = prefix.length() < shortest(ipv4);
        if short {
            flags |= if ipv4 { SERVICE_LIST_V4 } else { SERVICE_LIST_V6 };
        } else if !ipv4 {
            units += 1 << V6_UNIT.saturating_sub(prefix.length());
        }
    }
    if units > MOST_V6 { flags | SERVICE_LIST_V6 } else { flags }
}

/// What was made last: lists rarely change, and are long.
#[derive(Clone, Debug, Default)]
pub struct Filters(RefCell<Made>);

#[derive(Clone, Debug, Default)]
struct Made {
    lists: BTreeMap<u32, Arc<Rules>>,
    filter: Arc<Filter>,
    flags: BTreeMap<u32, u16>,
}

impl Filters {
    /// The filter of some lists, and the flags of services that have them.
    pub fn of(&self, lists: &BTreeMap<u32, Arc<Rules>>) -> (Arc<Filter>, BTreeMap<u32, u16>) {
        let mut made = self.0.borrow_mut();
        if made.lists != *lists {
            *made = Made {
                lists: lists.clone(),
                filter: Arc::new(Filter::of(lists)),
                flags: lists.iter().map(|(list, rules)| (*list, flags(rules))).collect(),
            };
        }
        (Arc::clone(&made.filter), made.flags.clone())
    }
}

#[cfg(test)]
mod tests;
