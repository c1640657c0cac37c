//! Many prefixes, asked about one address: for every connection or request, so it must be cheap.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::Prefix;

/// Bits of the prefix that IPv4 addresses are mapped into (RFC 4291 section 2.5.5.2).
const MAPPED: u8 = 96;

/// The addresses of some prefixes, as ranges that neither meet nor touch: whether an address is among them is one
/// binary search, however many there are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PrefixSet {
    v4: Vec<Range>,
    v6: Vec<Range>,
}

/// The first and the last address.
type Range = (u128, u128);

impl PrefixSet {
    /// Whether no address is in it.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether an address is in it. IPv4 addresses in IPv6 clothes count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ranges, address) = match address.to_canonical() {
            IpAddr::V4(v4) => (&self.v4, v4.to_bits().into()),
            IpAddr::V6(v6) => (&self.v6, v6.to_bits()),
        };
        let begun = ranges.partition_point(|(first, _)| *first <= address);
        let last = begun.checked_sub(1).and_then(|nth| ranges.get(nth));
        last.is_some_and(|(_, last)| *last >= address)
    }
}

impl<'a> FromIterator<&'a Prefix> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = &'a Prefix>>(prefixes: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix.address().to_canonical() {
                // As an address is, so is a prefix of mapped ones.
                IpAddr::V4(first) => {
                    let mapped = if prefix.address().is_ipv6() { MAPPED } else { 0 };
                    let host_bits = 32_u8.saturating_sub(prefix.length().saturating_sub(mapped));
                    v4.push(range(first.to_bits().into(), host_bits));
                }
                IpAddr::V6(first) => v6.push(range(first.to_bits(), 128 - prefix.length())),
            }
        }
        Self { v4: joined(v4), v6: joined(v6) }
    }
}

fn range(first: u128, host_bits: u8) -> Range {
    let rest = 1_u128.checked_shl(host_bits.into()).map_or(u128::MAX, |size| size - 1);
    (first, first | rest)
}

/// The same addresses in as few ranges as possible, in order.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let meets = next.0 <= kept.1.saturating_add(1);
        if meets {
            kept.1 = kept.1.max(next.1);
        }
        meets
    });
    ranges
}
