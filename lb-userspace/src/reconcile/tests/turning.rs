//! Schedulers that need tables of their own: turns, weights and limits.

use std::collections::BTreeSet;

use lb_common::{
    abi::{Limits, SERVICE_AFFINITY, SERVICE_LIMITED, Scheduler as Code, Tracking as Kept},
    limit::Rate,
    limits::MAX_TURNS,
};

use super::{
    super::{
        Image, Op,
        compile::compile,
        layout::{Layout, LayoutError},
    },
    World, applied, id_of, name, plan, slots_of, vip_endpoint,
};
use crate::model::{
    Affinity, BackendState, Forward, NoBackend, RateLimit, Scheduler, Service, Tracking, Udp,
};

const WEB: &str = "192.0.2.1:80/tcp";

/// A service of three backends of weight 10.
fn world(change: impl FnOnce(&mut Service)) -> World {
    let mut world = World::empty().large_pool("web", 3).service("web", WEB, "web", Forward::Dsr);
    change(world.desired.services.get_mut(&name("web")).unwrap());
    world
}

fn by(scheduler: Scheduler) -> World {
    world(|service| (service.scheduler, service.tracking) = (scheduler, Tracking::Full))
}

fn entry(image: &Image) -> lb_common::abi::Service {
    image.services[&vip_endpoint(WEB.parse().unwrap())]
}

#[test]
fn a_service_says_what_it_wants() {
    let plain = entry(&world(|_| ()).fresh());
    assert_eq!((plain.flags, plain.scheduler, plain.no_backend), (0, 0, 0));
    for (scheduler, code) in [
        (Scheduler::Maglev, Code::Maglev),
        (Scheduler::RoundRobin, Code::RoundRobin),
        (Scheduler::Random, Code::Random),
        (Scheduler::LeastFlows, Code::LeastFlows),
    ] {
        let entry = entry(&by(scheduler).fresh());
        assert_eq!((entry.scheduler, entry.tracking), (code as u8, Kept::All as u8));
    }
    let image = world(|service| {
        service.affinity = Affinity::ClientIp;
        service.no_backend = NoBackend::Pass;
        service.new_flows_per_source = Some(RateLimit::new(50, Some(100)).unwrap());
    })
    .fresh();
    let entry = entry(&image);
    assert_eq!((entry.flags, entry.no_backend), (SERVICE_AFFINITY | SERVICE_LIMITED, 2));
    let source = Rate { interval: 20_000_000, burst: 100 };
    assert_eq!(image.limits[&entry.id], Limits { source, ..Limits::default() });
    let none = world(|_| ()).after(&image);
    assert!(none.limits.is_empty());
    assert!(applied(&plan(&image, &none), image) == none);
}

/// Flows that were there before all were remembered stay where they are.
#[test]
fn slots_move_where_flows_may_be_older_than_what_is_remembered() {
    for (tracking, udp, moves) in
        [(Tracking::Full, Udp::Stateless, true), (Tracking::JustEnough, Udp::Tracked, false)]
    {
        let listen = if moves { WEB } else { "192.0.2.1:80/udp" };
        let mut world =
            World::empty().large_pool("web", 3).service("web", listen, "web", Forward::Dsr);
        let service = world.desired.services.get_mut(&name("web")).unwrap();
        (service.tracking, service.udp) = (tracking, udp);
        let before = world.fresh();
        world.backend_mut("web", "10.9.0.1:80").state = BackendState::Drained;
        let after = world.after(&before);
        assert_eq!(slots_of(&after, listen).iter().any(|slot| slot.is_moving()), moves);
    }
}

