//! What the small values accept and refuse.

use super::super::{
    BackendState, Name, Prefix, Protocol, Vip, Weight,
    names::{backend_address, interface_name},
};

#[test]
fn names() {
    let longest = "a".repeat(63);
    for good in ["a", "0", "web", "web-1.example_org", "A", &longest] {
        assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
    }
    let too_long = "a".repeat(64);
    let bad = ["", "-a", ".a", "_a", "a b", "a/b", "a\n", "ä", "a:b", "../a", &too_long];
    for bad in bad {
        let message = bad.parse::<Name>().unwrap_err().to_string();
        assert!(message.contains("1 to 63 letters"), "{bad}: {message}");
    }
}

#[test]
fn weights() {
    for good in [1, 2, 1_000] {
        assert_eq!(i64::from(Weight::try_from(good).unwrap()), good);
    }
    for bad in [0, -1, 1_001, 65_536, 65_537, i64::MIN, i64::MAX] {
        let message = Weight::try_from(bad).unwrap_err().to_string();
        assert!(message.contains(&format!("weight {bad} is out of range")), "{message}");
        assert!(message.contains("drain"), "{message}");
    }
    assert_eq!(Weight::default().get(), 1);
}

#[test]
fn vips() {
    let good = [
        ("192.0.2.10:80/tcp", "192.0.2.10:80/tcp"),
        ("192.0.2.10:65535/udp", "192.0.2.10:65535/udp"),
        ("[2001:db8::10]:53/udp", "[2001:db8::10]:53/udp"),
        ("[2001:DB8:0:0::10]:53/udp", "[2001:db8::10]:53/udp"),
    ];
    for (given, canonical) in good {
        let vip: Vip = given.parse().unwrap();
        assert_eq!(vip.to_string(), canonical);
        assert_eq!(canonical.parse::<Vip>().unwrap(), vip);
    }
    let malformed = [
        "",
        "80",
        "*:80/tcp",
        "192.0.2.10/tcp",
        "192.0.2.10:80",
        "192.0.2.10:80/",
        "192.0.2.10:80/TCP",
        "192.0.2.10:80/sctp",
        "192.0.2.10:80/tcp/udp",
        "192.0.2.10:65536/tcp",
        "192.0.2.010:80/tcp",
        "2001:db8::10:53/udp",
        "example.org:80/tcp",
        " 192.0.2.10:80/tcp",
    ];
    for bad in malformed {
        let message = bad.parse::<Vip>().unwrap_err().to_string();
        assert!(message.contains("ADDRESS:PORT/PROTOCOL"), "{bad}: {message}");
    }
}

#[test]
fn addresses_that_cannot_be_used() {
    let cases = [
        ("192.0.2.10:0", "port 0"),
        ("0.0.0.0:80", "one host"),
        ("255.255.255.255:80", "one host"),
        ("224.0.0.1:80", "one host"),
        ("[::]:80", "one host"),
        ("[ff02::1]:80", "one host"),
        ("[::ffff:192.0.2.10]:80", "write it as IPv4"),
        ("[fe80::1]:80", "link-local"),
        ("[fe80::1%2]:80", "zone"),
        ("[2001:db8::1%2]:80", "zone"),
    ];
    for (address, why) in cases {
        let of_vip = format!("{address}/tcp").parse::<Vip>().unwrap_err().to_string();
        let of_backend = backend_address(address).unwrap_err().to_string();
        assert_eq!(of_vip, of_backend);
        assert!(of_vip.contains(why), "{address}: {of_vip}");
    }
}

#[test]
fn a_server_on_this_host_is_for_requests_only() {
    for address in ["127.0.0.53:80", "[::1]:80"] {
        assert!(backend_address(address).is_ok());
        let of_vip = format!("{address}/tcp").parse::<Vip>().unwrap_err().to_string();
        assert!(of_vip.contains("loopback"), "{of_vip}");
    }
    assert!(backend_address("127.0.0.53:0").is_err());
}

#[test]
fn backend_addresses() {
    for good in ["172.17.0.4:1001", "[2001:db8::4]:1001"] {
        assert_eq!(backend_address(good).unwrap().to_string(), good);
    }
    for bad in ["", "172.17.0.4", "172.17.0.4:", "web1:80", "172.17.0.4:80/tcp", "2001:db8::4"] {
        let message = backend_address(bad).unwrap_err().to_string();
        assert!(message.contains("IP:PORT"), "{bad}: {message}");
    }
}

#[test]
fn interface_names() {
    for good in ["e", "eth0", "eth0.100", "wlp3s0", "fifteen-bytes-x", "br_ä"] {
        assert_eq!(interface_name(good).unwrap(), good);
    }
    for bad in ["", ".", "..", "a b", "a/b", "eth0:1", "a\t", "\u{a0}", "a\0", "sixteen-bytes-xx"] {
        assert!(interface_name(bad).is_err(), "{bad}");
    }
}

/// The API writes these values into JSON and reads them back; what is refused in one place is
/// refused in the other.
#[test]
fn json() {
    let vip: Vip = serde_json::from_str("\"192.0.2.10:80/tcp\"").unwrap();
    assert_eq!(serde_json::to_string(&vip).unwrap(), "\"192.0.2.10:80/tcp\"");
    assert_eq!(serde_json::to_string(&Protocol::Udp).unwrap(), "\"udp\"");
    assert_eq!(serde_json::to_string(&BackendState::Drained).unwrap(), "\"drained\"");
    assert_eq!(serde_json::from_str::<Weight>("3").unwrap().get(), 3);
    assert!(serde_json::from_str::<Weight>("0").is_err());
    assert!(serde_json::from_str::<Name>("\"a b\"").is_err());
    assert!(serde_json::from_str::<Vip>("\"127.0.0.1:80/tcp\"").is_err());
}

#[test]
fn columns_are_aligned() {
    let (name, vip): (Name, Vip) = ("web".parse().unwrap(), "192.0.2.1:80/tcp".parse().unwrap());
    assert_eq!(format!("{name:5}|{vip:18}|{:4}|", Protocol::Tcp), "web  |192.0.2.1:80/tcp  |tcp |");
}

#[test]
fn protocol_numbers() {
    assert_eq!((Protocol::Tcp.number(), Protocol::Udp.number()), (6, 17));
}

#[test]
fn prefixes() {
    for (given, read) in [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::/33", "2001:db8::/33"),
        ("::/0", "::/0"),
    ] {
        assert_eq!(given.parse::<Prefix>().unwrap().to_string(), read);
    }
    for (bad, why) in [
        ("", "no address or prefix"),
        ("192.0.2.0/", "no address or prefix"),
        ("192.0.2.0/24/2", "no address or prefix"),
        ("web", "no address or prefix"),
        ("192.0.2.0/33", "from 0 to 32"),
        ("::/129", "from 0 to 128"),
        ("192.0.2.1/24", "write 192.0.2.0/24"),
        ("2001:db8::1/64", "write 2001:db8::/64"),
    ] {
        let message = bad.parse::<Prefix>().unwrap_err().to_string();
        assert!(message.contains(why), "{bad}: {message}");
    }
}
