//! `nat` services that share a backend: each reply is of the service that the client spoke to.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{
    address,
    scene::{
        BASE, IDLE, Kind, SLOTS, VIPS, backend_address, client, ends, packet, route, run, service,
    },
};
use crate::{
    abi::{
        BACKEND_SHARED, ForwardMode, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin, Reason, Service,
        Tracking,
    },
    flow::is_over,
    host::{HostTables, endpoint},
    slot::Slot,
};

const OTHER_VIP: &str = "192.0.2.11:80";
const CLIENTS: u16 = 4;

/// Services 1 and 2, both with backend 1 alone; service 1 had it first.
fn tables() -> HostTables {
    let mut tables = service(ForwardMode::Nat, Tracking::Moving);
    tables.backends.get_mut(&1).expect("a backend").flags |= BACKEND_SHARED;
    let vip = address(VIPS[0]);
    for kind in [Kind::Data, Kind::Udp] {
        let first = endpoint(vip, kind.protocol());
        let second = Service { id: 2, ..tables.services[&first] };
        tables.services.insert(endpoint(address(OTHER_VIP), kind.protocol()), second);
        let flags = ORIGIN_TRACKED | ORIGIN_STATELESS;
        let (vip_be, port_be) = (first.addr_be, first.port_be);
        let origin = Origin { vip_be, port_be, flags, service: 1, backend: 1 };
        tables.origins.insert(endpoint(backend_address(1), kind.protocol()), origin);
    }
    for port in 0..CLIENTS {
        route(&mut tables, client(vip, 7, 1000 + port));
    }
    tables
}

#[test]
fn flows_older_than_the_sharing_are_of_the_first_service() {
    let tables = tables();
    let (vip, client) = (address(VIPS[0]), client(address(VIPS[0]), 7, 1000));
    let back = run(&tables, packet(Kind::Data, backend_address(1), client, 64, b"reply"));
    assert_eq!((back.reason, back.service), (Reason::Returned, 1));
    assert_eq!(ends(&back.frame), (vip, client));
    // Nothing is remembered on the way back: the client may have gone.
    assert!(tables.ways_back.borrow().is_empty());
}

#[test]
fn a_backend_that_is_not_shared_needs_no_memory() {
    let mut tables = tables();
    tables.backends.get_mut(&1).expect("a backend").flags &= !BACKEND_SHARED;
    let vip = address(VIPS[0]);
    assert_eq!(run(&tables, packet(Kind::Syn, client(vip, 7, 1000), vip, 64, &[])).backend, 1);
    assert!(tables.ways_back.borrow().is_empty());
}

/// Otherwise it would go on with the backend that it was refused, though its slot has another owner.
#[test]
fn a_flow_that_is_refused_is_not_remembered() {
    for (tracking, kind) in [(Tracking::All, Kind::Udp), (Tracking::Moving, Kind::Syn)] {
        let mut tables = tables();
        for service in tables.services.values_mut() {
            service.tracking = tracking as u8;
        }
        for index in BASE..BASE + SLOTS {
            tables.slots.get_mut().insert(index, Slot::moving(1, 2, 1, 7));
        }
        let (first, second) = (address(VIPS[0]), address(OTHER_VIP));
        let from = client(first, 7, 1000);
        assert_eq!(run(&tables, packet(kind, from, first, 64, &[])).reason, Reason::Forwarded);
        let flows = tables.flows.borrow().clone();
        let refused = run(&tables, packet(kind, from, second, 64, &[]));
        assert_eq!(refused.reason, Reason::FlowConflict);
        assert_eq!(*tables.flows.borrow(), flows);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send { port: u16, second: bool, kind: Kind },
    Reply { port: u16 },
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let port = || (0..CLIENTS).prop_map(|port| port + 1000);
    let kind = prop_oneof![Just(Kind::Syn), Just(Kind::Data), Just(Kind::Fin)];
    prop_oneof![
        6 => (port(), any::<bool>(), kind)
            .prop_map(|(port, second, kind)| Step::Send { port, second, kind }),
        3 => port().prop_map(|port| Step::Reply { port }),
        1 => (1..u32::from(IDLE) + 20).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// A client port is with one service at a time, and its replies are of that one.
    #[test]
    fn replies_are_of_the_service_that_the_client_spoke_to(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let tables = tables();
        let mut spoken: HashMap<u16, &str> = HashMap::new();
        for step in steps {
            match step {
                Step::Wait(ticks) => tables.now.set(tables.now.get() + ticks),
                Step::Send { port, second, kind } => {
                    let vip = if second { OTHER_VIP } else { VIPS[0] };
                    let from = client(address(vip), 7, port);
                    let mine = spoken.get(&port).is_none_or(|present| *present == vip);
                    let before = tables
                        .ways_back
                        .borrow()
                        .values()
                        .find(|way| way.client_port_be == port.to_be())
                        .copied();
                    let free = before.is_none_or(|way| {
                        is_over(way.state, way.seen, tables.now.get(), IDLE)
                            || kind == Kind::Syn && way.state == 2
                    });
                    let done = run(&tables, packet(kind, from, address(vip), 64, b"data"));
                    if mine || free {
                        prop_assert_eq!(done.reason, Reason::Forwarded);
                        spoken.insert(port, vip);
                    } else {
                        prop_assert_eq!(done.reason, Reason::FlowConflict);
                    }
                }
                Step::Reply { port } => {
                    let vip = address(spoken.get(&port).copied().unwrap_or(VIPS[0]));
                    let to = client(vip, 7, port);
                    let done =
                        run(&tables, packet(Kind::Data, backend_address(1), to, 64, b"reply"));
                    prop_assert_eq!(ends(&done.frame), (vip, to));
                }
            }
        }
    }
}
