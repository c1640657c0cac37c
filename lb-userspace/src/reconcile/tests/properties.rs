//! What holds for every pair of configurations: the plan leads there, and no step is unsafe.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use lb_common::{
    abi::{
        self, BACKEND_TAGGED, Endpoint, META_RANGES, META_WIDE_ORIGINS, SERVICE_ALLOWS,
        SERVICE_LIMITED, SERVICE_LIST_V4, SERVICE_LIST_V6, SERVICE_LISTED, SERVICE_RANGES,
        Scheduler as Code, Vlan, is_v4_mapped,
    },
    hash,
    slot::Slot,
};
use proptest::prelude::*;

use super::{
    super::{
        Image, Op,
        compile::{Target, address_be},
        plan,
    },
    World, applied, last_byte, name, target,
};
use crate::model::{
    Access, Backend, BackendState, Forward, Pool, Protocol, RateLimit, Rule, Scheduler, Service,
    Tracking, Vip,
    rules::{self, missing_pool},
};

const POOLS: [&str; 3] = ["p0", "p1", "p2"];

/// A pool of one family and port, rarely one that needs more than the smallest ring.
fn pool() -> impl Strategy<Value = Pool> {
    let backend = (1..=20_i64, any::<bool>()).prop_map(|(weight, enabled)| Backend {
        weight: weight.try_into().unwrap(),
        state: if enabled { BackendState::Enabled } else { BackendState::Drained },
    });
    let small = prop::collection::btree_map(1..12_u8, backend.clone(), 0..6);
    let large = prop::collection::btree_map(1..120_u8, backend, 41..50);
    let hosts = prop_oneof![6 => small, 1 => large];
    (hosts, 0..2_u8, prop::bool::weighted(0.3), 80..82_u16).prop_map(|(hosts, net, v6, port)| {
        let address = |host: u8| -> IpAddr {
            if v6 {
                Ipv6Addr::new(0x2001, 0xdb8, u16::from(net), 0, 0, 0, 0, host.into()).into()
            } else {
                Ipv4Addr::new(10, 0, net, host).into()
            }
        };
        let backends = hosts.into_iter();
        let backends = backends.map(|(host, b)| (SocketAddr::new(address(host), port), b));
        Pool { backends: backends.collect(), ..Pool::default() }
    })
}

fn service() -> impl Strategy<Value = Service> {
    let vip = (1..4_u16, prop::bool::weighted(0.3), 80..82_u16, any::<bool>());
    let ports = prop::sample::select(&[0, 0, 0, 5, u16::MAX]);
    (vip, prop::sample::select(&POOLS), any::<bool>(), ports, access(), 0..5_u8).prop_map(
        |((host, v6, port, udp), pool, nat, ports, access, asked)| {
            let ip: IpAddr = if v6 {
                Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, host).into()
            } else {
                Ipv4Addr::from(0xc000_0200 + u32::from(host)).into()
            };
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let mut listen = Vip::exact(SocketAddr::new(ip, port), protocol);
            match ports {
                0 => {}
                u16::MAX => {
                    listen.address.set_port(1);
                    listen.last_port = ports;
                }
                _ => listen.last_port += ports,
            }
            let forward = if nat { Forward::Nat } else { Forward::Dsr };
            let mut service = Service::new(listen, name(pool), forward);
            service.access = access;
            if asked > 0 && !udp {
                service.tracking = Tracking::Full;
                service.scheduler = [
                    Scheduler::Maglev,
                    Scheduler::RoundRobin,
                    Scheduler::LeastFlows,
                    Scheduler::RoundRobin,
                ][usize::from(asked - 1)];
                service.new_flows = RateLimit::new(asked.into(), None).ok().filter(|_| asked < 3);
            }
            service
        },
    )
}

/// Few prefixes, one inside another, of both families, shorter and longer than the filter knows.
fn access() -> impl Strategy<Value = Access> {
    let rules = prop::collection::btree_map(prop::sample::select(&PREFIXES), any::<bool>(), 0..6);
    let none = prop::bool::weighted(0.3);
    (rules, none).prop_map(|(rules, none)| {
        let mut access = Access::default();
        for (prefix, allow) in rules.into_iter().filter(|_| !none) {
            let rule = if allow { Rule::Allow } else { Rule::Deny };
            access.add(rule, prefix.parse().unwrap()).unwrap();
        }
        access
    })
}

