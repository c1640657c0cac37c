//! What is said of each kind of interface.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::{
    super::super::netlink::{
        Link, Links,
        links::{Kind, Tagging},
    },
    Place, refuses_redirects,
};

const VLAN: Kind = Kind::Vlan(Tagging { below: Some(1), id: 7, provider: false });

fn place(kind: Kind) -> Place<'static> {
    Place { name: "x", kind, ..Place::default() }
}

fn port(kind: Kind) -> Place<'static> {
    Place { above: Some(("y", kind)), ..place(Kind::Ordinary) }
}

#[test]
fn kinds_with_a_driver_need_no_words() {
    for kind in [Kind::Ordinary, Kind::Veth, Kind::Tap] {
        let place = place(kind);
        assert_eq!((place.native(), place.unsuited(), place.port()), (None, None, None));
    }
}

/// Each says what it is, and what to do.
#[test]
fn why_a_kind_does_not_run_it_natively() {
    let vlan = Place { below: Some("eth0"), ..place(VLAN) };
    for (place, what, what_to_do) in [
        (vlan, "x is a VLAN, ", "attach to eth0 instead"),
        (
            place(VLAN),
            "x is a VLAN of an interface in another network namespace",
            "run shunt there",
        ),
        (
            place(Kind::Bond),
            "the bond x runs it natively if Linux is 5.15",
            "no port has a program",
        ),
        (place(Kind::Team), "x is a team, ", "make it a bond"),
        (place(Kind::Bridge), "x is a bridge, ", "use mode `generic` or `auto`"),
        (place(Kind::MacVlan), "x is a macvlan interface, ", "attach to the interface below"),
        (place(Kind::IpVlan), "x is an ipvlan interface, ", "attach to the interface below"),
        (place(Kind::EthernetTunnel), "x is a tunnel, ", "use mode `generic` or `auto`"),
    ] {
        let said = place.native().unwrap();
        assert!(said.starts_with(what) && said.contains(what_to_do), "{said}");
        assert_eq!((place.unsuited(), place.port()), (None, None));
    }
}

#[test]
fn where_it_makes_no_sense() {
    let said = place(Kind::Bare).unsuited().unwrap();
    assert!(said.contains("no Ethernet header"), "{said}");
    let said = place(Kind::Vrf).unsuited().unwrap();
    assert!(said.ends_with("attach to those"), "{said}");
}

#[test]
fn ports_of_another_interface() {
    for (kind, what, what_to_do) in [
        (Kind::Bond, "x is a port of the bond y: ", "attach to y instead"),
        (Kind::Team, "x is a port of the team y: ", "attach to y in that mode instead"),
        (Kind::Bridge, "x is a port of the bridge y: ", "take x out of the bridge"),
    ] {
        let said = port(kind).port().unwrap();
        assert!(said.starts_with(what) && said.contains(what_to_do), "{said}");
    }
    // Packets are seen on the ports of a VRF.
    assert_eq!(port(Kind::Vrf).port(), None);
}

#[test]
fn redirects() {
    assert_eq!(refuses_redirects(Kind::Bridge), Some("a bridge"));
    assert_eq!(refuses_redirects(Kind::MacVlan), Some("a macvlan interface"));
    for kind in [Kind::Ordinary, Kind::Veth, Kind::Tap, Kind::Bond] {
        assert_eq!(refuses_redirects(kind), None);
    }
}

#[test]
fn a_place_among_links() {
    let vlan = |below, id| Kind::Vlan(Tagging { below: Some(below), id, provider: false });
    let link = |index, kind, controller| Link { index, kind, controller, ..Link::default() };
    let links: Links = [
        ("bond0", link(1, Kind::Bond, None)),
        ("bond0.7", link(2, vlan(1, 7), None)),
        ("bond0.7.8", link(3, vlan(2, 8), None)),
        ("eth0", link(4, Kind::Ordinary, Some(1))),
        ("far", link(5, vlan(99, 8), None)),
        ("round", link(6, vlan(6, 8), None)),
    ]
    .map(|(name, link)| (name.to_owned(), link))
    .into();
    let of = |name| Place::of(name, &links).unwrap();
    assert_eq!(of("bond0.7").below, Some("bond0"));
    assert_eq!(of("bond0.7.8").below, Some("bond0"));
    assert_eq!(of("eth0").above, Some(("bond0", Kind::Bond)));
    assert_eq!((of("bond0").above, of("bond0").below, of("far").below), (None, None, None));
    // No such thing is made by a kernel; it must not keep the daemon busy for ever.
    assert_eq!(of("round").kind, vlan(6, 8));
    assert!(Place::of("eth9", &links).is_none());
}
