//! Health checks and drain timeouts of pools.

use std::time::Duration;

use super::{errors, good};
use crate::model::{Health, Pool, health::Probe};

const FRAME: &str = "[[interface]]\nname = \"e\"\n[[pool]]\nname = \"web\"\nbackends = []\n";

/// The pool of a file whose pool has these lines, the first of which is line 6.
fn pool(lines: &str) -> Pool {
    good(&format!("{FRAME}{lines}")).pools.pop_first().unwrap().1
}

fn health(lines: &str) -> Option<Health> {
    pool(&format!("[pool.health]\n{lines}")).health
}

/// Asserts that the lines of a check have one problem, with the last line.
fn refused(lines: &str, words: &str) {
    refused_at(&format!("{FRAME}[pool.health]\n{lines}"), words);
}

/// Asserts that a text has one problem, with its last line: with the key where that is out of
/// place, otherwise with the value.
fn refused_at(text: &str, words: &str) {
    let found = errors(text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    assert!(found[0].message.contains(words), "{}", found[0]);
    let last = text.lines().last().unwrap();
    let value = last.find("= ").unwrap() + 3;
    let value = if last.contains("= \"") { value + 1 } else { value };
    let column = if words.contains("remove this line") { 1 } else { value };
    assert_eq!((found[0].line, found[0].column), (text.lines().count(), column), "{}", found[0]);
}

#[test]
fn none_is_the_default() {
    assert_eq!(pool(""), Pool::default());
    assert_eq!(health("type = \"none\""), None);
}

#[test]
fn a_type_is_enough() {
    assert_eq!(health("type = \"tcp\""), Some(Health::new(Probe::Tcp)));
    assert_eq!(health("type = \"http\""), Some(Health::new(Probe::Http(<_>::default()))));
    assert_eq!(health("type = \"https\""), Some(Health::new(Probe::Https(<_>::default()))));
}

#[test]
fn every_key() {
    let all = r#"
        type = "https"
        interval = "5s"
        timeout = "5s"
        rise = 1
        fall = 100
        fail-open = false
        port = 8443
        path = "/up?x=1"
        host = "www.example.org"
        status = "200,204"
        ca = "/etc/ca.pem"
    "#;
    let expected = "https /up?x=1 every 5s, timeout 5s, rise 1, fall 100, status 200,204, host www.example.org, ca /etc/ca.pem, port 8443, fails closed";
    assert_eq!(health(all).unwrap().to_string(), expected);
    let number = health("type = \"http\"\nstatus = 204").unwrap();
    assert!(number.to_string().contains("status 204,"), "{number}");
}

#[test]
fn a_short_interval_shortens_the_timeout() {
    let fast = health("type = \"tcp\"\ninterval = \"200ms\"").unwrap();
    assert_eq!((fast.interval, fast.timeout), (Duration::from_millis(200), fast.interval));
}

#[test]
fn a_type_is_needed_and_known() {
    let found = errors(&format!("{FRAME}[pool.health]\ninterval = \"1s\"\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    let words = "[pool.health] has no `type`; add `type = \"tcp\"`";
    assert!(found[0].message.contains(words), "{}", found[0]);
    refused("type = \"icmp\"", "use one of: none, tcp, http, https");
    refused("type = \"htp\"", "did you mean `http`?");
    refused("service = \"a\"\ntype = \"grpc\"", "not in this version yet");
}

#[test]
fn keys_without_a_meaning() {
    for key in ["path = \"/\"", "host = \"a\"", "status = 200"] {
        refused(&format!("type = \"tcp\"\n{key}"), "sends no request; remove this line");
    }
    for kind in ["tcp", "http"] {
        let lines = format!("type = \"{kind}\"\nca = \"/a\"");
        refused(&lines, "no certificate to verify; remove this line, or write `type");
    }
    for key in ["interval = \"1s\"", "rise = 2", "path = \"/\"", "ca = \"/a\"", "fail-open = true"]
    {
        refused(&format!("type = \"none\"\n{key}"), "checks nothing; remove this line");
    }
}

#[test]
fn values_out_of_bounds() {
    let cases = [
        ("interval = \"99ms\"", "99ms is out of range; use 100ms to 1h"),
        ("interval = \"2h\"", "2h is out of range; use 100ms to 1h"),
        (
            "interval = 5",
            "`interval` must be a string, not the integer 5; write `interval = \"1s\"`",
        ),
        ("interval = \"5\"", "write a whole number and one of the units ms, s, m and h"),
        ("timeout = \"2s\"", "the timeout 2s is longer than the interval 1s"),
        ("timeout = \"1ms\"", "1ms is out of range; use 10ms to 1h"),
        ("rise = 0", "0 is out of range; use 1 to 100 results in a row"),
        ("fall = 101", "101 is out of range; use 1 to 100 results in a row"),
        ("fail-open = \"no\"", "`fail-open` must be true or false, not the string \"no\""),
        ("port = 0", "0 is not a port; use 1 to 65535"),
        ("path = \"healthz\"", "`healthz` is not a path: begin it with `/`"),
        ("host = \"a b\"", "`a b` is not a host: write a host name or an IP address"),
        ("status = \"2xx\"", "`2xx` is no list of status codes"),
        ("status = 20", "`20` is no list of status codes"),
        ("status = true", "`status` must be a string"),
        ("ca = \"ca.pem\"", "`ca.pem` is not an absolute path"),
    ];
    for (line, words) in cases {
        refused(&format!("type = \"https\"\n{line}"), words);
    }
}

#[test]
fn drain_timeouts() {
    let timeout = |text: &str| pool(&format!("drain-timeout = \"{text}\"")).drain_timeout;
    for (text, seconds) in [("0s", 0), ("30s", 30), ("5m", 300), ("8h", 28_800)] {
        assert_eq!(timeout(text), Some(Duration::from_secs(seconds)));
    }
    for (value, words) in [
        ("\"9h\"", "9h is out of range; use 0s to 8h"),
        ("\"forever\"", "`forever` is not a duration"),
        (
            "30",
            "`drain-timeout` must be a string, not the integer 30; write `drain-timeout = \"30s\"`",
        ),
    ] {
        refused_at(&format!("{FRAME}drain-timeout = {value}"), words);
    }
}