const PREFIXES: [&str; 11] = [
    "0.0.0.0/0",
    "198.0.0.0/7",
    "198.51.0.0/16",
    "198.51.100.0/24",
    "198.51.100.7/32",
    "203.0.113.0/25",
    "::/0",
    "2001::/16",
    "2001:db8:1::/48",
    "2001:db8:1:2::/64",
    "2001:db8:1:2::3/128",
];

const SOURCES: [&str; 8] = [
    "198.51.100.7",
    "198.51.100.8",
    "198.51.101.1",
    "203.0.113.1",
    "203.0.113.200",
    "2001:db8:1:2::3",
    "2001:db8:1:2::4",
    "2001:db9::1",
];

/// Whether a service is there for a source, as the program says it.
fn serves(image: &Image, service: &abi::Service, source: IpAddr) -> bool {
    if service.flags & SERVICE_LISTED == 0 {
        return true;
    }
    let serves_others = service.flags & SERVICE_ALLOWS == 0;
    let always = if source.is_ipv4() { SERVICE_LIST_V4 } else { SERVICE_LIST_V6 };
    let bit = hash::source_bit(service.list, &address_be((source, 0).into()).0);
    let marked = image.filter.word(bit / 64) >> (bit % 64) & 1 != 0;
    if service.flags & always == 0 && !marked {
        return serves_others;
    }
    let rules = image.lists.get(&service.list).into_iter().flat_map(|rules| rules.iter());
    let covering = rules.filter(|(prefix, _)| prefix.contains(source));
    let longest = covering.max_by_key(|(prefix, _)| prefix.length());
    longest.map_or(serves_others, |(_, rule)| *rule == Rule::Allow)
}

/// Who is served by some services.
fn served(image: &Image, services: &BTreeSet<Endpoint>) -> Vec<(Endpoint, IpAddr, bool)> {
    let sources = SOURCES.map(|source| -> IpAddr { source.parse().unwrap() });
    let of_service = |vip: &Endpoint| {
        let (vip, service) = (*vip, image.services[vip]);
        let family = is_v4_mapped(&vip.addr_be);
        let sources = sources.into_iter().filter(move |source| source.is_ipv4() == family);
        sources.map(move |source| (vip, source, serves(image, &service, source)))
    };
    services.iter().flat_map(of_service).collect()
}

/// Interfaces, and VLANs of some of them.
fn interfaces() -> impl Strategy<Value = (BTreeSet<u32>, BTreeMap<u32, Vlan>)> {
    let interfaces = prop::collection::btree_set(1..5_u32, 0..4);
    let vlans = prop::collection::btree_map(5..9_u32, (1..5_u32, 1..4_u32), 0..4);
    (interfaces, vlans).prop_map(|(interfaces, vlans)| {
        let vlans = vlans.into_iter().filter(|(_, (parent, _))| interfaces.contains(parent));
        let vlans = vlans.map(|(vlan, (ifindex, tags))| (vlan, Vlan { ifindex, tags })).collect();
        (interfaces, vlans)
    })
}

/// A configuration that obeys the rules: services that break one are left out.
fn world() -> impl Strategy<Value = World> {
    let pools = prop::collection::btree_map(prop::sample::select(&POOLS), pool(), 0..4);
    let services = prop::collection::vec(service(), 0..8);
    let known = any::<[u8; 2]>();
    (pools, services, interfaces(), known, prop::bool::weighted(0.1)).prop_map(
        |(pools, services, (interfaces, vlans), [known, tagged], reseeded)| {
            let mut world = World { interfaces, vlans, ..World::empty() };
            world.desired.daemon.seed += u64::from(reseeded);
            world.desired.pools = pools.into_iter().map(|(key, pool)| (name(key), pool)).collect();
            for (number, service) in services.into_iter().enumerate() {
                if missing_pool(&world.desired, "", &service.pool).is_some() {
                    continue;
                }
                let key = name(&format!("s{number}"));
                world.desired.services.insert(key.clone(), service);
                if !rules::problems(&world.desired).is_empty() {
                    world.desired.services.remove(&key);
                }
            }
            let addresses = world.desired.pools.values().flat_map(|pool| pool.backends.keys());
            let resolved = addresses
                .map(|address| (address.ip(), last_byte(address.ip())))
                .filter(|(_, last)| known >> (last % 8) & 1 == 1);
            let tags = |last: u8| u32::from(tagged >> (last % 8) & 1) * u32::from(tagged);
            let target = |last| Target { tags: tags(last), ..target(last) };
            world.targets = resolved.map(|(ip, last)| (ip, target(last))).collect();
            world
        },
    )
}

