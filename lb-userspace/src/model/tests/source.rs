//! Source prefixes and port ranges: what is read, what is refused, what they hold.

use std::net::IpAddr;

use super::super::{PortRange, SourcePrefix};

fn prefix(text: &str) -> SourcePrefix {
    text.parse().unwrap()
}

#[test]
fn prefixes() {
    let good = [
        ("198.51.100.64/28", "198.51.100.64/28", 15),
        ("198.51.100.1", "198.51.100.1/32", 0),
        ("198.51.100.1/32", "198.51.100.1/32", 0),
        ("10.0.0.0/8", "10.0.0.0/8", 0x00ff_ffff),
        ("2001:db8::1", "2001:db8::1/128", 0),
        ("2001:DB8:0::/112", "2001:db8::/112", 0xffff),
        ("2001:db8::/96", "2001:db8::/96", u32::MAX),
    ];
    for (given, canonical, spread) in good {
        let read = prefix(given);
        assert_eq!(read.to_string(), canonical);
        assert_eq!(prefix(canonical), read);
        assert_eq!(read.spread(), spread, "{given}");
        assert_eq!(read.is_ipv4(), given.contains('.'), "{given}");
        assert!(read.contains(read.address()) && read.contains(read.last()), "{given}");
    }
    assert_eq!(prefix("198.51.100.64/28").length(), 28);
    assert_eq!(prefix("198.51.100.64/28").last().to_string(), "198.51.100.79");
    assert_eq!(prefix("2001:db8::/96").last().to_string(), "2001:db8::ffff:ffff");
}

#[test]
fn a_prefix_contains_its_addresses_and_no_others() {
    let cases = [
        ("198.51.100.64/28", "198.51.100.64", true),
        ("198.51.100.64/28", "198.51.100.79", true),
        ("198.51.100.64/28", "198.51.100.80", false),
        ("198.51.100.64/28", "198.51.100.63", false),
        ("198.51.100.64/28", "2001:db8::1", false),
        ("2001:db8::40/122", "2001:db8::7f", true),
        ("2001:db8::40/122", "2001:db8::80", false),
        ("2001:db8::/96", "2001:db8::ffff:ffff", true),
        ("2001:db8::/96", "2001:db8::1:0:0", false),
        ("2001:db8::/96", "198.51.100.64", false),
    ];
    for (given, address, inside) in cases {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(prefix(given).contains(address), inside, "{address} in {given}");
    }
}

#[test]
fn what_is_no_prefix() {
    let cases = [
        ("", "write an address"),
        ("eth0", "write an address"),
        ("198.51.100.0/", "write an address"),
        ("198.51.100.0/2x", "write an address"),
        ("198.51.100.0/-1", "write an address"),
        ("198.51.100.0/24/8", "write an address"),
        ("198.51.100.1:80", "write an address"),
        ("198.51.100.0 /24", "write an address"),
        ("fe80::1%eth0", "write an address"),
        ("198.51.100.0/+24", "write an address"),
        ("0.0.0.0/8", "is not the address of one host"),
        ("::", "is not the address of one host"),
        ("224.0.0.0/8", "is not the address of one host"),
        ("255.255.255.255", "is not the address of one host"),
        ("ff02::1", "is not the address of one host"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:198.51.100.1", "write it as IPv4"),
        ("fe80::1", "link-local"),
        ("198.51.100.65/28", "write 198.51.100.64/28"),
        ("2001:db8::1/112", "write 2001:db8::/112"),
        ("10.0.0.0/7", "must be from 8 to 32"),
        ("198.51.100.0/33", "must be from 8 to 32"),
        ("2001:db8::/95", "must be from 96 to 128"),
        ("2001:db8::/129", "must be from 96 to 128"),
    ];
    for (given, words) in cases {
        let message = given.parse::<SourcePrefix>().unwrap_err().to_string();
        assert!(message.contains(words), "{given}: {message}");
    }
}

#[test]
fn port_ranges() {
    for good in ["1024-32767", "1-65535", "1-256", "65280-65535", "1024 - 1279"] {
        let range: PortRange = good.parse().unwrap();
        assert_eq!(range.to_string(), good.replace(' ', ""));
    }
    let range = PortRange::default();
    assert_eq!((range.first(), range.last()), (1024, 32_767));
    assert_eq!(range.to_string().parse::<PortRange>().unwrap(), range);
    let cases = [
        ("", "two ports"),
        ("1024", "two ports"),
        ("1024-", "two ports"),
        ("1024-65536", "two ports"),
        ("a-b", "two ports"),
        ("1-2-3", "two ports"),
        ("0-1000", "begins at 0"),
        ("2000-1000", "lower port first"),
        ("1000-1000", "too small (1 of at least 256 ports)"),
        ("1000-1254", "too small (255 of"),
    ];
    for (given, words) in cases {
        let message = given.parse::<PortRange>().unwrap_err().to_string();
        assert!(message.contains(words), "{given}: {message}");
    }
}

/// As the API shows them, and reads them back.
#[test]
fn json() {
    let json = serde_json::to_string(&prefix("198.51.100.64/28")).unwrap();
    assert_eq!(json, "\"198.51.100.64/28\"");
    assert_eq!(serde_json::from_str::<SourcePrefix>(&json).unwrap(), prefix("198.51.100.64/28"));
    let json = serde_json::to_string(&PortRange::default()).unwrap();
    assert_eq!(json, "\"1024-32767\"");
    assert_eq!(serde_json::from_str::<PortRange>(&json).unwrap(), PortRange::default());
    assert!(serde_json::from_str::<SourcePrefix>("\"10.0.0.1/24\"").is_err());
}
