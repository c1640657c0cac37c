//! Rules of source addresses and of QUIC: broken, and only just kept.

use super::{
    super::{
        Forward, Service, Udp,
        rules::{Subject, problems},
    },
    desired, name, pool, service,
};

const VIP: &str = "192.0.2.1:80/tcp";
const VIP6: &str = "[2001:db8::1]:80/tcp";

/// What is wrong with a service `s`, beside a service `t` whose VIP is 192.0.2.2.
fn found(service: &Service) -> Vec<(Subject, Option<&'static str>, String)> {
    let pools = [
        ("v4", pool(&["10.0.0.1:80", "10.0.0.9:80"])),
        ("v6", pool(&["[2001:db8:a::1]:80"])),
        ("other", pool(&["10.0.1.1:80"])),
    ];
    let services =
        [("s", service.clone()), ("t", super::service("192.0.2.2:80/tcp", "other", Forward::Nat))];
    let problems = problems(&desired(&pools, &services)).into_iter();
    problems.map(|it| (it.subject, it.key, it.message)).collect()
}

fn of(listen: &str, forward: Forward, source: &[&str]) -> Service {
    let to = if listen.starts_with('[') { "v6" } else { "v4" };
    let source = source.iter().map(|prefix| prefix.parse().unwrap()).collect();
    Service { source, ..service(listen, to, forward) }
}

fn assert_kept(service: &Service) {
    assert_eq!(found(service), []);
}

fn assert_broken(service: &Service, key: &'static str, words: &str) {
    let found = found(service);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0].0, found[0].1), (&Subject::Service(name("s")), Some(key)), "{found:#?}");
    assert!(found[0].2.contains(words), "{found:#?}");
    assert!(found[0].2.contains("; "), "says what to do: {found:#?}");
}

#[test]
fn full_nat_needs_source_addresses_of_the_family_of_the_vip() {
    let with = |listen, source| of(listen, Forward::FullNat, source);
    assert_kept(&with(VIP, &["198.51.100.64/28"]));
    assert_kept(&with(VIP6, &["2001:db8:1::/112"]));
    assert_broken(&with(VIP, &[]), "forward", "add one, such as `source = \"198.51.100.64/28\"`");
    assert_broken(&with(VIP6, &[]), "forward", "no IPv6 `source`, and `full-nat` needs one");
    assert_broken(&with(VIP6, &["198.51.100.64/28"]), "forward", "no IPv6 `source`");
    let both = &["198.51.100.64/28", "2001:db8:1::/112"];
    assert_broken(
        &with(VIP, both),
        "source",
        "2001:db8:1::/112 of service `s` (192.0.2.1:80) would never be used",
    );
    assert_broken(&with(VIP6, both), "source", "198.51.100.64/28 of service `s`");
}

#[test]
fn tunnels_may_have_source_addresses_of_any_family() {
    for forward in [Forward::Ipip, Forward::Gue] {
        for listen in [VIP, VIP6] {
            assert_kept(&of(listen, forward, &[]));
            assert_kept(&of(listen, forward, &["198.51.100.64/28"]));
            assert_kept(&of(listen, forward, &["198.51.100.64/28", "2001:db8:1::/112"]));
        }
    }
}

#[test]
fn nat_and_dsr_change_no_source_address() {
    for forward in [Forward::Nat, Forward::Dsr] {
        let words = format!("no meaning with `{}`, which keeps the client's", forward.name());
        assert_broken(&of(VIP, forward, &["198.51.100.64/28"]), "source", &words);
        let both = &["198.51.100.64/28", "2001:db8:1::/112"];
        assert_broken(&of(VIP, forward, both), "source", &words);
    }
}

#[test]
fn source_addresses_are_nobody_elses() {
    let cases = [
        ("192.0.2.1", "the VIP 192.0.2.1 of service `s`"),
        ("192.0.2.0/31", "the VIP 192.0.2.1 of service `s`"),
        ("192.0.2.2/31", "the VIP 192.0.2.2 of service `t`"),
        ("10.0.0.1", "backend 10.0.0.1"),
        ("10.0.0.8/29", "backend 10.0.0.9"),
        ("10.0.1.0/30", "backend 10.0.1.1"),
    ];
    for forward in [Forward::FullNat, Forward::Ipip, Forward::Gue] {
        for (source, words) in cases {
            assert_broken(&of(VIP, forward, &[source]), "source", words);
        }
        assert_kept(&of(VIP, forward, &["10.0.0.2/31"]));
        assert_kept(&of(VIP, forward, &["192.0.2.4/30"]));
    }
    let v6 = of(VIP6, Forward::FullNat, &["2001:db8:a::/112"]);
    assert_broken(&v6, "source", "backend 2001:db8:a::1");
}

#[test]
fn quic_goes_with_every_mode_but_full_nat() {
    for forward in [Forward::Nat, Forward::Dsr, Forward::Ipip, Forward::Gue] {
        assert_kept(&Service { udp: Udp::Quic, ..of("192.0.2.1:80/udp", forward, &[]) });
    }
    let full_nat = of("192.0.2.1:80/udp", Forward::FullNat, &["198.51.100.64/28"]);
    for udp in [Udp::Stateless, Udp::Tracked] {
        assert_kept(&Service { udp, ..full_nat.clone() });
    }
    let words = "`udp = \"quic\"` with `full-nat`";
    assert_broken(&Service { udp: Udp::Quic, ..full_nat }, "udp", words);
}
