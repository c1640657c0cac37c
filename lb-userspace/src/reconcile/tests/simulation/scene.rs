//! What there is in the simulated world: services of each kind, two pools that share addresses, and
//! the changes that can be made to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use proptest::prelude::*;

use super::super::{World, name};
use crate::{
    model::{Backend, BackendState, Desired, Forward, Name, Pool, Protocol, Service, Udp, Vip},
    reconcile::compile::{Down, Target},
};

/// A service by what matters to its flows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) forward: Forward,
    pub(super) protocol: Protocol,
    pub(super) udp: Udp,
    /// Connection ids name their server.
    pub(super) ids: bool,
    pool: usize,
}

const fn tcp(forward: Forward, pool: usize) -> Kind {
    Kind { forward, protocol: Protocol::Tcp, udp: Udp::Stateless, ids: false, pool }
}

const fn udp(forward: Forward, udp: Udp, ids: bool) -> Kind {
    Kind { forward, protocol: Protocol::Udp, udp, ids, pool: 0 }
}

/// Every kind of service. The second is there twice: two services share their backends.
pub(super) const KINDS: [Kind; 13] = [
    tcp(Forward::Dsr, 0),
    tcp(Forward::Nat, 0),
    tcp(Forward::Nat, 0),
    tcp(Forward::Nat, 1),
    tcp(Forward::FullNat, 0),
    tcp(Forward::Ipip, 0),
    tcp(Forward::Gue, 0),
    udp(Forward::Nat, Udp::Tracked, false),
    udp(Forward::Dsr, Udp::Tracked, false),
    udp(Forward::Dsr, Udp::Quic, false),
    udp(Forward::Nat, Udp::Quic, true),
    udp(Forward::Nat, Udp::Stateless, false),
    udp(Forward::FullNat, Udp::Stateless, false),
];

/// The word of the VLAN tags on the way to a backend, by its host: one, two or none.
pub(super) fn tags(host: u8) -> u32 {
    let inner = u32::from(host);
    [0, inner, 0x0009_0000 | inner][usize::from(host % 3)]
}

/// Clients of each service that share their address and port with one of each other service.
pub(super) const TWINS: u16 = 2;

pub(super) const POOLS: usize = 2;
const NAMES: [&str; POOLS] = ["a", "b"];
/// Hosts of the first pool are 1 to 8, of the second 6 to 13: three are in both.
const FIRST_HOST: [u8; POOLS] = [1, 6];
const HOSTS: u8 = 8;
/// One backend more than the smallest ring has room for.
const MANY: u8 = 41;

/// What stays as it is in one world.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) v6: bool,
    /// Services that are there from the beginning.
    pub(super) services: BTreeSet<usize>,
    /// Ticks that a flow may be silent for.
    pub(super) idle: u16,
    /// Ticks that each pool's backends keep their flows for when they leave.
    pub(super) drain: [Option<u16>; POOLS],
    pub(super) fail_open: bool,
    /// Entries that the flow tables have room for; 0 for any number.
    pub(super) room: usize,
}

