//! Each rule of a configuration as a whole: broken, and only just kept.

use super::{
    super::{
        Desired, Forward, Interface, Pool, Rule, Scheduler, Service, Tracking, Udp,
        names::backend_address,
        rules::{Subject, missing_pool, problems},
    },
    desired, name, pool, service,
};

const VIP: &str = "192.0.2.1:80/tcp";
const NAT: Forward = Forward::Nat;
const FULL_NAT: Forward = Forward::FullNat;
const DSR: Forward = Forward::Dsr;
const IPIP: Forward = Forward::Ipip;
const GUE: Forward = Forward::Gue;

/// A service with source prefixes.
fn from(source: &[&str], service: Service) -> Service {
    Service { source: source.iter().map(|prefix| prefix.parse().unwrap()).collect(), ..service }
}

fn quic(service: Service) -> Service {
    Service { udp: Udp::Quic, ..service }
}

fn assert_kept(desired: &Desired) {
    assert_eq!(problems(desired), []);
}

/// Asserts that there is one problem, with this subject, key and words.
fn assert_broken(desired: &Desired, subject: &Subject, key: Option<&str>, words: &str) {
    let found = problems(desired);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0].subject, found[0].key), (subject, key), "{found:#?}");
    assert!(found[0].message.contains(words), "{found:#?}");
    assert!(found[0].message.contains("; "), "says what to do: {found:#?}");
}

fn backend(pool: &str, address: &str) -> Subject {
    Subject::Backend(name(pool), backend_address(address).unwrap())
}

#[test]
fn nothing_is_wrong_with_nothing() {
    assert_kept(&desired(&[], &[]));
    assert_kept(&desired(&[("a", pool(&[]))], &[("s", service(VIP, "a", NAT))]));
}

#[test]
fn a_vip_belongs_to_one_service() {
    let pools = [("a", pool(&["10.0.0.1:80"])), ("b", pool(&["10.0.0.2:80"]))];
    let with = |second: &str| {
        desired(&pools, &[("s", service(VIP, "a", NAT)), ("t", service(second, "b", NAT))])
    };
    assert_broken(&with(VIP), &Subject::Service(name("t")), Some("listen"), "as service `s` does");
    assert_kept(&with("192.0.2.1:81/tcp"));
    assert_kept(&with("192.0.2.1:80/udp"));
    assert_kept(&with("192.0.2.2:80/tcp"));
}

#[test]
fn a_pool_exists() {
    let service = [("s", service(VIP, "a", NAT))];
    let subject = Subject::Service(name("s"));
    let none = desired(&[], &service);
    assert_broken(&none, &subject, Some("pool"), "add a [[pool]] with `name = \"a\"`");
    let others = desired(&[("b", pool(&[])), ("c", pool(&[]))], &service);
    assert_broken(&others, &subject, Some("pool"), "use one of: b, c");
    assert_eq!(missing_pool(&others, "x", &name("b")), None);
}

#[test]
fn a_backend_has_the_family_of_the_vip() {
    for (forward, v4, v6) in [
        (NAT, &[][..], &[][..]),
        (FULL_NAT, &["198.51.100.64/28"], &["2001:db8:1::/112"]),
        (DSR, &[], &[]),
    ] {
        for (vip, source, good, bad) in [
            ("192.0.2.1:80/tcp", v4, "10.0.0.1:80", "[2001:db8::2]:80"),
            ("[2001:db8::1]:80/udp", v6, "[2001:db8::2]:80", "10.0.0.1:80"),
        ] {
            let with = |backends: &[&str]| {
                let service = from(source, service(vip, "a", forward));
                desired(&[("a", pool(backends))], &[("s", service)])
            };
            assert_kept(&with(&[good]));
            let found = backend("a", bad);
            assert_broken(&with(&[good, bad]), &found, Some("backends"), "address family");
            assert_broken(&with(&[bad]), &found, Some("backends"), "address family");
        }
    }
}

/// The outer header is of the backend's family, the inner packet of the VIP's.
#[test]
fn tunnels_take_backends_of_both_families() {
    for forward in [IPIP, GUE] {
        for vip in [VIP, "[2001:db8::1]:80/udp"] {
            let both = pool(&["10.0.0.1:80", "[2001:db8::2]:80"]);
            assert_kept(&desired(&[("a", both)], &[("s", service(vip, "a", forward))]));
        }
    }
}

/// Fifty backends of the other family are one mistake, not fifty.
#[test]
fn a_pool_of_the_other_family() {
    let all = pool(&["10.0.0.1:80", "10.0.0.2:80"]);
    let desired = desired(&[("a", all)], &[("s", service("[2001:db8::1]:80/tcp", "a", NAT))]);
    assert_broken(&desired, &Subject::Service(name("s")), Some("pool"), "no backend of pool `a`");
}

