//! What is said of source addresses and ports.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::{elsewhere, ports, shared_ports};

#[test]
fn ports_of_the_kernel() {
    assert_eq!(ports("32768\t60999\n"), Some(32_768..=60_999));
    assert_eq!(ports("1024 65535"), Some(1024..=65_535));
    for wrong in ["", "1024", "a b", "1024 65536"] {
        assert_eq!(ports(wrong), None, "{wrong}");
    }
}

#[test]
fn shared_ports_are_reported_and_others_are_not() {
    let name = "web".parse().unwrap();
    let mine = [192, 0, 2, 2].into();
    let said = |range: &str| shared_ports(&name, mine, range.parse().unwrap(), &(32_768..=60_999));
    for apart in ["1024-32767", "61000-65535"] {
        assert_eq!(said(apart), None, "{apart}");
    }
    for shared in ["1024-32768", "60999-65535", "1-65535", "40000-41000"] {
        let words = said(shared).unwrap();
        assert!(words.starts_with("service web: its `source-ports` "), "{words}");
        assert!(words.contains("192.0.2.2 is its own address"), "{words}");
    }
}

#[test]
fn addresses_elsewhere() {
    let words = elsewhere(&"web".parse().unwrap(), "198.51.100.64/28".parse().unwrap());
    assert!(words.contains("198.51.100.64/28 is on this host; make sure"), "{words}");
}
