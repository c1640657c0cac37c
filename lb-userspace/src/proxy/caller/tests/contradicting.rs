//! Two headers that say different things: the one goes first that the proxies in front of the listener write.

use super::{Caller, ForwardingHeaders, PROXY, caller, headers};
use crate::proxy::caller::Scheme;

/// Who asks, where both headers are there.
fn both(first: ForwardingHeaders) -> Caller {
    let lines = [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-host", "x.example.org"),
        ("forwarded", "for=203.0.113.7;proto=https;host=f.example.org"),
    ];
    caller(PROXY, first, &headers(&lines))
}

#[test]
fn one_of_two_headers_is_read() {
    use ForwardingHeaders::{Both, Forwarded, None, XForwarded};
    for first in [XForwarded, Both, None] {
        let asks = both(first);
        let said = asks.said.unwrap();
        assert_eq!((asks.client.to_string().as_str(), asks.scheme), ("198.51.100.7", Scheme::Http));
        assert_eq!(said.host.unwrap(), "x.example.org");
    }
    let asks = both(Forwarded);
    assert_eq!((asks.client.to_string().as_str(), asks.scheme), ("203.0.113.7", Scheme::Https));
    assert_eq!(asks.said.unwrap().host.unwrap(), "f.example.org");
}

/// A header that cannot be read is not replaced by another, which may be the client's.
#[test]
fn the_second_is_read_if_the_first_is_not_there() {
    use ForwardingHeaders::{Forwarded, XForwarded};
    let client = |first, lines: &[(&'static str, &str)]| {
        caller(PROXY, first, &headers(lines)).client.to_string()
    };
    let (x, f) = (("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=203.0.113.7"));
    let (bad_x, bad_f) = (("x-forwarded-for", "unknown"), ("forwarded", "for=unknown"));
    assert_eq!(client(XForwarded, &[f]), "203.0.113.7");
    assert_eq!(client(Forwarded, &[x]), "198.51.100.7");
    assert_eq!(client(XForwarded, &[bad_x, f]), PROXY);
    assert_eq!(client(Forwarded, &[x, bad_f]), PROXY);
}
