//! Counts of connections, and buckets of requests against the bound that they promise.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use lb_common::limit::Rate;
use proptest::prelude::*;

use super::{
    Client, Clients, ClientsShared,
    buckets::{Set, WAYS},
};
use crate::model::{RateLimit, listener::ClientLimits};

fn limits(most: u32, rate: i64, burst: i64) -> ClientLimits {
    ClientLimits {
        max_connections: most.try_into().ok(),
        rate_limit: RateLimit::new(rate, Some(burst)).ok(),
        ..ClientLimits::default()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_client_is_an_ipv4_address_or_the_network_of_an_ipv6_address() {
    let client = |text| Client::from(ip(text));
    assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
    assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
    assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    assert_ne!(client("::1"), client("0.0.0.1"));
}

#[test]
fn connections_count_until_they_end_and_through_changes() {
    let shared = ClientsShared::default();
    let two = Clients::new(&shared, &limits(2, 1, 1));
    let (one, other) = (ip("192.0.2.1"), ip("2001:db8::1"));
    let first = two.enter(one).unwrap();
    let second = two.enter(one).unwrap();
    assert!(two.enter(one).is_none());
    let others = two.enter(other).unwrap();
    assert!(two.enter(ip("2001:db8::2")).is_some(), "another of the same network");
    let one_only = Clients::new(&shared, &limits(1, 1, 1));
    drop(first);
    assert!(one_only.enter(one).is_none(), "what there was counts by the new limit");
    drop(second);
    let again = one_only.enter(one).unwrap();
    assert_eq!(shared.connections.clients(), 2);
    drop((others, again));
    assert_eq!(shared.connections.clients(), 0, "who has none takes no room");
}

#[test]
fn threads_together_keep_to_the_limit() {
    let shared = ClientsShared::default();
    let clients = Arc::new(Clients::new(&shared, &limits(10, 1, 100)));
    let (entered, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let barrier = Arc::new(Barrier::new(4));
    let thread = || {
        let (clients, barrier) = (Arc::clone(&clients), Arc::clone(&barrier));
        let (entered, asked) = (Arc::clone(&entered), Arc::clone(&asked));
        thread::spawn(move || {
            let one = ip("192.0.2.1");
            let kept: Vec<_> = (0..100).filter_map(|_| clients.enter(one)).collect();
            entered.fetch_add(kept.len(), SeqCst);
            let right = (0..100).filter(|_| clients.ask(one, || 1_000_000_000).is_ok()).count();
            asked.fetch_add(right, SeqCst);
            barrier.wait();
            drop(kept);
        })
    };
    let threads: Vec<_> = (0..4).map(|_| thread()).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((entered.load(SeqCst), asked.load(SeqCst)), (10, 100));
    assert_eq!(shared.connections.clients(), 0);
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let shared = ClientsShared::default();
    let clients = Clients::new(&shared, &limits(1, 2, 3));
    let (one, second) = (ip("192.0.2.1"), 1_000_000_000);
    let at = |now: u64| clients.ask(one, || now);
    assert_eq!([0; 3].map(|_| at(second)), [Ok(()); 3]);
    assert_eq!(at(second), Err(Duration::from_millis(500)));
    assert_eq!(at(second + 400_000_000), Err(Duration::from_millis(100)));
    assert_eq!(at(second + 500_000_000), Ok(()));
    assert_eq!(clients.ask(ip("192.0.2.2"), || second), Ok(()), "another has its own");
    // A limit that is raised is so at once, whatever was owed by the old one.
    let slow = Clients::new(&shared, &limits(1, 1, 1000));
    let all = (0..2000).filter(|_| slow.ask(one, || 2 * second).is_ok()).count();
    assert!((900..=1000).contains(&all), "{all}");
    let quick = Clients::new(&shared, &limits(1, 100, 10));
    assert_eq!(quick.ask(one, || 2 * second), Err(Duration::from_millis(10)));
    assert_eq!(quick.ask(one, || 2 * second + 10_000_000), Ok(()));
    // Without a limit no clock is read.
    let none = Clients::new(&shared, &ClientLimits::default());
    assert_eq!(none.ask(one, || unreachable!("nobody asks what time it is")), Ok(()));
}

#[test]
fn a_flood_takes_nothing_from_who_is_known_and_frees_nobody() {
    let rate = Rate { interval: 1_000, burst: 10 };
    let mut set = Set::default();
    let (known, attacker) = (Client(1), Client(2));
    let mut now = 1_000_000;
    assert_eq!((0..100).filter(|_| set.ask(attacker, rate, now).is_ok()).count(), 10);
    // Who owes nothing has no bucket to lose.
    assert_eq!([0; 3].map(|_| set.ask(known, rate, now)), [Ok(()); 3]);
    let (mut served, mut of_attacker, mut of_flood) = (0, 0, 0);
    for step in 0..10_000 {
        now += 100;
        // Five thousand addresses, each of which asks twice.
        of_flood += u64::from(set.ask(Client(100 + step / 2), rate, now).is_ok());
        of_attacker += u64::from(set.ask(attacker, rate, now).is_ok());
        if step % 10 == 9 {
            served += u64::from(set.ask(known, rate, now).is_ok());
        }
    }
    assert_eq!(of_attacker, 1_000, "its rate, and nothing of what the flood could have freed");
    assert_eq!(served, 1_000, "who keeps to its rate is always served");
    let flood_at_most = (WAYS as u64 - 1) * (1_000 + 10);
    assert!(of_flood <= flood_at_most, "{of_flood}");
}

/// One client after the other asks, some time after the one before.
fn steps(clients: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((1..=clients, prop_oneof![Just(0), 0..500_u64, 0..20_000_u64]), 1..400)
}

proptest! {
    /// In a set with more clients than buckets, no client gets more than its burst and its rate in any
    /// stretch of time, whatever the others do.
    #[test]
    fn never_more_than_the_burst_and_the_rate(
        steps in steps(3 * WAYS as u64),
        interval in 1..2_000_u64,
        burst in 1..20_u64,
    ) {
        let rate = Rate { interval, burst };
        let (mut set, mut now) = (Set::default(), 1_000_000);
        let mut taken: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (client, pause) in steps {
            now += pause;
            match set.ask(Client(client), rate, now) {
                Ok(()) => taken.entry(client).or_default().push(now),
                Err(wait) => prop_assert!((1..=interval).contains(&wait), "{wait}"),
            }
        }
        for times in taken.values() {
            for (first, from) in times.iter().enumerate() {
                for (last, to) in times.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as u64;
                    prop_assert!(count <= burst + (to - from) / interval);
                }
            }
        }
    }

    /// With no more clients than buckets, each gets what it would get alone.
    #[test]
    fn who_has_a_bucket_is_measured_by_it_alone(
        steps in steps(WAYS as u64),
        interval in 1..2_000_u64,
        burst in 1..20_u64,
    ) {
        let rate = Rate { interval, burst };
        let (mut set, mut now) = (Set::default(), 1_000_000);
        let mut alone: BTreeMap<u64, u64> = BTreeMap::new();
        for (client, pause) in steps {
            now += pause;
            let word = alone.entry(client).or_default();
            let next = rate.take(*word, now);
            *word = next.unwrap_or(*word);
            prop_assert_eq!(set.ask(Client(client), rate, now).is_ok(), next.is_some());
        }
    }
}
