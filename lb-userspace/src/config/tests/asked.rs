//! What a service may ask for besides a backend, and what is said where it cannot.

use std::{fs, path::PathBuf};

use super::{super::ConfigError, errors, parse};
use crate::model::{Affinity, Desired, NoBackend, Rule, Scheduler, Service, Tracking, Udp};

/// A file with one service of some address and more lines.
fn file(listen: &str, more: &str) -> String {
    let backend = if listen.starts_with('[') { "[2001:db8:1::1]:80" } else { "10.0.0.1:80" };
    format!(
        "[[interface]]\nname = \"eth0\"\n[[pool]]\nname = \"web\"\nbackends = [\"{backend}\"]\n[[service]]\nname = \"web\"\nlisten = \"{listen}\"\npool = \"web\"\n{more}\n"
    )
}

/// Where the lines of [`file`] are that were added.
const FIRST: usize = 10;

fn read(listen: &str, more: &str) -> Service {
    let desired: Desired = parse("f", &file(listen, more)).unwrap();
    desired.services.into_values().next().unwrap()
}

const TCP: &str = "192.0.2.1:80/tcp";
const UDP: &str = "192.0.2.1:80/udp";
const RANGE: &str = "192.0.2.1:8000-8099/tcp";

/// Asserts that some lines are one error, in one of them, with these words.
fn refused(listen: &str, more: &str, line: usize, words: &[&str]) {
    let found = errors(&file(listen, more));
    assert_eq!(found.len(), 1, "{more}: {found:#?}");
    assert_eq!(found[0].line, line, "{more}: {}", found[0]);
    for word in words {
        assert!(found[0].message.contains(word), "{more}: {}", found[0]);
    }
}

#[test]
fn everything_is_read() {
    let service = read(
        RANGE,
        r#"
tracking = "full"
scheduler = "least-flows"
allow = ["198.51.100.0/24", "2001:db8::/32"]
deny = ["198.51.100.7"]
new-flows = { rate = 5000, burst = 10000 }
new-flows-per-source = { rate = 50 }
no-backend = "reject"
"#,
    );
    assert_eq!((service.listen.address.port(), service.listen.last_port), (8000, 8099));
    assert_eq!((service.tracking, service.scheduler), (Tracking::Full, Scheduler::LeastFlows));
    assert_eq!([Rule::Allow, Rule::Deny].map(|rule| service.access.count(rule)), [2, 1]);
    let limits = [service.new_flows, service.new_flows_per_source];
    let limits = limits.map(|limit| limit.map(|limit| (limit.rate(), limit.burst())));
    assert_eq!(limits, [Some((5000, 10_000)), Some((50, 50))]);
    assert_eq!(service.no_backend, NoBackend::Reject);
    assert_eq!(read(TCP, "affinity = \"client-ip\"").affinity, Affinity::ClientIp);

    let plain = read(TCP, "");
    let said = read(
        TCP,
        "tracking = \"just-enough\"\nscheduler = \"maglev\"\naffinity = \"flow\"\nno-backend = \"drop\"\ndeny = []",
    );
    assert_eq!(plain, said);
}

#[test]
fn full_tracking_of_udp_is_another_word_for_tracked() {
    let tracked = read(UDP, "udp = \"tracked\"");
    assert_eq!(tracked.udp, Udp::Tracked);
    assert_eq!(read(UDP, "tracking = \"full\""), tracked);
    assert_eq!(read(UDP, "tracking = \"full\"\nudp = \"tracked\""), tracked);
    assert_eq!(read(UDP, "tracking = \"just-enough\"").udp, Udp::Stateless);
    read(UDP, "udp = \"quic\"\ntracking = \"just-enough\"");
    for udp in ["stateless", "quic"] {
        let lines = format!("udp = \"{udp}\"\ntracking = \"full\"");
        refused(UDP, &lines, FIRST + 1, &["`tracking`: ", udp, "another word", "remove one"]);
    }
    let lines = "tracking = \"just-enough\"\nudp = \"tracked\"";
    refused(UDP, lines, FIRST, &["contradict each other"]);
}

