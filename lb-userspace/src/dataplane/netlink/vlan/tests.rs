//! Made-up stacks of interfaces, as kernels that tests meet may have none.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use lb_common::abi::Vlan;

use super::{
    super::{
        Link, Links,
        links::{Kind, Tagging},
    },
    exit, redirectable, vlans,
};

const fn customer(below: u32, id: u16) -> Kind {
    Kind::Vlan(Tagging { below: Some(below), id, provider: false })
}

const fn provider(below: u32, id: u16) -> Kind {
    Kind::Vlan(Tagging { below: Some(below), id, provider: true })
}

/// Links with indices from 1 on.
fn links(kinds: &[(&str, Kind)]) -> Links {
    let links = (1..).zip(kinds).map(|(index, (name, kind))| {
        ((*name).to_owned(), Link { index, kind: *kind, ..Link::default() })
    });
    links.collect()
}

fn exit_of(name: &str, links: &Links) -> Result<(u32, u32), String> {
    exit(name, &links[name], links).map(|exit| (exit.ifindex, exit.tags))
}

#[test]
fn what_is_no_vlan_is_its_own_exit() {
    let links = links(&[("eth0", Kind::Ordinary), ("bond0", Kind::Bond)]);
    assert_eq!(exit_of("eth0", &links), Ok((1, 0)));
    assert_eq!(exit_of("bond0", &links), Ok((2, 0)));
    assert_eq!(vlans(&links), [].into());
    assert_eq!(redirectable(&links), [1, 2].into());
}

#[test]
fn a_vlan_leaves_by_the_interface_below_with_its_tag() {
    let links = links(&[
        ("eth0", Kind::Ordinary),
        ("bond0", Kind::Bond),
        ("eth0.7", customer(1, 7)),
        ("servers", customer(2, 4094)),
    ]);
    assert_eq!(exit_of("eth0.7", &links), Ok((1, 7)));
    assert_eq!(exit_of("servers", &links), Ok((2, 4094)));
    let expected = [(3, Vlan { ifindex: 1, tags: 7 }), (4, Vlan { ifindex: 2, tags: 4094 })].into();
    assert_eq!(vlans(&links), expected);
    assert_eq!(redirectable(&links), [1, 2].into());
}

#[test]
fn a_vlan_in_a_vlan_has_two_tags() {
    let links = links(&[
        ("eth0", Kind::Ordinary),
        ("eth0.9", provider(1, 9)),
        ("eth0.9.291", customer(2, 0x123)),
    ]);
    assert_eq!(exit_of("eth0.9.291", &links), Ok((1, 0x0009_0123)));
    assert_eq!(vlans(&links), [(3, Vlan { ifindex: 1, tags: 0x0009_0123 })].into());
}

#[test]
fn tags_that_the_program_does_not_write() {
    let links = links(&[
        ("eth0", Kind::Ordinary),
        ("p", provider(1, 9)),
        ("pc", customer(2, 8)),
        ("pcc", customer(3, 7)),
        ("c", customer(1, 6)),
        ("cc", customer(5, 5)),
        ("pp", provider(2, 4)),
    ]);
    for (name, why, what_to_do) in [
        (
            "p",
            "the tag of p is of type 802.1ad",
            "make p anew with `type vlan protocol 802.1Q id 9`",
        ),
        ("pcc", "pcc is a VLAN in a VLAN in a VLAN", "use an interface with fewer"),
        (
            "cc",
            "cc has a tag in another one, and the tag of c is of type 802.1Q",
            "make c anew with `type vlan protocol 802.1ad id 6`",
        ),
        (
            "pp",
            "the tag of pp is of type 802.1ad",
            "make pp anew with `type vlan protocol 802.1Q id 4`",
        ),
    ] {
        let said = exit_of(name, &links).unwrap_err();
        assert!(said.starts_with(why), "{said}");
        assert!(said.ends_with(what_to_do), "{said}");
    }
    assert_eq!(vlans(&links).into_keys().collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn a_vlan_of_an_interface_that_is_not_here() {
    let elsewhere = Kind::Vlan(Tagging { below: None, id: 7, provider: false });
    let links = links(&[("eth0", Kind::Ordinary), ("a", elsewhere), ("b", customer(99, 7))]);
    for name in ["a", "b"] {
        let said = exit_of(name, &links).unwrap_err();
        assert!(said.contains("in another network namespace"), "{said}");
        assert!(said.contains("run shunt there"), "{said}");
    }
    assert_eq!(vlans(&links), [].into());
}

#[test]
fn the_loopback_interface_is_never_redirected_to() {
    let mut links = links(&[("lo", Kind::Ordinary), ("eth0", Kind::Ordinary)]);
    links.get_mut("lo").unwrap().loopback = true;
    assert_eq!(redirectable(&links), [2].into());
}
