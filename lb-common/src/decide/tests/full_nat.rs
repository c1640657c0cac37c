//! `full-nat`: there and back again, whatever the client; no two flows have one source.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    vec,
    vec::Vec,
};

use proptest::prelude::*;

use super::{
    address,
    scene::{
        BASE, Done, IDLE, Kind, NOW, SLOTS, VIPS, backend_address, client, ends, packet, route,
        run, service,
    },
};
use crate::{
    abi::{
        BACKEND_DEAD, FlowState, ForwardMode, ORIGIN_TRACKED, Origin, Reason, Tracking, Verdict,
    },
    host::{HostTables, endpoint},
    slot::Slot,
};

/// Tables with the way back from backends 1 and 11.
fn tables() -> HostTables {
    let mut tables = service(ForwardMode::FullNat, Tracking::Moving);
    for (vip, backend) in VIPS.into_iter().zip([1, 11]) {
        for kind in [Kind::Data, Kind::Udp] {
            let key = endpoint(backend_address(backend), kind.protocol());
            let vip = endpoint(address(vip), kind.protocol());
            let (vip_be, port_be) = (vip.addr_be, vip.port_be);
            let origin = Origin { vip_be, port_be, flags: ORIGIN_TRACKED, service: 1, backend };
            tables.origins.insert(key, origin);
        }
    }
    tables
}

fn few_ports(tables: &mut HostTables, last_port_offset: u16) {
    for service in tables.services.values_mut() {
        (service.first_port, service.last_port_offset) = (60_000, last_port_offset);
        (service.spread_v4_be, service.spread_v6_be) = (0, 0);
    }
}

fn send(tables: &HostTables, kind: Kind, port: u16) -> Done {
    let vip = address(VIPS[0]);
    run(tables, packet(kind, client(vip, 7, port), vip, 64, b"data"))
}

fn outcome(done: &Done) -> (Verdict, Reason, u32) {
    (done.verdict, done.reason, done.service)
}

const UNKNOWN: (Verdict, Reason, u32) = (Verdict::Drop, Reason::UnknownFlow, 1);
const EXHAUSTED: (Verdict, Reason, u32) = (Verdict::Drop, Reason::PortsExhausted, 1);
const FULL: (Verdict, Reason, u32) = (Verdict::Drop, Reason::FlowTableFull, 1);

#[test]
fn only_what_opens_a_flow_makes_one() {
    let tables = tables();
    assert_eq!(outcome(&send(&tables, Kind::Data, 1000)), UNKNOWN);
    assert_eq!(outcome(&send(&tables, Kind::Fin, 1000)), UNKNOWN);
    assert!(tables.flows.borrow().is_empty() && tables.ways_back.borrow().is_empty());
    assert_eq!(send(&tables, Kind::Syn, 1000).backend, 1);
    assert_eq!(send(&tables, Kind::Data, 1000).backend, 1);
    assert_eq!((tables.flows.borrow().len(), tables.ways_back.borrow().len()), (1, 1));
}

#[test]
fn a_flow_keeps_its_backend_and_source() {
    let tables = tables();
    let first = ends(&send(&tables, Kind::Syn, 1000).frame);
    for index in BASE..BASE + SLOTS {
        tables.slots.borrow_mut().insert(index, Slot::settled(2, 0));
    }
    assert_eq!(ends(&send(&tables, Kind::Data, 1000).frame), first);
    assert_eq!(send(&tables, Kind::Syn, 1001).backend, 2);
}

#[test]
fn a_flow_of_the_dead_is_forgotten() {
    let mut tables = tables();
    assert_eq!(send(&tables, Kind::Syn, 1000).backend, 1);
    tables.backends.get_mut(&1).expect("a backend").flags |= BACKEND_DEAD;
    assert_eq!(outcome(&send(&tables, Kind::Data, 1000)), UNKNOWN);
    assert!(tables.flows.borrow().is_empty() && tables.ways_back.borrow().is_empty());
}

/// Both ends count: a download has packets of the backend only, but for acknowledgements.
#[test]
fn a_flow_is_over_when_both_ends_are_silent() {
    let tables = tables();
    assert_eq!(send(&tables, Kind::Syn, 1000).backend, 1);
    assert_eq!(send(&tables, Kind::Data, 1000).backend, 1);
    tables.now.set(NOW + u32::from(IDLE));
    tables.ways_back.borrow_mut().values_mut().for_each(|way| {
        (way.seen, way.state) = (NOW + 1, FlowState::Open as u8);
    });
    assert_eq!(send(&tables, Kind::Data, 1000).backend, 1);
    tables.now.set(NOW + 2 * u32::from(IDLE));
    assert_eq!(outcome(&send(&tables, Kind::Data, 1000)), UNKNOWN);
}

