//! From words to what the program compares, and from what it reports to words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use lb_common::{
    abi::{Reason, Service},
    limits::trace::SNAP,
    trace::{ANY_REASON, BOTH, DESTINATION, EndFilter, Ending, Filter, Record, SOURCE},
};

use super::{Names, filter};
use crate::{
    admin::RequestError,
    config,
    dataplane::netlink::{Link, Links},
    model::Desired,
    reconcile::{
        Image,
        compile::{address_be, vip_endpoint},
    },
};

const CONFIG: &str = r#"
[[interface]]
name = "eth0"
[[pool]]
name = "web"
backends = ["172.17.0.4:1001"]
[[service]]
name = "web"
listen = "192.0.2.10:80/tcp"
pool = "web"
forward = "nat"
"#;

fn desired() -> (Desired, Image) {
    let desired = config::parse("shunt.toml", CONFIG).unwrap();
    let mut image = Image::default();
    for service in desired.services.values() {
        let entry = Service { id: 7, ..Service::default() };
        image.services.insert(vip_endpoint(service.listen), entry);
    }
    (desired, image)
}

fn compiled(words: &str) -> Result<Filter, RequestError> {
    let (desired, image) = desired();
    filter(&words.parse().unwrap(), &image, &desired, 99)
}

fn address(text: &str) -> [u32; 4] {
    address_be(SocketAddr::new(text.parse().unwrap(), 0)).0
}

#[test]
fn words_become_numbers() {
    let all = Filter::all(99);
    let (backend_be, backend_port_be) = address_be("172.17.0.4:1001".parse().unwrap());
    let cases = [
        ("", all),
        ("service web", Filter { service: 7, ..all }),
        ("backend 172.17.0.4:1001", Filter { backend_be, backend_port_be, ..all }),
        ("reason ttl-expired", Filter { reason: Reason::TtlExpired as u8, ..all }),
        ("reason forwarded", Filter { reason: 0, ..all }),
        ("dropped tcp", Filter { ending: Ending::Dropped as u8, protocol: 6, ..all }),
        ("passed udp", Filter { ending: Ending::Passed as u8, protocol: 17, ..all }),
        ("forwarded icmp", Filter { ending: Ending::Forwarded as u8, protocol: 1, ..all }),
    ];
    for (words, expected) in cases {
        assert_eq!(compiled(words), Ok(expected), "{words}");
    }
    assert_eq!(all.reason, ANY_REASON);
    let error = compiled("service wbe").unwrap_err();
    assert!(matches!(&error, RequestError::NotFound(text) if text.contains("`wbe`")), "{error:?}");
}

#[test]
fn prefixes_become_masks() {
    let none = EndFilter::default();
    let v4 = |text, mask: u32| EndFilter {
        addr_be: address(text),
        mask_be: [u32::MAX, u32::MAX, u32::MAX, mask.to_be()],
        ..none
    };
    let v6 = |text, mask: [u32; 4]| EndFilter {
        addr_be: address(text),
        mask_be: mask.map(u32::to_be),
        is_v6: 1,
        ..none
    };
    let cases = [
        ("host 198.51.100.7", EndFilter { sides: BOTH, ..v4("198.51.100.7", u32::MAX) }),
        ("src 198.51.100.0/25", EndFilter { sides: SOURCE, ..v4("198.51.100.0", 0xffff_ff80) }),
        ("dst 0.0.0.0/0", EndFilter { sides: DESTINATION, ..v4("0.0.0.0", 0) }),
        ("host 2001:db8::1", EndFilter { sides: BOTH, ..v6("2001:db8::1", [u32::MAX; 4]) }),
        (
            "host 2001:db8::/33",
            EndFilter { sides: BOTH, ..v6("2001:db8::", [u32::MAX, 0x8000_0000, 0, 0]) },
        ),
        ("host ::/0", EndFilter { sides: BOTH, ..v6("::", [0; 4]) }),
        ("src port 80", EndFilter { sides: SOURCE, port_be: 80_u16.to_be(), ..none }),
    ];
    for (words, expected) in cases {
        let filter = compiled(words).unwrap();
        assert_eq!(filter.ends[0], expected, "{words}");
        assert_eq!(filter.ends[1..], [none; 3]);
    }
    let two = compiled("host 198.51.100.7 port 80").unwrap();
    assert_eq!((two.ends[1].sides, two.ends[2].sides), (BOTH, 0));
}

fn record(ending: Ending, egress: u32) -> Record {
    let (backend_be, backend_port_be) = address_be("172.17.0.4:1001".parse().unwrap());
    Record {
        time: 1_500_000_001,
        ingress: 2,
        egress,
        service: 7,
        backend: 1,
        before_len: 3,
        after_len: 3,
        backend_be,
        backend_port_be,
        reason: Reason::Forwarded as u8,
        ending: ending as u8,
        _pad: 0,
        before: [1; SNAP],
        after: [1; SNAP],
    }
}

#[test]
fn numbers_become_names() {
    let (desired, image) = desired();
    let link = |index| Link { index, ..Link::default() };
    let links = Links::from([("eth0".to_owned(), link(2)), ("eth1".to_owned(), link(3))]);
    let names = Names::new(&desired, &image, &links);
    let seen = names.view(&record(Ending::Forwarded, 3), 1_000_000_000_000_000_000);
    assert_eq!((seen.seconds, seen.nanoseconds), (1_000_000_001, 500_000_001));
    assert_eq!((seen.verdict.as_str(), seen.reason.as_str()), ("forwarded", "forwarded"));
    assert_eq!(seen.service.map(|name| name.to_string()).as_deref(), Some("web"));
    assert_eq!(seen.backend, Some("172.17.0.4:1001".parse().unwrap()));
    assert_eq!(
        (seen.before.interface.as_str(), seen.before.bytes.as_slice()),
        ("eth0", &[1; 3][..])
    );
    assert_eq!(seen.after.map(|after| after.interface).as_deref(), Some("eth1"));

    let none = Record { service: 0, backend_port_be: 0, ingress: 9, ..record(Ending::Passed, 0) };
    let seen = names.view(&none, 0);
    assert_eq!((seen.service, seen.backend, seen.after), (None, None, None));
    assert_eq!(seen.before.interface, "interface 9");
}

#[test]
fn the_packet_afterwards_is_shown_where_there_is_one() {
    let (desired, image) = desired();
    let links = Links::new();
    let names = Names::new(&desired, &image, &links);
    let after = |record: &Record| names.view(record, 0).after.map(|after| after.interface);
    let changed = |ending| Record { after: [2; SNAP], ..record(ending, 0) };
    assert_eq!(after(&record(Ending::Forwarded, 3)).as_deref(), Some("interface 3"));
    assert_eq!(after(&record(Ending::Dropped, 2)).as_deref(), Some("interface 2"), "an answer");
    assert_eq!(after(&changed(Ending::Passed)).as_deref(), Some("interface 2"), "to the kernel");
    assert_eq!(after(&record(Ending::Passed, 0)), None);
    assert_eq!(after(&changed(Ending::Dropped)), None);
    // What is behind the end of the frame is of others.
    let mut same = record(Ending::Passed, 0);
    same.after[3] = 9;
    assert_eq!(after(&same), None);
}
