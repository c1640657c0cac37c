//! From a route and the links to a next hop.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::{
    super::{
        Link, Links,
        links::{Kind, Tagging},
    },
    Hop, next_hop, way,
};
use crate::reconcile::compile::Target;

const GATEWAY: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn links() -> Links {
    let vlan = Kind::Vlan(Tagging { below: Some(1), id: 7, provider: false });
    let elsewhere = Kind::Vlan(Tagging { below: None, id: 7, provider: false });
    let link = |index: u8, mtu, kind| Link {
        index: index.into(),
        mac: [2, 0, 0, 0, 0, index],
        mtu,
        kind,
        ..Link::default()
    };
    [
        ("eth0", link(1, 1504, Kind::Ordinary)),
        ("eth0.7", link(2, 1500, vlan)),
        ("far.7", link(3, 1500, elsewhere)),
        ("wg0", link(4, 1420, Kind::Bare)),
    ]
    .map(|(name, link)| (name.to_owned(), link))
    .into()
}

fn hop(ifindex: u32) -> Hop {
    Hop { ifindex, gateway: [192, 0, 2, 9].into(), source: [192, 0, 2, 1].into() }
}

#[test]
fn out_of_an_interface_without_tags() {
    let links = links();
    let found = next_hop(&hop(1), &way(&hop(1), &links).unwrap(), GATEWAY);
    assert_eq!(found.interface, "eth0");
    let target = Target {
        ifindex: 1,
        tags: 0,
        mac: GATEWAY,
        source_mac: [2, 0, 0, 0, 0, 1],
        mtu: 1504,
        source: [192, 0, 2, 1].into(),
    };
    assert_eq!(found.target, target);
}

/// Frames leave by the interface below; all else is the VLAN interface's.
#[test]
fn out_of_a_vlan_interface() {
    let links = links();
    let found = next_hop(&hop(2), &way(&hop(2), &links).unwrap(), GATEWAY);
    assert_eq!(found.interface, "eth0.7");
    let target = Target {
        ifindex: 1,
        tags: 7,
        mac: GATEWAY,
        source_mac: [2, 0, 0, 0, 0, 2],
        mtu: 1500,
        source: [192, 0, 2, 1].into(),
    };
    assert_eq!(found.target, target);
}

#[test]
fn where_no_frame_can_leave() {
    for (ifindex, expected) in [
        (3, "far.7 is a VLAN of an interface in another network namespace"),
        (4, "the route leads out of wg0, whose packets have no Ethernet header"),
        (5, "interface 5 has gone"),
    ] {
        let said = way(&hop(ifindex), &links()).err().unwrap();
        assert!(said.starts_with(expected), "{said}");
    }
}