#[test]
fn ports_run_out_and_come_back() {
    let mut tables = tables();
    few_ports(&mut tables, 3);
    for port in 1000..1004 {
        assert_eq!(send(&tables, Kind::Udp, port).backend, 1);
    }
    assert_eq!(outcome(&send(&tables, Kind::Udp, 1004)), EXHAUSTED);
    // Of another protocol they are other ports.
    assert_eq!(send(&tables, Kind::Syn, 1004).backend, 1);
    tables.now.set(NOW + u32::from(IDLE));
    assert_eq!(send(&tables, Kind::Udp, 1004).backend, 1);
    assert_eq!(tables.flows.borrow().len(), 5, "one has taken the place of another");
}

#[test]
fn nothing_is_left_of_a_flow_that_finds_no_room() {
    let mut tables = tables();
    tables.room = 2;
    for port in 1000..1002 {
        assert_eq!(send(&tables, Kind::Udp, port).backend, 1);
    }
    assert_eq!(outcome(&send(&tables, Kind::Udp, 1002)), FULL);
    tables.ways_back.borrow_mut().clear();
    assert_eq!(outcome(&send(&tables, Kind::Udp, 1002)), FULL);
    assert!(tables.ways_back.borrow().is_empty(), "no way back without a flow");
}

fn endings() -> impl Strategy<Value = (SocketAddr, SocketAddr, Kind, u8, Vec<u8>)> {
    let kind = prop_oneof![Just(Kind::Syn), Just(Kind::Udp)];
    let payload = prop::collection::vec(any::<u8>(), 0..60);
    (0_usize..2, any::<u8>(), any::<u16>(), kind, 2..=u8::MAX, payload).prop_map(
        |(family, host, port, kind, ttl, payload)| {
            let vip = address(VIPS[family]);
            (vip, client(vip, host, port), kind, ttl, payload)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn there_and_back_again((vip, client, kind, ttl, payload) in endings()) {
        let mut tables = tables();
        route(&mut tables, client);
        let there = run(&tables, packet(kind, client, vip, ttl, &payload));
        prop_assert_eq!(there.reason, Reason::Forwarded);
        let (source, destination) = ends(&there.frame);
        prop_assert_eq!(destination, backend_address(if vip.is_ipv4() { 1 } else { 11 }));
        prop_assert_ne!(source.ip(), client.ip());
        prop_assert!(source.port() >= 1024);

        let kind = if kind == Kind::Syn { Kind::Data } else { kind };
        let back = run(&tables, packet(kind, destination, source, ttl, &payload));
        prop_assert_eq!(back.reason, Reason::Returned);
        prop_assert_eq!(ends(&back.frame), (vip, client));
        let mut expected = packet(kind, vip, client, ttl - 1, &payload);
        expected.splice(..12, back.frame[..12].iter().copied());
        prop_assert_eq!(back.frame, expected);
    }

    /// However few ports there are, a source belongs to one flow; who gets none is told so.
    #[test]
    fn a_source_is_of_one_flow(
        clients in prop::collection::hash_set((0..4_u8, 1000..1020_u16), 1..40),
        last_port_offset in 0..30_u16,
    ) {
        let mut tables = tables();
        few_ports(&mut tables, last_port_offset);
        let vip = address(VIPS[0]);
        let mut sources = HashMap::new();
        let mut refused = 0;
        for (host, port) in clients {
            let client = client(vip, host, port);
            route(&mut tables, client);
            let done = run(&tables, packet(Kind::Udp, client, vip, 9, b"?"));
            if done.reason == Reason::PortsExhausted {
                refused += 1;
                continue;
            }
            let (source, _) = ends(&done.frame);
            prop_assert!((60_000..=60_000 + last_port_offset).contains(&source.port()));
            prop_assert_eq!(sources.insert(source, client), None);
        }
        prop_assert!(refused == 0 || sources.len() > usize::from(last_port_offset.min(15)));
        for (source, client) in &sources {
            let back = run(&tables, packet(Kind::Udp, backend_address(1), *source, 9, b"!"));
            prop_assert_eq!(ends(&back.frame), (vip, *client));
        }
        prop_assert_eq!(tables.flows.borrow().len(), sources.len());
        prop_assert_eq!(tables.ways_back.borrow().len(), sources.len());
    }
}

/// The hash picks among all sources.
#[test]
fn sources_are_spread() {
    let tables = tables();
    let mut addresses = HashSet::new();
    let mut ports = vec![0_u32; 4];
    for port in 1000..1400 {
        let (source, _) = ends(&send(&tables, Kind::Syn, port).frame);
        addresses.insert(source.ip());
        ports[usize::from(source.port() / 16_384)] += 1;
    }
    assert_eq!(addresses.len(), 16);
    assert!(ports.iter().all(|flows| *flows > 50), "{ports:?}");
}
