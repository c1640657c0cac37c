//! The maps of the decapsulator: which addresses tunnels end at, where they may come from, and the
//! counters.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, lpm_trie::Key};
use lb_common::{
    abi::{AddrBe, Counter},
    decap::{
        Meta, Reason, SOURCE_BITS_BEFORE_V4, SOURCE_BITS_BEFORE_V6, SourceKey, VERSION, source_key,
    },
    limits::decap as names,
    parse::Family,
};

use super::DecapError;
use crate::{
    dataplane::{DataplaneError, tables::failed},
    model::Prefix,
};

/// Packets by reason; reasons never met are left out.
pub type Packets = BTreeMap<Reason, Counter>;

/// The ends of tunnels.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lists {
    /// Addresses that tunnels end at.
    pub addresses: BTreeSet<IpAddr>,
    /// Where tunnelled packets may come from; anywhere if empty.
    pub from: BTreeSet<Prefix>,
}

impl Lists {
    /// Whether they fit.
    pub(super) fn check(&self) -> Result<(), DecapError> {
        let fits = |what, given: usize, most: u32| {
            let fits = u32::try_from(given).is_ok_and(|given| given <= most);
            if fits { Ok(()) } else { Err(DecapError::TooMany { what, given, most }) }
        };
        // While they change, old and new entries stand side by side.
        fits("addresses", self.addresses.len(), names::MAX_ADDRESSES / 2)?;
        fits("source prefixes", self.from.len(), names::MAX_SOURCES / 2)
    }

    /// Entries of the source list.
    fn sources(&self) -> BTreeSet<Source> {
        if self.from.is_empty() {
            // The prefix of no bits: everybody.
            return BTreeSet::from([(0, SourceKey::default())]);
        }
        self.from.iter().map(|prefix| source(*prefix)).collect()
    }
}

/// An entry of the source list: bits that count, and the key.
type Source = (u32, SourceKey);

/// Typed handles of the maps.
pub(super) struct Maps {
    meta: Array<MapData, Meta>,
    addresses: HashMap<MapData, AddrBe, u32>,
    sources: LpmTrie<MapData, SourceKey, u32>,
    counters: PerCpuArray<MapData, Counter>,
}

impl Maps {
    /// Of the pins in a directory.
    pub(super) fn open(directory: &Path) -> Result<Self, DecapError> {
        Ok(Self {
            meta: open(directory, names::META)?,
            addresses: open(directory, names::ADDRESSES)?,
            sources: open(directory, names::SOURCES)?,
            counters: open(directory, names::COUNTERS)?,
        })
    }

    /// Marks the maps as this version's, and as those of an interface in a network namespace.
    pub(super) fn write_meta(&mut self, netns: u64) -> Result<(), DecapError> {
        let meta = Meta { version: VERSION, _pad: 0, netns };
        Ok(self.meta.set(0, meta, 0).map_err(failed(names::META))?)
    }

    pub(super) fn set(&mut self, lists: &Lists) -> Result<(), DecapError> {
        let (old, new) = (self.addresses()?, lists.addresses.iter().map(words).collect());
        let (old_sources, new_sources) = (self.sources()?, lists.sources());
        let key = |(bits, key): &Source| Key::new(*bits, *key);
        for address in BTreeSet::difference(&new, &old) {
            self.addresses.insert(address, 1, 0).map_err(failed(names::ADDRESSES))?;
        }
        for source in new_sources.difference(&old_sources) {
            self.sources.insert(&key(source), 1, 0).map_err(failed(names::SOURCES))?;
        }
        for address in old.difference(&new) {
            self.addresses.remove(address).map_err(failed(names::ADDRESSES))?;
        }
        for source in old_sources.difference(&new_sources) {
            self.sources.remove(&key(source)).map_err(failed(names::SOURCES))?;
        }
        Ok(())
    }

    /// What [`set`](Self::set) wrote, in this life or an earlier one.
    pub(super) fn lists(&self) -> Result<Lists, DecapError> {
        let addresses = self.addresses()?.iter().map(address).collect();
        let sources = self.sources()?;
        let from = sources.iter().filter(|(bits, _)| *bits > 0).filter_map(prefix).collect();
        Ok(Lists { addresses, from })
    }

