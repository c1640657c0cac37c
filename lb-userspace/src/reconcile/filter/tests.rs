//! Tests of the filter: no source that a list has anything of gets past it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use lb_common::{
    abi::{SERVICE_LIST_V4, SERVICE_LIST_V6},
    hash::source_bit,
};

use super::{Filter, Filters, flags};
use crate::{
    model::{Rule, access::Rules},
    reconcile::compile::address_be,
};

fn rules(prefixes: &[&str]) -> Rules {
    let prefix = |text: &&str| (text.parse().expect("a prefix"), Rule::Deny);
    prefixes.iter().map(prefix).collect()
}

fn filter(list: u32, prefixes: &[&str]) -> Filter {
    Filter::of(&BTreeMap::from([(list, Arc::new(rules(prefixes)))]))
}

fn is_marked(filter: &Filter, list: u32, address: &str) -> bool {
    let address: IpAddr = address.parse().expect("an address");
    let bit = source_bit(list, &address_be((address, 0).into()).0);
    filter.word(bit / 64) >> (bit % 64) & 1 == 1
}

fn marks(filter: &Filter) -> u32 {
    filter.words.iter().map(|word| word.count_ones()).sum()
}

#[test]
fn every_unit_of_a_prefix_is_marked_and_no_other() {
    let cases: [(&str, &[&str], &[&str], u32); 6] = [
        ("192.0.2.7/32", &["192.0.2.7", "192.0.2.255"], &["192.0.3.7"], 1),
        ("192.0.2.0/23", &["192.0.2.0", "192.0.3.255"], &["192.0.4.0", "192.0.1.0"], 2),
        ("10.9.192.0/18", &["10.9.192.0", "10.9.255.255"], &["10.9.191.0", "10.10.0.0"], 64),
        ("10.0.0.0/8", &["10.0.0.0", "10.9.191.1", "10.255.255.255"], &["11.0.0.0"], 65_536),
        ("2001:db8:1::/48", &["2001:db8:1::1"], &["2001:db9::1"], 1),
        ("2001:db8::/38", &["2001:db8:3ff::"], &["2001:db8:400::"], 4),
    ];
    for list in [1, 2, 77] {
        for (prefix, inside, outside, count) in cases {
            let filter = filter(list, &[prefix]);
            assert_eq!(marks(&filter), count, "{prefix}");
            assert!(inside.iter().all(|it| is_marked(&filter, list, it)), "{prefix}");
            assert!(!outside.iter().any(|it| is_marked(&filter, list, it)), "{prefix}");
        }
    }
}

#[test]
fn what_is_too_short_asks_always() {
    for (prefix, expected) in [
        ("0.0.0.0/0", SERVICE_LIST_V4),
        ("10.0.0.0/7", SERVICE_LIST_V4),
        ("10.0.0.0/8", 0),
        ("::/0", SERVICE_LIST_V6),
        ("2001::/23", SERVICE_LIST_V6),
        ("2001:d00::/24", 0),
    ] {
        assert_eq!(flags(&rules(&[prefix])), expected, "{prefix}");
        if expected != 0 {
            assert_eq!(marks(&filter(1, &[prefix])), 0, "{prefix}");
        }
    }
    assert_eq!(marks(&filter(1, &["0.0.0.0/0", "2001:db8::/40"])), 1, "each family for itself");
}

#[test]
fn a_list_of_more_than_the_filter_can_tell_is_always_asked() {
    let many: Vec<String> = (0..65).map(|it| format!("2001:{it:x}00::/24")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(flags(&rules(&many[..64])), 0);
    assert_eq!(flags(&rules(&many)), SERVICE_LIST_V6);
    assert_eq!(marks(&filter(1, &many)), 0);
}

#[test]
fn lists_are_looked_at_again_only_if_they_are_others() {
    let filters = Filters::default();
    let one = BTreeMap::from([(1, Arc::new(rules(&["10.0.0.0/8"])))]);
    let (first, _) = filters.of(&one);
    let (again, _) = filters.of(&one);
    assert!(Arc::ptr_eq(&first, &again));
    let (none, flags) = filters.of(&BTreeMap::new());
    assert_eq!((&*none, flags), (&Filter::default(), BTreeMap::new()));
    assert_eq!(filters.of(&one).0, first);
}