#[test]
fn backends_take_turns_if_they_take_new_flows() {
    let mut world = by(Scheduler::RoundRobin);
    world.backend_mut("web", "10.9.0.1:80").weight = 20.try_into().unwrap();
    let image = world.fresh();
    let [one, two, three] =
        ["10.9.0.1:80", "10.9.0.2:80", "10.9.0.3:80"].map(|it| id_of(&image, "web", it));
    let service = entry(&image);
    assert_eq!((service.first_turn, service.turns), (0, 4));
    assert_eq!(image.turns[&0], [one, two, three, one]);

    world.backend_mut("web", "10.9.0.1:80").state = BackendState::Drained;
    world.down.insert((name("web"), "10.9.0.2:80".parse().unwrap()));
    let fewer = world.after(&image);
    assert_eq!((entry(&fewer).turns, &fewer.turns[&0]), (1, &vec![three]));
    assert!(applied(&plan(&image, &fewer), image) == fewer);
    world.down.insert((name("web"), "10.9.0.3:80".parse().unwrap()));
    let none = world.after(&fewer);
    assert_eq!((entry(&none).turns, none.turns.len()), (0, 0));
    assert!(applied(&plan(&fewer, &none), fewer) == none);
}

#[test]
fn turns_keep_their_place_while_they_fit() {
    let vip = |port: u16| lb_common::abi::Endpoint { port_be: port, ..Default::default() };
    let mut layout = Layout::default();
    assert_eq!(layout.turns(vip(1), 0), Ok((0, 0)));
    assert_eq!(layout.turns(vip(1), 10), Ok((0, 10)));
    assert_eq!(layout.turns(vip(2), 10), Ok((10, 10)));
    let image = |places: &[(u16, u32, u32)]| {
        let mut image = Image::default();
        for (id, (port, first_turn, turns)) in (1..).zip(places) {
            let (first_turn, turns) = (*first_turn, *turns);
            let service = lb_common::abi::Service { id, first_turn, turns, ..Default::default() };
            image.services.insert(vip(*port), service);
        }
        image
    };
    let present = image(&[(1, 0, 6), (2, 10, 10)]);
    let mut layout = Layout::of(&present);
    assert_eq!(layout.turns(vip(1), 10), Ok((0, 10)), "there is room behind it");
    assert_eq!(layout.turns(vip(2), 3), Ok((10, 3)));
    assert_eq!(layout.turns(vip(3), 5), Ok((20, 5)), "what shrinks is still in use");
    let mut layout = Layout::of(&present);
    assert_eq!(layout.turns(vip(1), 11), Ok((20, 11)), "there is not");
    let most = (MAX_TURNS - 20) as usize;
    assert_eq!(Layout::of(&present).turns(vip(3), most), Ok((20, MAX_TURNS - 20)));
    let error = LayoutError::Turns { turns: most + 1 };
    assert_eq!(Layout::of(&present).turns(vip(3), most + 1), Err(error));
}

#[test]
fn without_room_nothing_is_planned() {
    let world = by(Scheduler::RoundRobin);
    let mut present = Image::default();
    let vip = vip_endpoint("192.0.2.9:1/tcp".parse().unwrap());
    let hog = lb_common::abi::Service { id: 1, turns: MAX_TURNS - 2, ..Default::default() };
    present.services.insert(vip, hog);
    let error = compile(&world.inputs(), &present).unwrap_err();
    assert_eq!(error, LayoutError::Turns { turns: 3 });
    assert!(error.to_string().contains("round-robin"), "{error}");
}

#[test]
fn weights_are_there_before_they_are_asked_for() {
    let mut world = by(Scheduler::LeastFlows);
    world.backend_mut("web", "10.9.0.2:80").weight = 7.try_into().unwrap();
    let image = world.fresh();
    let weight = |address| image.weights[&id_of(&image, "web", address)];
    assert_eq!((weight("10.9.0.1:80"), weight("10.9.0.2:80")), (10, 7));
    let ops = plan(&Image::default(), &image);
    let service = ops.iter().position(|op| matches!(op, Op::PutService(..))).unwrap();
    let weights: BTreeSet<usize> = (0..ops.len())
        .filter(|at| matches!(ops[*at], Op::PutWeight(..) | Op::PutTurns(..)))
        .collect();
    assert!(weights.len() == 3 && weights.iter().all(|at| *at < service));
    let maglev = by(Scheduler::Maglev).after(&image);
    assert!(maglev.weights.is_empty());
}