#[test]
fn schedulers_need_flows_to_be_remembered() {
    for scheduler in ["round-robin", "random", "least-flows"] {
        let line = format!("scheduler = \"{scheduler}\"");
        refused(TCP, &line, FIRST, &[&line, "must be remembered", "`tracking = \"full\"`"]);
        refused(UDP, &line, FIRST, &["must be remembered", "`udp = \"tracked\"`"]);
        read(UDP, &format!("{line}\nudp = \"tracked\""));
        let full_nat = "forward = \"full-nat\"\nsource = \"198.51.100.1\"\n";
        read(TCP, &format!("{full_nat}{line}"));
        let both = format!("{line}\ntracking = \"full\"\naffinity = \"client-ip\"");
        refused(TCP, &both, FIRST, &["keeps together", "leave one of the two out"]);
    }
    read(TCP, "tracking = \"full\"\naffinity = \"client-ip\"");
    refused(TCP, "scheduler = \"least-conn\"", FIRST, &["use one of: maglev, round-robin"]);
    refused(TCP, "scheduler = \"round_robin\"", FIRST, &["did you mean `round-robin`?"]);
    refused(TCP, "tracking = \"all\"", FIRST, &["use one of: just-enough, full"]);
    refused(TCP, "affinity = \"client\"", FIRST, &["use one of: flow, client-ip"]);
    refused(TCP, "no-backend = \"rejct\"", FIRST, &["did you mean `reject`?"]);
}

#[test]
fn words_of_others() {
    for (line, words) in [
        ("balance = \"leastconn\"", "least-flows"),
        ("least_conn = true", "tracking = \\\"full\\\""),
        ("ip_hash = true", "affinity = \\\"client-ip\\\""),
        ("limit_conn = 5", "how many flows begin"),
        ("whitelist = []", "write `allow`"),
        ("ports = \"80-90\"", "part of `listen`"),
    ] {
        refused(TCP, line, FIRST, &[&words.replace("\\\"", "\"")]);
    }
}

#[test]
fn limits_of_new_flows() {
    let cases: [(&str, &[&str]); 9] = [
        ("5000", &["must be a table, not the integer 5000", "write `new-flows = { rate"]),
        ("{}", &["this limit has no `rate`"]),
        ("{ rate = \"5k\" }", &["`rate` must be an integer"]),
        ("{ rate = 0 }", &["0 per second is out of range; use 1 to 1000000000"]),
        ("{ rate = 1000000001 }", &["out of range"]),
        ("{ rate = 5, burst = 0 }", &["a burst of 0 is out of range"]),
        ("{ rate = 1, burst = 9223372036854775807 }", &["use 1 to 4611686018"]),
        ("{ rate = 5, brust = 5 }", &["did you mean `burst`?"]),
        ("{ rate = 5, per = \"1m\" }", &["a rate is per second"]),
    ];
    for (limit, words) in cases {
        refused(TCP, &format!("new-flows = {limit}"), FIRST, words);
    }
    let line = "new-flows-per-source = { rate = 5 }";
    refused(UDP, line, FIRST, &["no packet opens a flow", "`udp = \"tracked\"`"]);
    read(UDP, &format!("udp = \"quic\"\n{line}"));
    read(UDP, &format!("forward = \"full-nat\"\nsource = \"198.51.100.1\"\n{line}"));
}

#[test]
fn lists_in_the_file() {
    let cases: [(&str, usize, &[&str]); 9] = [
        ("deny = \"10.0.0.0/8\"", 0, &["`deny` must be an array, not the string"]),
        ("deny = [\n5]", 1, &["`deny` must be a string, not the integer 5"]),
        ("deny = [\n\"here\"]", 1, &["`here` is no address or prefix"]),
        ("deny = [\"10.0.0.1/8\"]", 0, &["write 10.0.0.0/8"]),
        ("deny = [\"::ffff:10.0.0.0/104\"]", 0, &["IPv6 clothes; write 10.0.0.0/8"]),
        ("allow = [\"10.0.0.0/8\"]\ndeny = [\"10.0.0.0/8\"]", 1, &["is in `allow`, too"]),
        ("allow = []", 0, &["would serve nobody"]),
        ("allow = [\"2001:db8::/32\"]", 0, &["no IPv4 prefix in its `allow`", "serve nobody"]),
        ("deny-file = \"deny\"", 0, &["not an absolute path"]),
    ];
    for (lines, below, words) in cases {
        refused(TCP, lines, FIRST + below, words);
    }
    let twice = read(TCP, "deny = [\"10.0.0.0/8\", \"10.0.0.0/8\"]");
    assert_eq!(twice.access.count(Rule::Deny), 1);
}

