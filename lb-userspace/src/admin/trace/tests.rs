//! How the words of a filter are read, and what is wrong with them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lb_common::{abi::Reason, trace::Ending};

use super::{
    TraceEnd, TraceIs, TraceProtocol, TraceQuery,
    TraceSide::{self, Destination, Either, Source},
};

fn of(side: TraceSide, prefix: &str) -> TraceEnd {
    TraceEnd { side, is: TraceIs::Of(prefix.parse().unwrap()) }
}

#[test]
fn every_condition_is_understood() {
    let nothing = TraceQuery::default();
    let ends = |ends: &[TraceEnd]| TraceQuery { ends: ends.to_vec(), ..TraceQuery::default() };
    let port = |side, port| TraceEnd { side, is: TraceIs::Port(port) };
    let cases = [
        ("", nothing.clone()),
        ("service web", TraceQuery { service: Some("web".parse().unwrap()), ..nothing.clone() }),
        // A service may be called like a word.
        ("service tcp", TraceQuery { service: Some("tcp".parse().unwrap()), ..nothing.clone() }),
        (
            "backend [2001:db8::4]:80",
            TraceQuery { backend: Some("[2001:db8::4]:80".parse().unwrap()), ..nothing.clone() },
        ),
        ("reason ttl-expired", TraceQuery { reason: Some(Reason::TtlExpired), ..nothing.clone() }),
        ("dropped", TraceQuery { ending: Some(Ending::Dropped), ..nothing.clone() }),
        ("passed", TraceQuery { ending: Some(Ending::Passed), ..nothing.clone() }),
        ("forwarded", TraceQuery { ending: Some(Ending::Forwarded), ..nothing.clone() }),
        ("tcp", TraceQuery { protocol: Some(TraceProtocol::Tcp), ..nothing.clone() }),
        ("udp", TraceQuery { protocol: Some(TraceProtocol::Udp), ..nothing.clone() }),
        ("icmp", TraceQuery { protocol: Some(TraceProtocol::Icmp), ..nothing.clone() }),
        ("host 198.51.100.7", ends(&[of(Either, "198.51.100.7/32")])),
        ("src 2001:db8::/32", ends(&[of(Source, "2001:db8::/32")])),
        ("dst host 192.0.2.10", ends(&[of(Destination, "192.0.2.10/32")])),
        ("port 80", ends(&[port(Either, 80)])),
        (
            "src port 40000 and dst port 80 and host 192.0.2.0/24",
            ends(&[port(Source, 40_000), port(Destination, 80), of(Either, "192.0.2.0/24")]),
        ),
        (
            "service web tcp dropped",
            TraceQuery {
                service: Some("web".parse().unwrap()),
                ending: Some(Ending::Dropped),
                protocol: Some(TraceProtocol::Tcp),
                ..nothing
            },
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(words.parse(), Ok(expected.clone()), "{words}");
        assert_eq!(TraceQuery::of_words(words.split(' ')), Ok(expected), "{words}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let cases = [
        ("tpc", "`tpc` is no condition of a filter (did you mean `tcp`?); write `service NAME`"),
        ("drop", "did you mean `dropped`?"),
        ("droped", "did you mean `dropped`?"),
        ("198.51.100.7", "did you mean `host 198.51.100.7`?"),
        ("172.17.0.4:1001", "did you mean `backend 172.17.0.4:1001`?"),
        ("ttl-expired", "did you mean `reason ttl-expired`?"),
        ("xyzzy", "`xyzzy` is no condition of a filter; write `service NAME`, `backend ADDR:PORT`"),
        ("service", "`service` at the end of the filter wants the name of a service behind it"),
        ("tcp src", "`src` at the end of the filter wants an address or a prefix"),
        ("src port", "`port` at the end of the filter wants a port"),
        ("service a/b", "`service` in the filter: `a/b` is not a name"),
        ("backend web:80", "`backend` in the filter: `web:80` is not a backend address: write"),
        ("host web", "`host` in the filter: `web` is no address or prefix; write an address"),
        ("src 192.0.2.1/24", "write 192.0.2.0/24"),
        ("port http", "`port` in the filter: `http` is no port; write a number from 1 to 65535"),
        ("port 0", "`0` is no port"),
        ("port 65536", "`65536` is no port"),
        (
            "reason ttl-expird",
            "`ttl-expird` is no reason (did you mean `ttl-expired`?); there are: ",
        ),
        ("tcp udp", "the filter says the protocol twice"),
        ("tcp tcp", "the filter says the protocol twice"),
        ("dropped passed", "how packets end twice"),
        ("service a service b", "`service` twice"),
        ("host 192.0.2.1 or host 192.0.2.2", "`or` is not possible in a filter: all"),
        ("not tcp", "`not` is not possible"),
        ("port 1 port 2 port 3 port 4 port 5", "more than 4 conditions on addresses and ports"),
    ];
    for (words, expected) in cases {
        let error = words.parse::<TraceQuery>().unwrap_err().to_string();
        assert!(error.contains(expected), "{words}: {error}");
    }
}
