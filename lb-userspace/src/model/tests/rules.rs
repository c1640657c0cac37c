//! Each rule of a configuration as a whole: broken, and only just kept.

use super::{
    super::{
        Desired, Forward, Interface,
        names::backend_address,
        rules::{Subject, missing_pool, problems},
    },
    desired, name, pool, service,
};

const VIP: &str = "192.0.2.1:80/tcp";
const NAT: Forward = Forward::Nat;
const DSR: Forward = Forward::Dsr;

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
    for forward in [NAT, DSR] {
        for (vip, good, bad) in [
            ("192.0.2.1:80/tcp", "10.0.0.1:80", "[2001:db8::2]:80"),
            ("[2001:db8::1]:80/udp", "[2001:db8::2]:80", "10.0.0.1:80"),
        ] {
            let with = |backends: &[&str]| {
                desired(&[("a", pool(backends))], &[("s", service(vip, "a", forward))])
            };
            assert_kept(&with(&[good]));
            let found = backend("a", bad);
            assert_broken(&with(&[good, bad]), &found, Some("backends"), "address family");
            assert_broken(&with(&[bad]), &found, Some("backends"), "address family");
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
fn dsr_rewrites_no_ports() {
    let with =
        |forward| desired(&[("a", pool(&["10.0.0.1:8080"]))], &[("s", service(VIP, "a", forward))]);
    let found = backend("a", "10.0.0.1:8080");
    assert_broken(&with(DSR), &found, Some("backends"), "let the backend listen on port 80");
    assert_kept(&with(NAT));
}

#[test]
fn a_backend_is_not_the_vip() {
    for (forward, words) in [(NAT, "could not be told"), (DSR, "come back here")] {
        let desired =
            desired(&[("a", pool(&["192.0.2.1:80"]))], &[("s", service(VIP, "a", forward))]);
        assert_broken(&desired, &backend("a", "192.0.2.1:80"), Some("backends"), words);
    }
}

#[test]
fn a_nat_backend_belongs_to_one_service() {
    let pools = [
        ("a", pool(&["10.0.0.1:80", "10.0.0.2:80"])),
        ("b", pool(&["10.0.0.3:80", "10.0.0.1:80"])),
    ];
    let with = |pool: &str, listen: &str, forward| {
        let second = service(listen, pool, forward);
        desired(&pools, &[("s", service(VIP, "a", NAT)), ("t", second)])
    };
    let shared = backend("b", "10.0.0.1:80");
    let words = "`nat` services `s` and `t`";
    assert_broken(&with("b", "192.0.2.1:81/tcp", NAT), &shared, Some("backends"), words);
    let second = Subject::Service(name("t"));
    let words = "`s` and `t` both send tcp to pool `a`";
    assert_broken(&with("a", "192.0.2.1:81/tcp", NAT), &second, Some("pool"), words);
    assert_kept(&with("a", "192.0.2.1:80/udp", NAT));
    assert_kept(&with("b", "192.0.2.1:80/udp", NAT));
    assert_kept(&with("a", "192.0.2.2:80/tcp", DSR));
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