#[test]
fn only_nat_and_full_nat_rewrite_ports() {
    let with = |service| desired(&[("a", pool(&["10.0.0.1:8080"]))], &[("s", service)]);
    let found = backend("a", "10.0.0.1:8080");
    for forward in [DSR, IPIP, GUE] {
        let words =
            format!("`{}` rewrites no ports; let the backend listen on port 80", forward.name());
        let broken = with(service(VIP, "a", forward));
        assert_broken(&broken, &found, Some("backends"), &words);
    }
    assert_kept(&with(service(VIP, "a", NAT)));
    assert_kept(&with(from(&["198.51.100.1"], service(VIP, "a", FULL_NAT))));
}

#[test]
fn a_backend_is_not_the_vip() {
    let back = "come back here";
    let cases =
        [(NAT, "could not be told"), (FULL_NAT, back), (DSR, back), (IPIP, back), (GUE, back)];
    for (forward, words) in cases {
        let source: &[_] = if forward == FULL_NAT { &["198.51.100.1"] } else { &[] };
        let service = from(source, service(VIP, "a", forward));
        let desired = desired(&[("a", pool(&["192.0.2.1:80"]))], &[("s", service)]);
        assert_broken(&desired, &backend("a", "192.0.2.1:80"), Some("backends"), words);
    }
}

#[test]
fn a_backend_is_not_the_vip_of_another_service() {
    let pools = [("a", pool(&["192.0.2.2:80"])), ("b", pool(&["10.0.0.1:80"]))];
    let with = |forward, listen| {
        let services = [("s", service(VIP, "a", forward)), ("t", service(listen, "b", NAT))];
        desired(&pools, &services)
    };
    let found = backend("a", "192.0.2.2:80");
    for forward in [NAT, DSR, IPIP, GUE] {
        let words = "of service `s` is the VIP of service `t`";
        let chained = with(forward, "192.0.2.2:80/tcp");
        assert_broken(&chained, &found, Some("backends"), words);
        assert_kept(&with(forward, "192.0.2.2:80/udp"));
        assert_kept(&with(forward, "192.0.2.2:81/tcp"));
    }
}

/// Replies are told apart by the return table.
#[test]
fn services_share_backends_in_every_mode() {
    let pools = [
        ("a", pool(&["10.0.0.1:80", "10.0.0.2:80"])),
        ("b", pool(&["10.0.0.3:80", "10.0.0.1:80"])),
    ];
    for forward in [NAT, FULL_NAT, DSR, IPIP, GUE] {
        for (to, listen) in [
            ("a", "192.0.2.2:80/tcp"),
            ("b", "192.0.2.2:80/tcp"),
            ("a", "192.0.2.1:80/udp"),
            ("b", "192.0.2.1:80/udp"),
        ] {
            let source: &[_] = if forward == FULL_NAT { &["198.51.100.64/28"] } else { &[] };
            let second = from(source, service(listen, to, forward));
            assert_kept(&desired(&pools, &[("s", service(VIP, "a", NAT)), ("t", second)]));
        }
    }
    let twice = [("s", service(VIP, "a", NAT)), ("t", service("192.0.2.1:81/tcp", "b", NAT))];
    assert_kept(&desired(&pools, &twice));
}

/// How long an address keeps its old flows is for the pool to say, not for the address.
#[test]
fn pools_that_share_an_address_drain_as_each_likes() {
    let mut pools = [("a", pool(&["10.0.0.1:80"])), ("b", pool(&["10.0.0.1:80"]))];
    pools[1].1.drain_timeout = Some(std::time::Duration::from_secs(30));
    let services = [("s", service(VIP, "a", NAT)), ("t", service("192.0.2.1:81/tcp", "b", NAT))];
    assert_kept(&desired(&pools, &services));
}

#[test]
fn tables_have_bounds() {
    let mut many = desired(&[], &[]);
    let interface = |n: usize| Interface { name: format!("e{n}"), ..many.interfaces[0].clone() };
    many.interfaces = (0..256).map(interface).collect();
    assert_kept(&many);
    many.interfaces.push(Interface { name: "e256".to_owned(), ..many.interfaces[0].clone() });
    assert_broken(&many, &Subject::Whole, None, "257 interfaces are more than the 256");

    let empty = service(VIP, "a", NAT);
    let services: Vec<_> = (1..=513)
        .map(|n| (format!("s{n}"), service(&format!("192.0.2.1:{n}/tcp"), "a", DSR)))
        .collect();
    let services: Vec<_> = services.iter().map(|(name, s)| (name.as_str(), s.clone())).collect();
    assert_kept(&desired(&[("a", pool(&[]))], &services[..512]));
    let many = desired(&[("a", pool(&[]))], &services);
    assert_broken(&many, &Subject::Whole, None, "513 services are more than the 512");

    let addresses: Vec<_> =
        (0..65_536).map(|n| format!("10.0.{}.{}:80", n >> 8, n & 255)).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let services = [("s", empty)];
    assert_kept(&desired(&[("a", pool(&addresses[1..]))], &services));
    let many = desired(&[("a", pool(&addresses))], &services);
    assert_broken(&many, &Subject::Whole, None, "65536 backends are more than the 65535");
}