#[test]
fn lists_in_files_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let right = write("right", "# bad hosts\n\n10.0.0.0/8 # ours\n  2001:db8::1\r\n");
    let line = |key: &str, path: &PathBuf| format!("{key}-file = \"{}\"\n", path.display());
    let service = read(TCP, &line("deny", &right));
    let listed: Vec<String> = service.access.list(Rule::Deny).map(|it| it.to_string()).collect();
    assert_eq!(listed, ["10.0.0.0/8", "2001:db8::1/128"]);

    let missing = directory.path().join("missing");
    refused(TCP, &line("deny", &missing), FIRST, &["`deny-file`", "cannot be read"]);
    let empty = write("empty", "# nobody\n");
    refused(TCP, &line("allow", &empty), FIRST, &["`allow-file` has no prefix"]);
    assert_eq!(read(TCP, &line("deny", &empty)).access.count(Rule::Deny), 0);

    let place = |error: &ConfigError| (error.file.clone(), error.line);
    let wrong = write("wrong", "10.0.0.0/8\n\nexample.org\n10.0.0.1/8\n");
    let found = errors(&file(TCP, &line("deny", &wrong)));
    let at = wrong.display().to_string();
    assert_eq!(found.iter().map(place).collect::<Vec<_>>(), [(at.clone(), 3), (at.clone(), 4)]);
    assert!(found[0].to_string().starts_with(&format!("{at}:3:1: `example.org` is no")));

    let both = format!("allow = [\"2001:db8::1\", \"10.1.0.0/16\"]\n{}", line("deny", &right));
    let found = errors(&file(TCP, &both));
    assert_eq!((found.len(), place(&found[0])), (1, (right.display().to_string(), 4)));
    assert!(found[0].message.contains("2001:db8::1/128 is in `allow`, too"), "{}", found[0]);

    let binary = write("other", &"no list\n".repeat(1000));
    let found = errors(&file(TCP, &line("deny", &binary)));
    assert_eq!(found.len(), 11);
    assert!(found.iter().any(|error| error.message.starts_with("990 more lines")), "{found:#?}");
}

/// A file that two services name is read once, and its list is one.
#[test]
fn equal_lists_are_shared() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deny");
    fs::write(&path, "198.51.100.0/24\n").unwrap();
    let deny = format!("deny-file = \"{}\"", path.display());
    let second = format!(
        "{deny}\n[[service]]\nname = \"b\"\nlisten = \"192.0.2.2:80/tcp\"\npool = \"web\"\n"
    );
    for second_list in [deny.as_str(), "deny = [\"198.51.100.0/24\"]"] {
        let desired = parse("f", &file(TCP, &format!("{second}{second_list}"))).unwrap();
        let [one, two] = ["web", "b"].map(|name| &desired.services[&name.parse().unwrap()]);
        assert!(std::sync::Arc::ptr_eq(one.rules(), two.rules()), "{second_list}");
    }
}

#[test]
fn ranges_of_ports() {
    let with = |listen: &str| {
        format!(
            "[[service]]\nname = \"b\"\nlisten = \"{listen}\"\npool = \"web\"\nforward = \"dsr\""
        )
    };
    for fine in ["192.0.2.1:8000/tcp", "192.0.2.1:*/tcp", "192.0.2.1:8000-8099/udp"] {
        assert_eq!(errors(&file(RANGE, &with(fine).replace("dsr", "nat"))), []);
    }
    // Services come in the order of their names.
    refused(RANGE, &with("192.0.2.1:8099-9000/tcp"), 8, &["overlaps", "of service `b`"]);
    refused("192.0.2.1:*/tcp", &with("192.0.2.1:*/tcp"), 8, &["`web` listens", "overlaps"]);
    let malformed = ["192.0.2.1:8000-/tcp", "192.0.2.1:-80/tcp", "192.0.2.1:+1-80/tcp"];
    for listen in malformed {
        refused(listen, "", 8, &["is not a service address", "a range (`8000-8099`)"]);
    }
    for listen in ["192.0.2.1:0-80/tcp", "192.0.2.1:90-80/tcp", "192.0.2.1:80-80/tcp"] {
        refused(listen, "", 8, &["no range of ports", "lower port first"]);
    }
    let twice = file(RANGE, "").replace("[\"10.0.0.1:80\"]", "[\"10.0.0.1:80\", \"10.0.0.1:81\"]");
    let found = errors(&twice);
    assert_eq!((found.len(), found[0].line), (1, 5), "{found:#?}");
    assert!(found[0].message.contains("are one"), "{}", found[0]);
}
