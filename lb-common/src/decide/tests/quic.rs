//! QUIC: a connection id that names a backend leads to it from anywhere; whatever else a datagram
//! holds, it reaches a backend of its slot.

use std::{net::SocketAddr, vec::Vec};

use proptest::prelude::*;

use super::{
    address,
    scene::{BASE, Done, Kind, SLOTS, VIPS, client, packet, run, service},
};
use crate::{
    abi::{BACKEND_DEAD, BACKEND_LEAVING, ForwardMode, Reason, ServerId, Tracking},
    host::HostTables,
    slot::Slot,
};

/// Every slot moves from backend 1 to backend 2; backends 1 to 5 have server ids.
fn tables() -> HostTables {
    let mut tables = service(ForwardMode::Dsr, Tracking::Quic);
    for index in BASE..BASE + SLOTS {
        tables.slots.get_mut().insert(index, Slot::moving(2, 1, 1, 7));
    }
    for id in 1..=5_u8 {
        let server = ServerId { service: 1, server_be: u32::from_ne_bytes(server(id)) };
        tables.servers.insert(server, u32::from(id));
    }
    tables
}

fn server(id: u8) -> [u8; 4] {
    [0xc0, id, 0xff, 0xee]
}

fn short(id: u8) -> Vec<u8> {
    [&[0x40, 0x08], &server(id)[..], &[1, 2, 3, 4, 0x5a, 0x5a]].concat()
}

fn initial(cid: &[u8]) -> Vec<u8> {
    let length = u8::try_from(cid.len()).expect("a short id");
    [&[0xc0, 0, 0, 0, 1, length], cid, &[0; 30]].concat()
}

fn vip() -> SocketAddr {
    address(VIPS[0])
}

fn send(tables: &HostTables, port: u16, datagram: &[u8]) -> Done {
    run(tables, packet(Kind::Udp, client(vip(), 7, port), vip(), 64, datagram))
}

/// The client may have moved to another address (RFC 9000 section 9).
#[test]
fn a_connection_follows_its_id_wherever_the_client_is() {
    let tables = tables();
    for port in 1000..1050 {
        for id in 1..=5 {
            assert_eq!(send(&tables, port, &short(id)).backend, u32::from(id));
        }
    }
    assert!(tables.flows.borrow().is_empty());
}

#[test]
fn the_server_ids_of_another_service_name_nobody() {
    let mut tables = tables();
    let all = std::mem::take(&mut tables.servers);
    let other = |(id, backend): (ServerId, u32)| (ServerId { service: 2, ..id }, backend);
    tables.servers = all.into_iter().map(other).collect();
    assert_eq!(send(&tables, 1000, &short(5)).backend, 1, "the previous owner");
}

#[test]
fn a_client_that_retries_stays_with_its_first_backend() {
    let tables = tables();
    assert_eq!(send(&tables, 1000, &initial(&[0xff; 8])).backend, 2);
    for index in BASE..BASE + SLOTS {
        tables.slots.borrow_mut().insert(index, Slot::moving(3, 1, 1, 7));
    }
    assert_eq!(send(&tables, 1000, &initial(&[0xff; 8])).backend, 2, "once more");
    assert_eq!(send(&tables, 1001, &initial(&[0xff; 8])).backend, 3, "another client");
    assert_eq!(send(&tables, 1000, &[0x40; 20]).backend, 2, "an id that names nobody");
}

#[test]
fn whoever_takes_no_flows_gets_none_by_chance() {
    let mut tables = tables();
    tables.backends.get_mut(&4).expect("a backend").flags |= BACKEND_LEAVING;
    tables.backends.get_mut(&5).expect("a backend").flags |= BACKEND_DEAD;
    let by_chance = |id| initial(&[&[0x08], &server(id)[..], &[1, 2, 3, 4]].concat());
    assert_eq!(send(&tables, 1000, &by_chance(3)).backend, 3);
    assert_eq!(send(&tables, 1001, &by_chance(4)).backend, 2);
    assert_eq!(send(&tables, 1002, &by_chance(5)).backend, 2);
    assert_eq!(send(&tables, 1003, &short(4)).backend, 4);
    assert_eq!(send(&tables, 1004, &short(5)).backend, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_datagram_reaches_a_backend(
        datagram in prop::collection::vec(any::<u8>(), 0..40),
        port: u16,
    ) {
        let tables = tables();
        let done = send(&tables, port, &datagram);
        prop_assert_eq!(done.reason, Reason::Forwarded);
        // Nobody is named by chance in so few tries.
        prop_assert!([1, 2].contains(&done.backend));
        // It is remembered if and only if it opened a flow.
        prop_assert_eq!(tables.flows.borrow().len(), usize::from(done.backend == 2));
    }

    #[test]
    fn what_is_behind_the_server_id_does_not_matter(
        id in 1..=5_u8,
        first in 0x40..0x80_u8,
        length_bits in 0..0x20_u8,
        rest in prop::collection::vec(any::<u8>(), 0..40),
        port: u16,
    ) {
        let datagram = [&[first, length_bits], &server(id)[..], &rest].concat();
        prop_assert_eq!(send(&tables(), port, &datagram).backend, u32::from(id));
    }
}
