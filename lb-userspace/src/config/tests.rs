//! Tests of the configuration file.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod access_logs;
mod asked;
mod callers;
mod clients;
mod files;
mod health;
mod listeners;
mod messages;
mod properties;
mod proxy_protocol;
mod whole;

use std::{fs, path::Path, time::Duration};

use super::{ConfigError, load, parse};
use crate::model::{AttachMode, Desired, Forward, Udp};

const FULL: &str = r#"
[daemon]
admin = "/tmp/a.sock"
state-dir = "/tmp/state"
pin-dir = "/sys/fs/bpf/other"
seed = 0x7fffffffffffffff

[[interface]]
name = "client0"
mode = "native"
[[interface]]
name = "backend0"

[[pool]]
name = "web"
backends = ["172.17.0.4:1001", { address = "172.17.0.5:1002", weight = 3 }]
[pool.health]
type = "http"
path = "/healthz"
interval = "2s"
fail-open = false

[[pool]]
name = "v6"
drain-timeout = "30s"
backends = ["[2001:db8::4]:53"]

[[service]]
name = "web"
listen = "192.0.2.10:80/tcp"
pool = "web"
vip-interface = "client0"

[[service]]
name = "dns"
listen = "[2001:db8::10]:53/udp"
pool = "v6"
forward = "dsr"
udp = "tracked"
idle-timeout = "90s"

[[service]]
name = "full"
listen = "192.0.2.11:80/tcp"
pool = "web"
forward = "full-nat"
source = "198.51.100.64/28"
source-ports = "20000-29999"

[[service]]
name = "tunnel"
listen = "192.0.2.12:53/udp"
pool = "v6"
forward = "gue"
udp = "quic"
source = ["198.51.100.80/28", "2001:db8:1::/112"]
"#;

/// The errors of a text.
fn errors(text: &str) -> Vec<ConfigError> {
    match parse("f", text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().cloned().collect(),
    }
}

