//! What people see, from a fixed status. After a wanted change, run the tests with
//! `SHUNT_WRITE_GOLDEN=1` and look at the difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, fs, path::Path};

use crate::{
    admin::{
        fixture::{self, address},
        types::NextHopView,
    },
    cli::{format, pool, service, status},
    model::{Forward, PortRange},
};

pub(in crate::cli) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/tests/golden").join(name);
    if env::var_os("SHUNT_WRITE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn status_looks_as_it_should() {
    let mut status = fixture::status();
    assert_golden("status.txt", &status::words(&status));
    status.problems.push(String::new());
    for mention in ["backend 172.17.0.6:1003: no route", "no route to 172.17.0.6"] {
        mention.clone_into(&mut status.problems[1]);
        let words = status::words(&status);
        assert!(!words.contains("is unresolved"), "said twice:\n{words}");
    }
    for mention in ["backend 172.17.0.6:10034: no route", "no route to 172.17.0.60"] {
        mention.clone_into(&mut status.problems[1]);
        assert!(status::words(&status).contains("is unresolved"), "not said at all");
    }
}

#[test]
fn a_daemon_without_problems_shows_none() {
    let mut status = fixture::status();
    status.problems.clear();
    status.pools[2].backends[2].next_hop =
        NextHopView::Resolved { interface: "eth1".to_owned(), mac: "02:00:00:00:00:06".to_owned() };
    let words = status::words(&status);
    assert!(!words.contains('!'), "{words}");
    assert!(!words.contains("\n\n\n"), "{words}");
}

#[test]
fn an_interface_without_the_program_stands_out() {
    let mut status = fixture::status();
    status.interfaces[0].attached = None;
    let words = status::words(&status);
    assert!(words.contains("eth0       auto        ! not attached\n"), "{words}");
}

#[test]
fn a_service_looks_as_it_should() {
    let status = fixture::status();
    assert_golden("service-show.txt", &service::words(&status.services[1], &status.pools[2]));
    assert_golden("service-show-quic.txt", &service::words(&status.services[0], &status.pools[0]));
}

#[test]
fn slots_without_a_member_as_owner_are_shown() {
    let mut status = fixture::status();
    let web = &mut status.services[1];
    web.owners = [(address("172.17.0.4:1001"), 2048), (address("172.17.0.9:1006"), 1024)].into();
    web.previous.insert(address("172.17.0.8:1007"), 5);
    web.forward = Forward::FullNat;
    web.source = vec!["198.51.100.64/28".parse().unwrap()];
    web.source_ports = Some(PortRange::default());
    web.vip_interface = None;
    web.packets.clear();
    assert_golden("service-show-changing.txt", &service::words(web, &status.pools[2]));
}

#[test]
fn nothing_is_said_of_moving_slots_where_none_move() {
    let mut status = fixture::status();
    let web = &mut status.services[1];
    (web.moving, web.previous) = (0, [].into());
    let words = service::words(web, &status.pools[2]);
    assert!(!words.contains("moving") && !words.contains("PREVIOUS"), "{words}");
}

#[test]
fn pools_look_as_they_should() {
    let status = fixture::status();
    assert_golden("pool-show.txt", &pool::words(&status.pools[2]));
    assert_golden("pool-show-empty.txt", &pool::words(&status.pools[1]));
}

#[test]
fn numbers_are_readable() {
    let thousands = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
    for (number, expected) in thousands {
        assert_eq!(format::thousands(number), expected);
    }
    let bytes = [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        ((1 << 20) - 1, "1023.9 KiB"),
        (1 << 20, "1.0 MiB"),
        (u64::MAX, "15.9 EiB"),
    ];
    for (number, expected) in bytes {
        assert_eq!(format::bytes(number), expected);
    }
    let rates = [
        (0.0, "0"),
        (0.04, "<0.1"),
        (0.05, "0.1"),
        (9.94, "9.9"),
        (9.96, "10"),
        (1_234_567.8, "1,234,568"),
    ];
    for (rate, expected) in rates {
        assert_eq!(format::rate(rate), expected);
    }
    let bits = [
        (0.0, "0"),
        (999.4, "999"),
        (999.6, "1.0 k"),
        (999_940.0, "999.9 k"),
        (999_960.0, "1.0 M"),
        (9.84e9, "9.8 G"),
        (2.5e15, "2500.0 T"),
    ];
    for (rate, expected) in bits {
        assert_eq!(format::bits(rate), expected);
    }
    let shares = [(0, 4096, "0.0 %"), (1365, 4096, "33.3 %"), (7, 7, "100.0 %"), (0, 0, "-")];
    for (part, whole, expected) in shares {
        assert_eq!(format::share(part, whole), expected);
    }
    let durations = [
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (7_260, "2 h 1 min"),
        (180_000, "2 d 2 h"),
    ];
    for (seconds, expected) in durations {
        assert_eq!(format::duration(seconds), expected);
    }
}
