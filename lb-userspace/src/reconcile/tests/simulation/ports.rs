//! Source ports of `full-nat`: as many flows as there are, each its own, and used again.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
};

use lb_common::{abi::Reason, decide::Route, host::addr_be, time::CLOSING_TICKS};

use super::{
    Simulation, name,
    scene::{Change, Setup},
    wire::{Body, Seen, send},
};
use crate::reconcile::compile::Down;

/// The kind of service that translates both ends of TCP.
const FULL_NAT: usize = 4;
/// More clients than ports.
const CLIENTS: u16 = 400;

/// One backend, one source address, and 256 ports.
fn narrow() -> Simulation {
    let setup = Setup {
        v6: false,
        services: BTreeSet::from([FULL_NAT]),
        idle: 1000,
        drain: [None, None],
        fail_open: false,
        room: 0,
    };
    let mut simulation = Simulation::new(&setup).unwrap();
    let service = simulation.world.desired.services.get_mut(&name("s4")).unwrap();
    service.source = vec!["198.51.100.99/32".parse().unwrap()];
    for host in [1, 2] {
        Change::Remove(0, host).make(&simulation.setup, &mut simulation.world);
    }
    for op in simulation.balancer.plan(&simulation.world, &Down::new()) {
        simulation.balancer.apply(&op);
    }
    let via = Route::Via { ifindex: 1, link: [0; 3] };
    simulation.balancer.tables.routes.insert(addr_be(client(0).ip()), via);
    simulation
}

fn client(number: u16) -> SocketAddr {
    (Ipv4Addr::new(198, 18, 0, 1), 10_000 + number).into()
}

fn to_service(simulation: &Simulation, number: u16, body: Body) -> Seen {
    let vip = simulation.setup.vip(FULL_NAT).address;
    send(&simulation.balancer.tables, client(number), vip, body)
}

fn exhausted(simulation: &Simulation) -> u64 {
    let counters = simulation.balancer.tables.counters.borrow();
    let counted = counters.iter().filter(|((_, reason), _)| *reason == Reason::PortsExhausted);
    counted.map(|(_, counter)| counter.packets).sum()
}

#[test]
fn ports_run_out_are_counted_and_used_again() {
    let mut simulation = narrow();
    let opened: Vec<_> =
        (0..CLIENTS).map(|number| (number, to_service(&simulation, number, Body::Syn))).collect();
    let (forwarded, refused): (Vec<_>, Vec<_>) =
        opened.into_iter().partition(|(_, seen)| seen.reason == Reason::Forwarded);
    assert!(refused.iter().all(|(_, seen)| seen.reason == Reason::PortsExhausted));
    assert!(forwarded.len() > 200, "{}", forwarded.len());
    assert_eq!(exhausted(&simulation), refused.len() as u64);
    let sources: BTreeSet<_> = forwarded.iter().map(|(_, seen)| seen.from).collect();
    assert_eq!(sources.len(), forwarded.len());
    // Both ends close; until that is over, nobody else gets a port.
    for (number, seen) in &forwarded {
        let fin = to_service(&simulation, *number, Body::Fin);
        assert_eq!((fin.reason, fin.from), (Reason::Forwarded, seen.from));
        let back = send(&simulation.balancer.tables, seen.to, seen.from, Body::Fin);
        assert_eq!((back.reason, back.to), (Reason::Returned, client(*number)));
    }
    let (number, _) = refused[0];
    assert_eq!(to_service(&simulation, number, Body::Syn).reason, Reason::PortsExhausted);
    let now = simulation.now() + CLOSING_TICKS;
    simulation.balancer.tables.now.set(now);
    for _ in 0..6 {
        simulation.balancer.sweep();
    }
    // Where the hash leads many to, some may still find none.
    let reasons =
        refused.iter().map(|(number, _)| to_service(&simulation, *number, Body::Syn).reason);
    let forwarded = reasons.filter(|reason| *reason == Reason::Forwarded).count();
    assert!(forwarded * 10 > refused.len() * 9, "{forwarded} of {}", refused.len());
}

/// A client that has closed may use its port again at once.
#[test]
fn a_client_that_begins_anew_gets_a_source_of_its_own() {
    let simulation = narrow();
    for number in 0..50 {
        for _ in 0..3 {
            let opened = to_service(&simulation, number, Body::Syn);
            assert_eq!(opened.reason, Reason::Forwarded);
            let again = to_service(&simulation, number, Body::Syn);
            assert_eq!(again.from, opened.from);
            let reset = send(&simulation.balancer.tables, opened.to, opened.from, Body::Rst);
            assert_eq!((reset.reason, reset.to), (Reason::Returned, client(number)));
        }
    }
    let ways = simulation.balancer.tables.ways_back.borrow();
    let own = ways.values().filter(|way| way.client_port_be.to_be() >= 10_000);
    assert_eq!(own.filter(|way| way.client_port_be.to_be() < 10_050).count(), 50);
}
