//! What is reported of interfaces.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeMap;

use super::{check, check_next_hops, check_replies, runs_on};
use crate::{
    dataplane::netlink::{
        Link, Links, NextHop, NextHops,
        links::{Kind, Tagging},
    },
    model::{AttachMode, Daemon, Desired, Forward, Interface, Service},
    reconcile::compile::Target,
};

fn desired(interfaces: &[&str], forward: Forward) -> Desired {
    let interfaces = interfaces
        .iter()
        .map(|name| Interface { name: (*name).to_owned(), mode: AttachMode::Auto });
    let listen = "192.0.2.10:80/tcp".parse().unwrap();
    let service = Service::new(listen, "web".parse().unwrap(), forward);
    let services = [("web".parse().unwrap(), service)].into();
    let daemon = Daemon {
        admin: "/run/a.sock".into(),
        state_dir: "/var/lib/a".into(),
        pin_dir: "/sys/fs/bpf/a".into(),
        seed: 0,
    };
    Desired {
        daemon,
        interfaces: interfaces.collect(),
        pools: BTreeMap::new(),
        services,
        listeners: BTreeMap::new(),
    }
}

/// Links with indices from 1 on.
fn links(given: &[(&str, Kind, Option<AttachMode>)]) -> Links {
    let links = (1..).zip(given).map(|(index, (name, kind, attached))| {
        ((*name).to_owned(), Link { index, kind: *kind, attached: *attached, ..Link::default() })
    });
    links.collect()
}

const fn vlan(below: Option<u32>) -> Kind {
    Kind::Vlan(Tagging { below, id: 7, provider: false })
}

fn said(check: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    let mut found = Vec::new();
    check(&mut found);
    found
}

const NATIVE: Option<AttachMode> = Some(AttachMode::Native);
const GENERIC: Option<AttachMode> = Some(AttachMode::Generic);

#[test]
fn why_the_mode_is_generic() {
    let desired = desired(&["eth0", "eth1", "eth0.7"], Forward::Dsr);
    let links = links(&[
        ("eth0", Kind::Ordinary, NATIVE),
        ("eth1", Kind::Ordinary, GENERIC),
        ("eth0.7", vlan(Some(1)), GENERIC),
    ]);
    let found = said(|found| check(&desired, &links, found));
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("eth1 runs the program in generic mode"), "{found:?}");
    assert!(found[0].contains("its driver, MTU or settings"), "{found:?}");
    assert!(found[1].starts_with("eth0.7 runs the program in generic mode"), "{found:?}");
    assert!(found[1].contains("attach to eth0 instead"), "{found:?}");
}

#[test]
fn what_was_asked_for_is_no_problem() {
    let mut desired = desired(&["br0"], Forward::Dsr);
    desired.interfaces[0].mode = AttachMode::Generic;
    let links = links(&[("br0", Kind::Bridge, GENERIC)]);
    assert_eq!(said(|found| check(&desired, &links, found)), [""; 0]);
}

#[test]
fn places_that_are_none() {
    let desired = desired(&["eth0", "wg0", "eth9"], Forward::Dsr);
    let mut links = links(&[
        ("bond0", Kind::Bond, None),
        ("eth0", Kind::Ordinary, NATIVE),
        ("wg0", Kind::Bare, None),
    ]);
    links.get_mut("eth0").unwrap().controller = Some(1);
    let found = said(|found| check(&desired, &links, found));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("eth0 is a port of the bond bond0"), "{found:?}");
    assert!(found[1].starts_with("packets of wg0 have no Ethernet header"), "{found:?}");
    assert!(found[2].starts_with("interface eth9 has gone"), "{found:?}");
}

fn next_hops(interface: &str, ifindex: u32) -> NextHops {
    let target = Target {
        ifindex,
        tags: 0,
        mac: [2; 6],
        source_mac: [2; 6],
        mtu: 1500,
        source: [192, 0, 2, 1].into(),
    };
    let next_hop = NextHop { interface: interface.to_owned(), target };
    [([192, 0, 2, 9].into(), Ok(next_hop))].into()
}

#[test]
fn a_backend_behind_a_vlan_needs_the_interface_below() {
    let links = links(&[
        ("eth0", Kind::Ordinary, NATIVE),
        ("eth0.7", vlan(Some(1)), None),
        ("eth1", Kind::Ordinary, NATIVE),
    ]);
    let hops = next_hops("eth0.7", 1);
    let with = |name: &str| {
        let desired = desired(&[name], Forward::Nat);
        said(|found| check_next_hops(&desired, &links, &hops, found))
    };
    assert_eq!(with("eth0"), [""; 0]);
    assert_eq!(with("eth0.7"), [""; 0]);
    let found = with("eth1").join("\n");
    assert!(found.contains("through eth0.7, which is no [[interface]]"), "{found}");
    assert!(found.ends_with("add an [[interface]] for eth0"), "{found}");
}

#[test]
fn a_bridge_takes_redirects_in_generic_mode_only() {
    let desired = desired(&["eth0", "br0"], Forward::Nat);
    let of = |mode| {
        let links = links(&[("br0", Kind::Bridge, GENERIC), ("eth0", Kind::Ordinary, mode)]);
        said(|found| check_next_hops(&desired, &links, &next_hops("br0", 1), found)).join("\n")
    };
    assert_eq!(of(GENERIC), "");
    let found = of(NATIVE);
    assert!(found.starts_with("backend 192.0.2.9 is reached through br0, a bridge"), "{found}");
    assert!(found.contains("set mode = \"generic\" for eth0,"), "{found}");
}

#[test]
fn replies_that_cannot_leave() {
    let links = links(&[("eth0", Kind::Ordinary, NATIVE), ("far", vlan(None), None)]);
    let with = |forward| {
        said(|found| check_replies(&desired(&["eth0"], forward), &links, found)).join("\n")
    };
    assert_eq!(with(Forward::Dsr), "");
    let found = with(Forward::Nat);
    assert!(found.starts_with("replies to clients behind far are dropped: far is"), "{found}");
}

#[test]
fn packets_of_a_bond_arrive_on_its_ports() {
    let mut links = links(&[
        ("bond0", Kind::Bond, NATIVE),
        ("eth0", Kind::Ordinary, None),
        ("eth1", Kind::Ordinary, None),
    ]);
    links.get_mut("eth1").unwrap().controller = Some(1);
    assert_eq!(runs_on("bond0", &links), ["bond0", "eth1"]);
    assert_eq!(runs_on("eth0", &links), ["eth0"]);
    assert_eq!(runs_on("eth9", &links), ["eth9"]);
}