/// The kernel's side: one flat array of slots, and no notion of which are in use.
#[derive(Debug, Default)]
struct Slots(BTreeMap<u32, u64>);

impl Slots {
    fn apply(&mut self, ops: &[Op]) {
        for op in ops {
            if let Op::PutSlots(first, words) = op {
                self.0.extend((*first..).zip(words.iter().copied()));
            }
        }
    }

    /// Whether the rings of all services hold what an image says.
    fn agree(&self, image: &Image) -> bool {
        image.services.values().all(|service| {
            let range = service.ring_base..=service.ring_base + service.ring_mask;
            let ring = self.0.range(range).map(|(_, word)| *word);
            image.rings.get(&service.ring_base).is_some_and(|words| ring.eq(words.iter().copied()))
        })
    }
}

fn words_safe(image: &Image, words: &[u64]) -> bool {
    let owners: BTreeSet<u32> = words.iter().map(|word| Slot::from_word(*word).owner()).collect();
    owners.into_iter().all(|owner| owner == 0 || image.backends.contains_key(&owner))
}

/// Whether no packet can be led to an entry that is not there.
fn safe(image: &Image) -> bool {
    let ring = |base| image.rings.get(&base);
    image.services.values().all(|service| {
        ring(service.ring_base).is_some_and(|words| {
            words.len() == service.ring_mask as usize + 1 && words_safe(image, words)
        })
    }) && image.origins.values().all(|origin| image.backends.contains_key(&origin.backend))
        && image.vlans.values().all(|vlan| image.interfaces.contains(&vlan.ifindex))
        && image
            .backends
            .iter()
            .all(|(id, backend)| backend.flags & BACKEND_TAGGED == 0 || image.tags.contains_key(id))
        && asked_for(image)
}

/// Whether all that services ask for besides a ring is there.
fn asked_for(image: &Image) -> bool {
    let wide = image.origins.keys().any(|key| key.wide != 0);
    let ids: BTreeSet<u32> = image.services.values().map(|service| service.id).collect();
    let ranges = || image.ranges.values().flat_map(|row| row.ranges);
    let services = image.services.values().all(|service| {
        let turns = image.turns.get(&service.first_turn).map_or(&[][..], Vec::as_slice);
        (service.flags & SERVICE_LIMITED == 0 || image.limits.contains_key(&service.id))
            && turns.iter().all(|id| image.backends.contains_key(id))
            && (service.scheduler != Code::RoundRobin as u8
                || service.turns == 0
                || !turns.is_empty())
    });
    services
        && ranges().all(|range| range.service == 0 || ids.contains(&range.service))
        && (image.ranges.is_empty() || image.meta & META_RANGES != 0)
        && (!wide || image.meta & META_WIDE_ORIGINS != 0)
}

fn check_steps(before: &Image, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut image = before.clone();
    for op in ops {
        image.apply(op);
        // Slots are many, and only those written can have become wrong.
        let safe = match op {
            Op::PutSlots(_, words) => words_safe(&image, words),
            _ => safe(&image),
        };
        prop_assert!(safe, "after {op:?}");
    }
    prop_assert!(safe(&image));
    Ok(())
}

