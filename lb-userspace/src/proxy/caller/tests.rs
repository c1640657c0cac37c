//! Who asks, by what proxies say, and what backends are told of it.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod contradicting;
mod random;

use std::net::IpAddr;

use hyper::{HeaderMap, header::HeaderValue};

use super::{Caller, Origin, Scheme, put_origin};
use crate::{
    model::{Prefix, PrefixSet, listener::ForwardingHeaders},
    proxy::headers::client_value,
};

/// Where proxies are that are trusted, and one of them.
const TRUSTED: [&str; 2] = ["192.0.2.0/24", "2001:db8:1::/48"];
const PROXY: &str = "192.0.2.1";

fn trusted() -> PrefixSet {
    let prefixes: Vec<Prefix> = TRUSTED.iter().map(|text| text.parse().unwrap()).collect();
    prefixes.iter().collect()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn caller(peer: &str, first: ForwardingHeaders, headers: &HeaderMap) -> Caller {
    Caller::new(peer.parse().unwrap(), Scheme::Http, &trusted(), first, headers)
}

/// The client by one header, asked by a trusted proxy.
fn client(name: &'static str, values: &[&str]) -> String {
    let lines: Vec<_> = values.iter().map(|value| (name, *value)).collect();
    caller(PROXY, ForwardingHeaders::default(), &headers(&lines)).client.to_string()
}

/// What a backend is told, of a request that came to port 8080.
fn told(peer: &str, writes: ForwardingHeaders, lines: &[(&'static str, &str)]) -> Vec<String> {
    let mut headers = headers(lines);
    let caller = caller(peer, writes, &headers);
    let peer: IpAddr = peer.parse().unwrap();
    let (peer_value, port) = (client_value(peer), HeaderValue::from(8080_u16));
    let origin =
        Origin { caller: &caller, peer, peer_value: &peer_value, port: &port, headers: writes };
    caller.clean(&mut headers);
    put_origin(&mut headers, &origin);
    let line = |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn what_a_client_says_of_itself_is_replaced() {
    let lines = [
        ("host", "www.example.org"),
        ("x-forwarded-for", "198.51.100.66"),
        ("x-forwarded-for", "192.0.2.2"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "other.example.org"),
        ("x-forwarded-prefix", "/admin"),
        ("x_forwarded_for", "198.51.100.66"),
        ("x-forwarded_proto", "https"),
        ("x-forwarded", "for=198.51.100.66"),
        ("forwarded", "for=198.51.100.66"),
        ("x-forward", "kept"),
        ("forwarded-to", "kept"),
    ];
    assert_eq!(
        told("::ffff:198.51.100.7", ForwardingHeaders::XForwarded, &lines),
        [
            "forwarded-to: kept",
            "host: www.example.org",
            "x-forward: kept",
            "x-forwarded-for: 198.51.100.7",
            "x-forwarded-host: www.example.org",
            "x-forwarded-port: 8080",
            "x-forwarded-proto: http",
        ]
    );
    let asks = caller("198.51.100.7", ForwardingHeaders::Both, &headers(&lines));
    assert_eq!((asks.client.to_string().as_str(), asks.scheme), ("198.51.100.7", Scheme::Http));
    assert!(!asks.is_trusted());
}

#[test]
fn the_client_is_the_first_from_the_right_who_is_no_trusted_proxy() {
    for (values, expected) in [
        (&[][..], PROXY),
        (&["198.51.100.7"], "198.51.100.7"),
        (&["203.0.113.66, 198.51.100.7"], "198.51.100.7"),
        (&["203.0.113.66, 198.51.100.7, 192.0.2.9,2001:db8:1::9"], "198.51.100.7"),
        (&["203.0.113.66", "198.51.100.7", "192.0.2.9"], "198.51.100.7"),
        (&["198.51.100.7, 192.0.2.9", "2001:db8:1::9 ,, "], "198.51.100.7"),
        (&["192.0.2.8, 192.0.2.9"], "192.0.2.8"),
        (&["2001:db8::7"], "2001:db8::7"),
        (&["[2001:db8::7]"], "2001:db8::7"),
        (&["[2001:db8::7]:1234"], "2001:db8::7"),
        (&["198.51.100.7:1234"], "198.51.100.7"),
        (&["::ffff:198.51.100.7"], "198.51.100.7"),
        (&["198.51.100.7, ::ffff:192.0.2.9"], "198.51.100.7"),
        // What cannot be read ends the search.
        (&["unknown"], PROXY),
        (&["198.51.100.7, unknown"], PROXY),
        (&["198.51.100.7, unknown, 192.0.2.9"], "192.0.2.9"),
        (&["198.51.100.7, 192.0.2.9.1"], PROXY),
        (&["198.51.100.7 192.0.2.9"], PROXY),
        (&["198.51.100.7", "\u{fc}"], PROXY),
        (&["\"198.51.100.7\""], PROXY),
        (&["192.0.2.0/24"], PROXY),
        (&["[198.51.100.7]"], PROXY),
        (&["2001:db8::7]"], PROXY),
        (&["fe80::1%eth0"], PROXY),
        (&[""], PROXY),
        (&[",,,"], PROXY),
    ] {
        assert_eq!(client("x-forwarded-for", values), expected, "{values:?}");
    }
}

#[test]
fn elements_of_rfc_7239_say_the_same() {
    for (values, expected) in [
        (&["for=198.51.100.7"][..], "198.51.100.7"),
        (&["for=203.0.113.66, for=198.51.100.7;proto=http;by=192.0.2.9"], "198.51.100.7"),
        (&["for=203.0.113.66", "For=198.51.100.7", "FOR=192.0.2.9"], "198.51.100.7"),
        (&["for=\"[2001:db8::7]\""], "2001:db8::7"),
        (&["for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
        (&["for=\"[2001:db8::7]:_hidden\""], "2001:db8::7"),
        (&["for=\"198.51.100.7:4711\""], "198.51.100.7"),
        (&["for=\"198.51.100.7\""], "198.51.100.7"),
        (&["for=\"198.51.\\100.7\""], "198.51.100.7"),
        (&["proto=https;for=198.51.100.7"], "198.51.100.7"),
        (&["for=198.51.100.7 ; proto=https"], "198.51.100.7"),
        (&[";for=198.51.100.7;;proto=https;"], "198.51.100.7"),
        (&["host=\"a,for=203.0.113.66\";for=198.51.100.7"], "198.51.100.7"),
        (&["for=198.51.100.7;ext=\"a\\\",for=203.0.113.66\""], "198.51.100.7"),
        (&["for=198.51.100.7, , "], "198.51.100.7"),
        // Some leave out the quotes.
        (&["for=[2001:db8::7]:4711"], "2001:db8::7"),
        (&["for=198.51.100.7:4711"], "198.51.100.7"),
        // Whatever a client has begun, what the proxy has appended counts.
        (&["for=\", for=198.51.100.7"], "198.51.100.7"),
        (&["for=\"a\\, for=198.51.100.7"], "198.51.100.7"),
        (&["for=\"\\\", for=\"[2001:db8::7]\""], "2001:db8::7"),
        (&["\"\"\"", "for=198.51.100.7"], "198.51.100.7"),
        // What hides an address, or cannot be read, ends the search.
        (&["for=198.51.100.7, for=unknown"], PROXY),
        (&["for=198.51.100.7, for=_hidden, for=192.0.2.9"], "192.0.2.9"),
        (&["for=198.51.100.7, proto=https"], PROXY),
        (&["for=198.51.100.7;for=203.0.113.66"], PROXY),
        (&["for=198.51.100.7;FOR=203.0.113.66"], PROXY),
        (&["for = 198.51.100.7"], PROXY),
        (&["for=198.51.100.7 203.0.113.66"], PROXY),
        (&["for=\"198.51.100.7"], PROXY),
        (&["for=198.51.100.7\""], PROXY),
        (&["for=\"198.51.100.7\"x"], PROXY),
        (&["for=\"198.51.100.7\\\""], PROXY),
        (&["for=2001:db8::7:_a"], PROXY),
        (&["198.51.100.7"], PROXY),
        (&["for="], PROXY),
        (&["=198.51.100.7"], PROXY),
        (&[""], PROXY),
    ] {
        assert_eq!(client("forwarded", values), expected, "{values:?}");
    }
}

#[test]
fn what_trusted_proxies_say_is_passed_on() {
    let lines = [
        ("host", "inside.example.org"),
        ("x-forwarded-for", "203.0.113.66, 198.51.100.7, 192.0.2.9"),
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-host", "www.example.org:8443"),
        ("x-forwarded-prefix", "/shop"),
        ("x_forwarded_prefix", "/admin"),
    ];
    let written =
        |writes, more: &[(&'static str, &str)]| told(PROXY, writes, &[&lines[..], more].concat());
    assert_eq!(
        written(ForwardingHeaders::XForwarded, &[("x-forwarded-port", "9443")]),
        [
            "host: inside.example.org",
            "x-forwarded-for: 198.51.100.7, 192.0.2.9, 192.0.2.1",
            "x-forwarded-host: www.example.org:8443",
            "x-forwarded-port: 9443",
            "x-forwarded-prefix: /shop",
            "x-forwarded-proto: https",
        ]
    );
    let of_host = written(ForwardingHeaders::XForwarded, &[("x-forwarded-port", "65536")]);
    assert!(of_host.contains(&"x-forwarded-port: 8443".to_owned()), "{of_host:?}");
    assert_eq!(
        written(ForwardingHeaders::Forwarded, &[("x-forwarded-port", "9443")]),
        [
            "forwarded: for=198.51.100.7;proto=https;host=\"www.example.org:8443\", for=192.0.2.9, for=192.0.2.1",
            "host: inside.example.org",
            "x-forwarded-prefix: /shop",
        ]
    );
    assert_eq!(written(ForwardingHeaders::Both, &[]).len(), 7);
    assert_eq!(
        written(ForwardingHeaders::None, &[]),
        ["host: inside.example.org", "x-forwarded-prefix: /shop"]
    );
}

#[test]
fn what_cannot_be_right_is_set() {
    let told = |lines: &[(&'static str, &str)]| {
        let lines = [&[("host", "www.example.org"), ("x-forwarded-for", "2001:db8::7")], lines];
        told("2001:db8:1::1", ForwardingHeaders::XForwarded, &lines.concat())[1..].join(" ")
    };
    let ours = "x-forwarded-for: 2001:db8::7, 2001:db8:1::1 x-forwarded-host: www.example.org x-forwarded-port: 8080 x-forwarded-proto: http";
    assert_eq!(told(&[]), ours);
    for (name, value) in [
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "ftp"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-host", "a b"),
        ("x-forwarded-host", "a.example.org, b.example.org"),
        ("x-forwarded-host", "a/b"),
        ("x-forwarded-port", "0"),
        ("x-forwarded-port", "port"),
        ("x-forwarded-port", "80, 81"),
        ("x-forwarded-port", "65536"),
    ] {
        assert_eq!(told(&[(name, value)]), ours, "{name}: {value}");
    }
    let twice = [("x-forwarded-proto", "https"), ("x-forwarded-proto", "https")];
    assert_eq!(told(&twice), ours);
    // Who says how, and not at which port, does not mean that of this listener.
    let secure = told(&[("x-forwarded-proto", "https")]);
    assert!(secure.contains("x-forwarded-port: 443 x-forwarded-proto: https"), "{secure}");
}

#[test]
fn addresses_of_both_families_are_written_as_the_standard_has_it() {
    let told = |peer: &str, lines: &[(&'static str, &str)]| {
        told(peer, ForwardingHeaders::Forwarded, lines)[0].clone()
    };
    assert_eq!(
        told("2001:db8::7", &[("host", "[2001:db8::1]")]),
        "forwarded: for=\"[2001:db8::7]\";proto=http;host=\"[2001:db8::1]\""
    );
    assert_eq!(told("::ffff:198.51.100.7", &[]), "forwarded: for=198.51.100.7;proto=http");
    assert_eq!(
        told(
            "2001:db8:1::1",
            &[("host", "h"), ("forwarded", "for=\"[2001:db8::7]:1\";proto=https")]
        ),
        "forwarded: for=\"[2001:db8::7]\";proto=https;host=h, for=\"[2001:db8:1::1]\""
    );
    assert_eq!(
        told(PROXY, &[("host", "h"), ("forwarded", "for=unknown;proto=https;host=a")]),
        "forwarded: for=192.0.2.1;proto=https;host=a"
    );
}
