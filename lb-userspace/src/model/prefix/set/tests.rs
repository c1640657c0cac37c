//! Which addresses are in a set.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{Prefix, PrefixSet};

fn set(prefixes: &[&str]) -> PrefixSet {
    let prefixes: Vec<Prefix> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
    prefixes.iter().collect()
}

#[test]
fn addresses_of_both_families() {
    let nobody = set(&[]);
    let some = set(&["192.0.2.0/24", "192.0.3.0/24", "198.51.100.7", "2001:db8::/32"]);
    let everybody = set(&["0.0.0.0/0", "::/0"]);
    assert!(nobody.is_empty() && !some.is_empty());
    assert_eq!((some.v4.len(), some.v6.len()), (2, 1), "those that touch are one");
    for (address, is_in) in [
        ("192.0.1.255", false),
        ("192.0.2.0", true),
        ("192.0.3.255", true),
        ("192.0.4.0", false),
        ("198.51.100.6", false),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
        ("::ffff:192.0.2.1", true),
        ("::ffff:192.0.4.1", false),
        ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false),
        ("2001:db8::", true),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
        ("2001:db9::", false),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(some.contains(address), is_in, "{address}");
        assert!(everybody.contains(address) && !nobody.contains(address), "{address}");
    }
}

#[test]
fn mapped_prefixes_are_those_of_ipv4() {
    let mapped = set(&["::ffff:192.0.2.0/120", "::ffff:198.51.100.7"]);
    for (address, is_in) in [
        ("192.0.2.200", true),
        ("192.0.3.0", false),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
    ] {
        let address: Ipv4Addr = address.parse().unwrap();
        assert_eq!(mapped.contains(address.into()), is_in, "{address}");
        assert_eq!(mapped.contains(address.to_ipv6_mapped().into()), is_in, "{address}");
    }
}

fn address() -> impl Strategy<Value = IpAddr> {
    // Few different ones, so that they meet prefixes.
    prop_oneof![
        (0..4_u32, any::<u8>())
            .prop_map(|(a, b)| Ipv4Addr::from_bits(a << 30 | u32::from(b)).into()),
        (0..4_u128, any::<u8>())
            .prop_map(|(a, b)| Ipv6Addr::from_bits(a << 126 | u128::from(b)).into()),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (address(), 0..=128_u8).prop_map(|(address, length)| {
        let length = if address.is_ipv4() { length / 4 } else { length };
        let first = super::super::masked(address, length);
        Prefix::new(first, length).unwrap()
    })
}

proptest! {
    #[test]
    fn a_set_is_what_its_prefixes_are(
        prefixes in prop::collection::vec(prefix(), 0..8),
        addresses in prop::collection::vec(address(), 1..16),
    ) {
        let set: PrefixSet = prefixes.iter().collect();
        for address in addresses {
            let is_in = prefixes.iter().any(|prefix| prefix.contains(address));
            prop_assert_eq!(set.contains(address), is_in, "{}", address);
        }
    }
}
