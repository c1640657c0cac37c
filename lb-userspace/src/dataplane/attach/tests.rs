//! What is said of errors.

use super::{Place, hint};
use crate::dataplane::netlink::links::Kind;

#[test]
fn a_kind_without_a_driver_is_told_from_a_driver_that_cannot() {
    let card = Place { name: "eth0", ..Place::default() };
    assert!(hint(Some(libc::EOPNOTSUPP), &card).starts_with("its driver cannot"));
    let bridge = Place { kind: Kind::Bridge, ..card };
    assert!(hint(Some(libc::EOPNOTSUPP), &bridge).starts_with("eth0 is a bridge"));
    // What has nothing to do with the kind.
    assert_eq!(hint(Some(libc::EPERM), &bridge), "run it as root");
}

#[test]
fn another_program_may_be_on_the_bond() {
    let card = Place { name: "eth0", ..Place::default() };
    let said = hint(Some(libc::EEXIST), &card);
    assert!(said.starts_with("another XDP program is attached there"), "{said}");
    let port = Place { above: Some(("bond0", Kind::Bond)), ..card };
    let with_bond = hint(Some(libc::EEXIST), &port);
    assert!(with_bond.starts_with(&said), "{with_bond}");
    assert!(with_bond.ends_with("attach to bond0 instead"), "{with_bond}");
}