impl Setup {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let drain = || prop::option::weighted(0.5, 0..60_u16);
        let services = prop::collection::btree_set(0..KINDS.len(), 1..4);
        let room = prop_oneof![4 => Just(0), 1 => 20..60_usize];
        (prop::bool::weighted(0.2), services, 10..150_u16, [drain(), drain()], any::<bool>(), room)
            .prop_map(|(v6, services, idle, drain, fail_open, room)| Self {
                v6,
                services,
                idle,
                drain,
                fail_open,
                room,
            })
    }

    /// The tick-long timeouts as durations.
    fn duration(ticks: u16) -> Duration {
        Duration::from_nanos(u64::from(ticks) << 30)
    }

    pub(super) fn backend(&self, host: u8) -> SocketAddr {
        let ip: IpAddr = if self.v6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, host.into()).into()
        } else {
            Ipv4Addr::new(203, 0, 113, host).into()
        };
        (ip, 80).into()
    }

    pub(super) fn vip(&self, kind: usize) -> Vip {
        let last = u8::try_from(kind).unwrap() + 1;
        let ip: IpAddr = if self.v6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, last.into()).into()
        } else {
            Ipv4Addr::new(192, 0, 2, last).into()
        };
        Vip::exact((ip, 80).into(), KINDS[kind].protocol)
    }

    /// A client of a service by its number.
    pub(super) fn client(&self, kind: usize, number: u16) -> SocketAddr {
        let host = 1 + u8::try_from(number % 4).unwrap();
        let ip: IpAddr = if self.v6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, host.into()).into()
        } else {
            Ipv4Addr::new(198, 51, 100, host).into()
        };
        let shift = if number < TWINS { 0 } else { u16::try_from(kind).unwrap() * 1000 };
        (ip, 40_000 + shift + number).into()
    }

    fn service(&self, kind: usize) -> Service {
        let Kind { forward, udp, pool, .. } = KINDS[kind];
        let mut service = Service::new(self.vip(kind), name(NAMES[pool]), forward);
        service.udp = udp;
        service.idle_timeout = Self::duration(self.idle);
        if forward == Forward::FullNat {
            let prefix = if self.v6 { "2001:db8:f::40/126" } else { "198.51.100.64/30" };
            service.source = vec![prefix.parse().unwrap()];
            service.source_ports = "1024-1279".parse().unwrap();
        }
        service
    }

    /// Three backends in each pool, and the first services.
    pub(super) fn world(&self) -> World {
        let mut world = World::empty();
        for (number, key) in NAMES.iter().enumerate() {
            let drain_timeout = self.drain[number].map(Self::duration);
            let pool = Pool { drain_timeout, ..Pool::default() };
            world.desired.pools.insert(name(key), pool);
            for host in 0..3 {
                Change::Add(number, host).make(self, &mut world);
            }
        }
        for host in 0..=u8::MAX {
            let target = Target {
                ifindex: 2,
                tags: tags(host),
                mac: [2, 0, 0, 0, 0, host],
                source_mac: [2; 6],
                mtu: 1500,
                source: self.vip(0).address.ip(),
            };
            world.targets.insert(self.backend(host).ip(), target);
        }
        for kind in &self.services {
            Change::AddService(*kind).make(self, &mut world);
        }
        world
    }
}

/// A change to the configuration, or to the health of backends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Add(usize, u8),
    Remove(usize, u8),
    Drain(usize, u8),
    Enable(usize, u8),
    Weight(usize, u8, u8),
    Fail(usize, u8),
    Recover(usize, u8),
    FailAll(usize),
    RecoverAll(usize),
    /// Sends a service to the other pool.
    Swap(usize),
    AddService(usize),
    RemoveService(usize),
    /// So many backends that rings must grow.
    Grow(usize),
    /// Back to the usual ones.
    Shrink(usize),
    /// Nothing: the daemon only looks at the clock.
    Refresh,
}

