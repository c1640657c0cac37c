//! Lists of sources: who shares one, and that no step lets in or keeps out anybody else.

use std::sync::Arc;

use lb_common::abi::{SERVICE_ALLOWS, SERVICE_LIST_V4, SERVICE_LISTED};

use super::{super::Image, Op, World, applied, name, plan, vip_endpoint};
use crate::model::{Access, Forward, Prefix, Rule};

const ONE: &str = "192.0.2.1:80/tcp";
const TWO: &str = "192.0.2.2:80/tcp";
const SIX: &str = "[2001:db8::1]:80/tcp";

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn access(deny: &[&str], allow: &[&str]) -> Access {
    let mut access = Access::default();
    for (rule, prefixes) in [(Rule::Deny, deny), (Rule::Allow, allow)] {
        for text in prefixes {
            access.add(rule, prefix(text)).unwrap();
        }
    }
    access
}

/// Services `one`, `two` and `six` with these lists.
fn world(lists: [&Access; 3]) -> World {
    let mut world = World::empty()
        .pool("web", &["10.0.0.1:80"])
        .pool("six", &["[2001:db8:1::1]:80"])
        .service("one", ONE, "web", Forward::Dsr)
        .service("two", TWO, "web", Forward::Dsr)
        .service("six", SIX, "six", Forward::Dsr);
    for (key, list) in ["one", "two", "six"].into_iter().zip(lists) {
        world.desired.services.get_mut(&name(key)).unwrap().access = list.clone();
    }
    world
}

fn list(image: &Image, listen: &str) -> Option<u32> {
    let service = image.services[&vip_endpoint(listen.parse().unwrap())];
    (service.flags & SERVICE_LISTED != 0).then_some(service.list)
}

#[test]
fn equal_lists_are_one_and_families_are_apart() {
    let denied = access(&["203.0.113.0/24", "2001:db8:7::/48"], &[]);
    let image = world([&denied, &denied.clone(), &denied]).fresh();
    assert_eq!([ONE, TWO, SIX].map(|it| list(&image, it)), [Some(1), Some(1), Some(2)]);
    assert_eq!(image.lists.values().map(|list| list.len()).collect::<Vec<_>>(), [1, 1]);
    let flags = |listen: &str| image.services[&vip_endpoint(listen.parse().unwrap())].flags;
    assert_eq!(flags(ONE), SERVICE_LISTED);

    let none = Access::default();
    let allowed = access(&[], &["0.0.0.0/1"]);
    let image = world([&none, &allowed, &none]).fresh();
    assert_eq!([ONE, TWO, SIX].map(|it| list(&image, it)), [None, Some(1), None]);
    let two = image.services[&vip_endpoint(TWO.parse().unwrap())];
    assert_eq!(two.flags, SERVICE_LISTED | SERVICE_ALLOWS | SERVICE_LIST_V4);
}

#[test]
fn who_parts_gets_a_list_of_its_own() {
    let (none, a) = (Access::default(), access(&["203.0.113.0/24"], &[]));
    let b = access(&["203.0.113.0/24", "198.51.100.0/24"], &[]);
    let shared = world([&a, &a, &none]).fresh();
    assert_eq!([ONE, TWO].map(|it| list(&shared, it)), [Some(1), Some(1)]);
    // One of them stays, whichever it is.
    for (lists, expected) in [([&a, &b, &none], [1, 2]), ([&b, &a, &none], [2, 1])] {
        let parted = world(lists).after(&shared);
        assert_eq!([ONE, TWO].map(|it| list(&parted, it)), expected.map(Some));
    }
    // Both change, and neither may see the other's.
    let c = access(&["198.51.100.0/24"], &[]);
    let both = world([&b, &c, &none]).after(&shared);
    assert_eq!([ONE, TWO].map(|it| list(&both, it)), [Some(2), Some(3)]);
    assert_eq!(both.lists.len(), 2);
    // Together again, in place.
    let together = world([&b, &b, &none]).after(&shared);
    assert_eq!([ONE, TWO].map(|it| list(&together, it)), [Some(1), Some(1)]);
    let ops = plan(&shared, &together);
    assert!(matches!(&ops[..], [Op::PutSource(1, _, Rule::Deny), Op::PutFilter(..)]), "{ops:?}");
}

#[test]
fn a_large_list_changes_by_difference() {
    let mut large = Access::default();
    for n in 0..100_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + 256 * (n / 4) + n % 4);
        large.add(Rule::Deny, prefix(&format!("{address}/32"))).unwrap();
    }
    let none = Access::default();
    let before = world([&large, &none, &none]).fresh();
    assert_eq!(before.lists[&1].len(), 100_000);
    let mut more = large.clone();
    more.add(Rule::Deny, prefix("203.0.113.7/32")).unwrap();
    more.remove(Rule::Deny, prefix("11.0.0.1/32")).unwrap();
    let world = world([&more, &none, &none]);
    let after = world.after(&before);
    let ops = plan(&before, &after);
    assert_eq!(ops.len(), 3, "{ops:?}");
    let mut now = applied(&ops, before);
    assert!(now == after);
    (now.lists, now.filter) = (after.lists, after.filter);
    let again = world.after(&now);
    assert!(Arc::ptr_eq(&again.lists[&1], &now.lists[&1]));
    assert!(Arc::ptr_eq(&again.filter, &now.filter));
    assert_eq!(plan(&now, &again), []);
}