fn good(text: &str) -> Desired {
    parse("shunt.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_full_file() {
    let desired = good(FULL);
    assert_eq!(desired.daemon.admin, Path::new("/tmp/a.sock"));
    assert_eq!(desired.daemon.state_dir, Path::new("/tmp/state"));
    assert_eq!(desired.daemon.pin_dir, Path::new("/sys/fs/bpf/other"));
    assert_eq!(desired.daemon.seed, i64::MAX.cast_unsigned());

    let interfaces: Vec<_> = desired.interfaces.iter().map(|i| (&*i.name, i.mode)).collect();
    assert_eq!(interfaces, [("client0", AttachMode::Native), ("backend0", AttachMode::Auto)]);

    let pool = &desired.pools[&"web".parse().unwrap()];
    let backends: Vec<_> =
        pool.enabled().map(|(address, weight)| (address.to_string(), weight.get())).collect();
    assert_eq!(backends, [("172.17.0.4:1001".to_owned(), 1), ("172.17.0.5:1002".to_owned(), 3)]);

    assert_eq!(pool.drain_timeout, None);
    let health = pool.health.as_ref().unwrap().to_string();
    let expected =
        "http /healthz every 2s, timeout 500ms, rise 2, fall 3, status 200-399, fails closed";
    assert_eq!(health, expected);
    let v6 = &desired.pools[&"v6".parse().unwrap()];
    assert_eq!((&v6.health, v6.drain_timeout), (&None, Some(Duration::from_secs(30))));

    let web = &desired.services[&"web".parse().unwrap()];
    assert_eq!((web.listen.to_string().as_str(), web.forward), ("192.0.2.10:80/tcp", Forward::Nat));
    assert_eq!((web.pool.as_str(), web.vip_interface.as_deref()), ("web", Some("client0")));
    let dns = &desired.services[&"dns".parse().unwrap()];
    let listen = dns.listen.to_string();
    assert_eq!((&*listen, dns.forward), ("[2001:db8::10]:53/udp", Forward::Dsr));
    assert_eq!(dns.vip_interface, None);
    assert_eq!((dns.udp, dns.idle_timeout), (Udp::Tracked, Duration::from_secs(90)));
}

#[test]
fn the_modes_of_a_full_file() {
    let desired = good(FULL);
    let service = |name: &str| &desired.services[&name.parse().unwrap()];
    let sources = |name: &str| {
        let texts: Vec<_> = service(name).source.iter().map(ToString::to_string).collect();
        (service(name).forward, texts.join(" "), service(name).source_ports.to_string())
    };
    let ports = "1024-32767".to_owned();
    assert_eq!(sources("web"), (Forward::Nat, String::new(), ports.clone()));
    let (prefix, narrow) = ("198.51.100.64/28".to_owned(), "20000-29999".to_owned());
    assert_eq!(sources("full"), (Forward::FullNat, prefix, narrow));
    let both = "198.51.100.80/28 2001:db8:1::/112".to_owned();
    assert_eq!(sources("tunnel"), (Forward::Gue, both, ports));
    let kept = |name: &str| (service(name).udp, service(name).idle_timeout.as_secs());
    assert_eq!(kept("web"), (Udp::Stateless, 900));
    assert_eq!(kept("tunnel"), (Udp::Quic, 120));
}

#[test]
fn defaults() {
    let desired = good("[[interface]]\nname = \"eth0\"\n");
    assert_eq!(desired.daemon.admin, Path::new("/run/shunt/admin.sock"));
    assert_eq!(desired.daemon.state_dir, Path::new("/var/lib/shunt"));
    assert_eq!(desired.daemon.pin_dir, Path::new("/sys/fs/bpf/shunt"));
    assert_eq!(desired.daemon.seed, 0);
    assert_eq!(desired.interfaces[0].mode, AttachMode::Auto);
    assert!(desired.pools.is_empty() && desired.services.is_empty());
}

#[test]
fn order_and_notation_do_not_matter() {
    let inline = r#"
        service = [{ name = "web", listen = "192.0.2.10:80/tcp", pool = "p" }]
        pool = [{ name = "p", backends = ["10.0.0.2:80", "10.0.0.1:80"], health.type = "none" }]
        interface = [{ name = "eth0" }]
        daemon.seed = 7
    "#;
    let sections = "\u{feff}[daemon]\r\nseed = 7\r\n[[interface]]\r\nname = 'eth0'\r\n[[pool]]\r\nname = 'p'\r\nbackends = ['10.0.0.1:80', '10.0.0.2:80']\r\n[[service]]\r\nname = 'web'\r\npool = 'p'\r\nlisten = '192.0.2.10:80/tcp'\r\n";
    assert_eq!(good(inline), good(sections));
}

#[test]
fn ten_mistakes_are_ten_errors() {
    let text = include_str!("tests/ten-mistakes.toml");
    let found = errors(text);
    let marked = text.lines().zip(1..).filter_map(|(line, number)| {
        let (nth, words) = line.split_once("# ")?.1.split_once(": ")?;
        Some((nth.parse::<usize>().ok()?, number, words))
    });
    let marked: Vec<_> = marked.collect();
    assert_eq!(marked.len(), 10);
    assert_eq!(found.len(), 10, "{found:#?}");
    for (error, (nth, line, words)) in found.iter().zip(marked) {
        assert_eq!(error.line, line, "mistake {nth}: {error}");
        assert!(error.message.contains(words), "mistake {nth}: {error}");
    }
}

#[test]
fn every_example_is_right() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            // Their certificates are not here.
            let text = fs::read_to_string(&path).unwrap();
            parse("f", &text).unwrap_or_else(|errors| panic!("{errors}"));
            seen += 1;
        }
    }
    assert!(seen >= 5, "the examples have moved");
}

#[test]
fn errors_read_like_those_of_a_compiler() {
    let errors = parse("shunt.toml", "[daemon]\nseed = -1\nadmin = 5\n").unwrap_err();
    assert_eq!(errors.len(), 3);
    let text = errors.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("shunt.toml:1:1: there is no interface; "), "{text}");
    assert!(lines[1].starts_with("shunt.toml:2:8: seed -1 is out of range; "), "{text}");
    assert!(lines[2].starts_with("shunt.toml:3:9: `admin` must be a string, "), "{text}");
}

#[test]
fn files_that_cannot_be_read() {
    let missing = load(Path::new("/nonexistent/shunt.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/shunt.toml: cannot be read: "), "{missing}");
    assert!(missing.ends_with("; check the path, or write the file"), "{missing}");

    let directory = tempfile::tempdir().unwrap();
    let message = load(directory.path()).unwrap_err().to_string();
    assert!(message.ends_with("; give the file, not its directory"), "{message}");

    let binary = directory.path().join("binary.toml");
    fs::write(&binary, b"[daemon]\n# \xc3\xbc \xff\n").unwrap();
    let errors = load(&binary).unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!((error.line, error.column), (2, 5), "{error}");
    assert!(error.message.contains("UTF-8"), "{error}");
}