/// Nine rings of the largest size do not fit, eight do.
#[test]
fn rings_have_bounds() {
    let addresses: Vec<_> = (0..6_000).map(|n| format!("10.0.{}.{}:80", n >> 8, n & 255)).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let pools = [("a", pool(&addresses))];
    let names = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];
    let services: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(key, n)| (*key, service(&format!("192.0.2.{n}:80/tcp"), "a", DSR)))
        .collect();
    assert_kept(&desired(&pools, &services[..8]));
    assert_broken(&desired(&pools, &services), &Subject::Whole, None, "ring slots are more than");
}

#[test]
fn server_ids_have_bounds() {
    let addresses: Vec<_> = (0..8_192).map(|n| format!("10.0.{}.{}:80", n >> 8, n & 255)).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let pools = [("a", pool(&addresses))];
    let [first, second, third] = ["s1", "s2", "s3"]
        .map(|key| (key, quic(service(&format!("192.0.2.{}:80/udp", &key[1..]), "a", DSR))));
    assert_kept(&desired(&pools, &[first.clone(), second.clone()]));
    let third_not = (third.0, service("192.0.2.3:80/udp", "a", DSR));
    assert_kept(&desired(&pools, &[first.clone(), second.clone(), third_not]));
    let many = desired(&pools, &[first, second, third]);
    assert_broken(&many, &Subject::Whole, None, "24576 QUIC server ids are more than the 16384");
}

#[test]
fn all_problems_are_found_at_once() {
    let desired = desired(
        &[("a", pool(&["[2001:db8::2]:80", "192.0.2.1:80", "10.0.0.1:80"]))],
        &[
            ("s", service(VIP, "a", NAT)),
            ("t", service(VIP, "a", DSR)),
            ("u", service(VIP, "b", NAT)),
        ],
    );
    let found = problems(&desired);
    assert_eq!(found.len(), 7, "{found:#?}");
}

/// What services ask for takes room, too.
#[test]
fn what_is_asked_for_has_bounds() {
    let whole = |services: &[(&str, Service)], pools: &[(&str, Pool)], words: &str| {
        assert_broken(&desired(pools, services), &Subject::Whole, None, words);
    };
    // Each address and protocol with ranges is one more.
    let names: Vec<String> = (0..300).map(|number| format!("s{number}")).collect();
    let ranges = |hosts: usize| -> Vec<(&str, Service)> {
        let listen = |n: usize| format!("192.0.{}.{}:80-90/tcp", 2 + n / 200, n % 200 + 1);
        let numbered = names[..hosts].iter().enumerate();
        numbered.map(|(n, name)| (name.as_str(), service(&listen(n), "a", DSR))).collect()
    };
    let empty = [("a", pool(&[]))];
    assert_kept(&desired(&empty, &ranges(256)));
    whole(&ranges(257), &empty, "514 services and addresses with ranges of ports are more than");

    let mut many = service(VIP, "a", NAT);
    let mut other = service("192.0.2.2:80/tcp", "a", NAT);
    for n in 0..60_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + n);
        many.access.add(Rule::Deny, format!("{address}/32").parse().unwrap()).unwrap();
    }
    other.access = many.access.clone();
    assert_kept(&desired(&empty, &[("s", many.clone()), ("t", other.clone())]));
    other.access.add(Rule::Deny, "10.0.0.0/8".parse().unwrap()).unwrap();
    whole(&[("s", many), ("t", other)], &empty, "120001 prefixes of `allow` and `deny`");

    let addresses: Vec<String> =
        (0..4097).map(|n| format!("10.{}.{}.1:80", n / 250, n % 250)).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut taking = service(VIP, "a", NAT);
    (taking.scheduler, taking.tracking) = (Scheduler::RoundRobin, Tracking::Full);
    assert_kept(&desired(&[("a", pool(&addresses[1..]))], &[("s", taking.clone())]));
    whole(
        &[("s", taking)],
        &[("a", pool(&addresses))],
        "4097 backends of a service that take turns",
    );
}