impl Change {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let place = || (0..POOLS, 0..HOSTS);
        prop_oneof![
            6 => place().prop_map(|(pool, host)| Self::Add(pool, host)),
            6 => place().prop_map(|(pool, host)| Self::Remove(pool, host)),
            4 => place().prop_map(|(pool, host)| Self::Drain(pool, host)),
            4 => place().prop_map(|(pool, host)| Self::Enable(pool, host)),
            2 => (place(), 1..20_u8).prop_map(|((p, host), weight)| Self::Weight(p, host, weight)),
            4 => place().prop_map(|(pool, host)| Self::Fail(pool, host)),
            4 => place().prop_map(|(pool, host)| Self::Recover(pool, host)),
            1 => (0..POOLS).prop_map(Self::FailAll),
            2 => (0..POOLS).prop_map(Self::RecoverAll),
            2 => (0..KINDS.len()).prop_map(Self::Swap),
            2 => (0..KINDS.len()).prop_map(Self::AddService),
            1 => (0..KINDS.len()).prop_map(Self::RemoveService),
            1 => (0..POOLS).prop_map(Self::Grow),
            1 => (0..POOLS).prop_map(Self::Shrink),
            3 => Just(Self::Refresh),
        ]
    }

    /// Makes it; one that cannot be made changes nothing.
    pub(super) fn make(self, setup: &Setup, world: &mut World) {
        let at = |pool: usize, host: u8| setup.backend(FIRST_HOST[pool] + host);
        let service = |kind: usize| name(&format!("s{kind}"));
        let World { desired, down, .. } = world;
        let new = Backend { weight: 10.into_weight(), state: BackendState::Enabled };
        match self {
            Self::Add(number, host) => {
                backends_of(desired, number).entry(at(number, host)).or_insert(new);
            }
            Self::Remove(number, host) => {
                backends_of(desired, number).remove(&at(number, host));
            }
            Self::Drain(number, host) => {
                if let Some(backend) = backends_of(desired, number).get_mut(&at(number, host)) {
                    backend.state = BackendState::Drained;
                }
            }
            Self::Enable(number, host) => {
                if let Some(backend) = backends_of(desired, number).get_mut(&at(number, host)) {
                    backend.state = BackendState::Enabled;
                }
            }
            Self::Weight(number, host, weight) => {
                if let Some(backend) = backends_of(desired, number).get_mut(&at(number, host)) {
                    backend.weight = weight.into_weight();
                }
            }
            Self::Fail(number, host) => _ = down.insert((name(NAMES[number]), at(number, host))),
            Self::Recover(number, host) => {
                down.remove(&(name(NAMES[number]), at(number, host)));
            }
            Self::FailAll(number) => {
                for address in backends_of(desired, number).keys() {
                    down.insert((name(NAMES[number]), *address));
                }
            }
            Self::RecoverAll(number) => down.retain(|(pool, _)| *pool != name(NAMES[number])),
            Self::Swap(kind) => {
                if let Some(service) = desired.services.get_mut(&service(kind)) {
                    let other = service.pool == name(NAMES[0]);
                    service.pool = name(NAMES[usize::from(other)]);
                }
            }
            Self::AddService(kind) => {
                // One service more than there were at the beginning: rings take time to fill.
                if desired.services.len() <= setup.services.len() {
                    desired.services.entry(service(kind)).or_insert_with(|| setup.service(kind));
                }
            }
            Self::RemoveService(kind) => _ = desired.services.remove(&service(kind)),
            Self::Grow(number) => {
                for host in 0..MANY {
                    // Beyond the hosts that the other pool can have.
                    let host =
                        if host < HOSTS { host } else { host + 20 * u8::from(number > 0) + 20 };
                    backends_of(desired, number).entry(at(number, host)).or_insert(new);
                }
            }
            Self::Shrink(number) => {
                let last = at(number, HOSTS);
                backends_of(desired, number).retain(|address, _| *address < last);
            }
            Self::Refresh => {}
        }
    }
}

fn backends_of(desired: &mut Desired, pool: usize) -> &mut BTreeMap<SocketAddr, Backend> {
    &mut desired.pools.get_mut(&name(NAMES[pool])).unwrap().backends
}

/// A number as a weight.
trait IntoWeight {
    fn into_weight(self) -> crate::model::Weight;
}

impl<T: Into<i64>> IntoWeight for T {
    fn into_weight(self) -> crate::model::Weight {
        self.into().try_into().unwrap()
    }
}

/// The backends that the tables leave out: with `fail_open`, a pool of which none is well is used
/// as if all were.
pub(super) fn left_out(setup: &Setup, world: &World) -> Down {
    let well = |pool: &Name, address: &SocketAddr| !world.down.contains(&(pool.clone(), *address));
    let mut out = Down::new();
    for (key, pool) in &world.desired.pools {
        let all_down = !pool.backends.keys().any(|address| well(key, address));
        if !(setup.fail_open && all_down) {
            let down = pool.backends.keys().filter(|address| !well(key, address));
            out.extend(down.map(|address| (key.clone(), *address)));
        }
    }
    out
}

/// Backends that may get new flows of a service.
pub(super) fn eligible(world: &World, down: &Down, kind: usize) -> BTreeSet<SocketAddr> {
    let service = world.desired.services.get(&name(&format!("s{kind}")));
    let pool =
        service.and_then(|service| Some((&service.pool, world.desired.pools.get(&service.pool)?)));
    let Some((key, pool)) = pool else { return BTreeSet::new() };
    let enabled = pool.enabled().map(|(address, _)| address);
    enabled.filter(|address| !down.contains(&(key.clone(), *address))).collect()
}