    /// Counters, summed over all CPUs.
    pub(super) fn packets(&self) -> Result<Packets, DecapError> {
        let mut packets = Packets::new();
        for reason in Reason::ALL {
            let per_cpu =
                self.counters.get(&(*reason as u32), 0).map_err(failed(names::COUNTERS))?;
            let mut sum = Counter::default();
            per_cpu.iter().for_each(|counter| sum += *counter);
            if sum.packets > 0 {
                packets.insert(*reason, sum);
            }
        }
        Ok(packets)
    }

    fn addresses(&self) -> Result<BTreeSet<AddrBe>, DecapError> {
        let found: Result<_, _> = self.addresses.keys().collect();
        Ok(found.map_err(failed(names::ADDRESSES))?)
    }

    fn sources(&self) -> Result<BTreeSet<Source>, DecapError> {
        let found: Result<_, _> =
            self.sources.keys().map(|key| key.map(|key| (key.prefix_len(), key.data()))).collect();
        Ok(found.map_err(failed(names::SOURCES))?)
    }
}

/// Whose maps are pinned in a directory, if that can be told.
pub(super) fn meta(directory: &Path) -> Option<Meta> {
    let meta: Array<MapData, Meta> = open(directory, names::META).ok()?;
    meta.get(&0, 0).ok()
}

fn open<M>(directory: &Path, name: &'static str) -> Result<M, DataplaneError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let data = MapData::from_pin(directory.join(name)).map_err(failed(name))?;
    M::try_from(Map::from_map_data(data).map_err(failed(name))?).map_err(failed(name))
}

/// The words of an address, as it stands in a packet.
fn words(address: &IpAddr) -> AddrBe {
    let octets = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let (words, _) = octets.as_chunks();
    let mut words = words.iter().copied().map(u32::from_ne_bytes);
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

fn address(words: &AddrBe) -> IpAddr {
    v6(words).to_canonical()
}

fn v6(words: &AddrBe) -> IpAddr {
    let bits = words.iter().fold(0, |bits, word| bits << 32 | u128::from(u32::from_be(*word)));
    Ipv6Addr::from_bits(bits).into()
}

fn source(prefix: Prefix) -> Source {
    let (family, before) = if prefix.address().is_ipv4() {
        (Family::V4, SOURCE_BITS_BEFORE_V4)
    } else {
        (Family::V6, SOURCE_BITS_BEFORE_V6)
    };
    (before + u32::from(prefix.length()), source_key(family, &words(&prefix.address())))
}

fn prefix((bits, key): &Source) -> Option<Prefix> {
    let [family, words @ ..] = key;
    let (before, address) = match u32::from_be(*family) {
        4 => (SOURCE_BITS_BEFORE_V4, address(words)),
        _ => (SOURCE_BITS_BEFORE_V6, v6(words)),
    };
    Prefix::new(address, u8::try_from(bits.checked_sub(before)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn entries_of_the_maps_say_what_was_asked_for() {
        for text in ["192.0.2.4", "2001:db8::4", "0.0.0.0", "::", "fe80::1"] {
            let given: IpAddr = text.parse().unwrap();
            assert_eq!(address(&words(&given)), given);
        }
        for text in [
            "192.0.2.0/24",
            "192.0.2.1/32",
            "0.0.0.0/0",
            "2001:db8::/32",
            "::/0",
            "::1/128",
            "::ffff:0:0/96",
        ] {
            let given: Prefix = text.parse().unwrap();
            assert_eq!(prefix(&source(given)), Some(given), "{text}");
        }
    }

    #[test]
    fn no_prefix_means_everybody() {
        assert_eq!(Lists::default().sources(), BTreeSet::from([(0, [0; 5])]));
        let all_v6 = Lists { from: ["::/0".parse().unwrap()].into(), ..Lists::default() };
        assert_eq!(all_v6.sources(), BTreeSet::from([(32, [6_u32.to_be(), 0, 0, 0, 0])]));
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let addresses = (0..=512_u32).map(|n| IpAddr::from((0xc612_0000 | n).to_be_bytes()));
        let lists = Lists { addresses: addresses.collect(), ..Lists::default() };
        let refused = lists.check().unwrap_err().to_string();
        assert_eq!(refused, "513 addresses are too many; at most 512 fit");
    }
}