fn no_overlap(image: &Image) -> bool {
    let rings: Vec<_> = image.rings.iter().map(|(base, ring)| (*base, ring.len())).collect();
    rings.windows(2).all(|pair| pair[0].0 as usize + pair[0].1 <= pair[1].0 as usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_plan_leads_from_any_image_to_any_other(first in world(), second in world()) {
        let before = first.fresh();
        let after = second.after(&before);
        let services = before.services.values();
        let services = services.filter(|entry| entry.flags & SERVICE_RANGES == 0).count();
        prop_assert_eq!(services, first.desired.services.len());
        prop_assert!(applied(&plan(&Image::default(), &before), Image::default()) == before);
        prop_assert!(applied(&plan(&before, &after), before.clone()) == after);
        prop_assert!(applied(&plan(&after, &Image::default()), after) == Image::default());
    }

    #[test]
    fn every_step_of_a_plan_is_safe(first in world(), second in world()) {
        let before = first.fresh();
        let after = second.after(&before);
        check_steps(&Image::default(), &plan(&Image::default(), &before))?;
        check_steps(&before, &plan(&before, &after))?;
        check_steps(&after, &plan(&after, &Image::default()))?;
    }

    #[test]
    fn at_every_step_a_source_is_served_as_before_or_as_after(first in world(), second in world()) {
        let before = first.fresh();
        let after = second.after(&before);
        let stay = before.services.iter().filter(|(vip, entry)| {
            after.services.contains_key(vip) && entry.flags & SERVICE_RANGES == 0
        });
        let stay: BTreeSet<Endpoint> = stay.map(|(vip, _)| *vip).collect();
        let (was, shall) = (served(&before, &stay), served(&after, &stay));
        let mut image = before.clone();
        for op in plan(&before, &after) {
            image.apply(&op);
            if matches!(op, Op::PutSlots(..) | Op::PutBackend(..)) {
                continue;
            }
            for ((now, was), shall) in served(&image, &stay).iter().zip(&was).zip(&shall) {
                prop_assert!(now == was || now == shall, "{was:?} to {shall:?} after {op:?}");
            }
        }
    }

    #[test]
    fn what_stays_keeps_its_id_and_place(first in world(), second in world()) {
        let before = first.fresh();
        let after = second.after(&before);
        for (id, old) in &before.backends {
            for (new_id, new) in &after.backends {
                prop_assert_eq!(id == new_id, old.identity == new.identity);
            }
        }
        for (vip, old) in &before.services {
            let same_id: Vec<_> =
                after.services.iter().filter(|(_, new)| new.id == old.id).collect();
            prop_assert!(same_id.iter().all(|(key, _)| *key == vip));
            let Some(new) = after.services.get(vip) else { continue };
            prop_assert_eq!(new.id, old.id);
            prop_assert_eq!(new.ring_base == old.ring_base, new.ring_mask == old.ring_mask);
            prop_assert!(new.ring_mask >= old.ring_mask);
        }
        prop_assert!(no_overlap(&before) && no_overlap(&after));
    }

    #[test]
    fn a_plan_that_stopped_half_way_can_be_taken_up_again(
        first in world(), second in world(), third in world(), stop in any::<prop::sample::Index>(),
    ) {
        let before = first.fresh();
        let mut slots = Slots::default();
        slots.apply(&plan(&Image::default(), &before));
        let ops = plan(&before, &second.after(&before));
        let done = &ops[..stop.index(ops.len() + 1)];
        slots.apply(done);
        let mut image = applied(done, before);
        for next in [&first, &third, &second] {
            let wanted = next.after(&image);
            let ops = plan(&image, &wanted);
            check_steps(&image, &ops)?;
            slots.apply(&ops);
            image = applied(&ops, image);
            prop_assert!(slots.agree(&image));
            prop_assert!(slots.agree(&wanted));
            prop_assert_eq!(plan(&image, &wanted), []);
            prop_assert_eq!(&image.services, &wanted.services);
            prop_assert_eq!(&image.backends, &wanted.backends);
            prop_assert_eq!(&image.origins, &wanted.origins);
            prop_assert_eq!(&image.tags, &wanted.tags);
            prop_assert_eq!(&image.vlans, &wanted.vlans);
            prop_assert_eq!(&image.ranges, &wanted.ranges);
            prop_assert_eq!(&image.limits, &wanted.limits);
            prop_assert_eq!(&image.weights, &wanted.weights);
            prop_assert_eq!(&image.lists, &wanted.lists);
            prop_assert!(image.filter == wanted.filter);
            prop_assert_eq!(image.meta, wanted.meta);
            for (first, turns) in &wanted.turns {
                prop_assert_eq!(image.turns.get(first), Some(turns));
            }
        }
    }
}
