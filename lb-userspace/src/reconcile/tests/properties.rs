//! What holds for every pair of configurations: the plan leads there, and no step is unsafe.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use lb_common::{
    abi::{BACKEND_TAGGED, Vlan},
    slot::Slot,
};
use proptest::prelude::*;

use super::{
    super::{Image, Op, compile::Target, plan},
    World, applied, last_byte, name, target,
};
use crate::model::{
    Backend, BackendState, Forward, Pool, Protocol, Service, Vip,
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
    (vip, prop::sample::select(&POOLS), any::<bool>()).prop_map(
        |((host, v6, port, udp), pool, nat)| {
            let ip: IpAddr = if v6 {
                Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, host).into()
            } else {
                Ipv4Addr::from(0xc000_0200 + u32::from(host)).into()
            };
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let listen = Vip::exact(SocketAddr::new(ip, port), protocol);
            Service::new(listen, name(pool), if nat { Forward::Nat } else { Forward::Dsr })
        },
    )
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
        prop_assert_eq!(before.services.len(), first.desired.services.len());
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
        }
    }
}
