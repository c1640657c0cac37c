//! What is said about a single mistake, and where.

use super::{
    super::vocabulary::{self, Refusal, Vocabulary},
    errors,
};

/// A right file whose sections begin at known lines. A mistake is appended to one of them.
fn file_with(section: &str, line: &str) -> (String, usize) {
    let sections = [
        ("daemon", "[daemon]\n"),
        ("interface", "[[interface]]\nname = \"eth0\"\n"),
        ("pool", "[[pool]]\nname = \"web\"\nbackends = [\"10.0.0.1:80\"]\n"),
        ("service", "[[service]]\nname = \"web\"\nlisten = \"192.0.2.1:80/tcp\"\npool = \"web\"\n"),
        ("listener", "[[listener]]\nname = \"edge\"\nlisten = \"192.0.2.2:80\"\npool = \"web\"\n"),
        ("route", "[[listener.route]]\npath-prefix = \"/a\"\npool = \"web\"\n"),
        ("health", "[[pool]]\nname = \"other\"\nbackends = []\n[pool.health]\ntype = \"none\"\n"),
        ("http", "[pool.http]\n"),
    ];
    let (mut text, mut number) = (String::new(), 0);
    if section.is_empty() {
        text = format!("{line}\n");
        number = 1;
    }
    for (name, content) in sections {
        text.push_str(content);
        if name == section {
            number = text.lines().count() + 1;
            text.push_str(line);
            text.push('\n');
        }
    }
    (text, number)
}

/// Asserts that a line added to a section of a right file is one error, there, with these words.
fn refused(section: &str, line: &str, words: &[&str]) {
    let (text, number) = file_with(section, line);
    let found = errors(&text);
    assert_eq!(found.len(), 1, "{section} with {line}: {found:#?}");
    assert_eq!(found[0].line, number, "{section} with {line}: {}", found[0]);
    for word in words {
        assert!(found[0].message.contains(word), "{section} with {line}: {}", found[0]);
    }
}

#[test]
fn the_frame_itself_is_right() {
    assert_eq!(errors(&file_with("daemon", "").0), []);
}

#[test]
fn every_refused_key_is_explained_once() {
    let sections = [
        ("daemon", &vocabulary::DAEMON),
        ("interface", &vocabulary::INTERFACE),
        ("pool", &vocabulary::POOL),
        ("health", &vocabulary::HEALTH),
        ("service", &vocabulary::SERVICE),
        ("listener", &vocabulary::listener::LISTENER),
        ("route", &vocabulary::route::ROUTE),
        ("http", &vocabulary::upstream::HTTP),
        ("", &vocabulary::FILE),
    ];
    for (section, words) in sections {
        for (key, refusal) in words.refused {
            let (line, start) = (format!("{key} = 1"), format!("`{key}`: "));
            match refusal {
                Refusal::Later(what) => {
                    refused(section, &line, &[&start, what, "not in this version yet"]);
                }
                Refusal::Layer7(what) => {
                    let reason = "is layer 4: it forwards packets without reading them";
                    refused(section, &line, &[&start, reason, what, "[[listener]]"]);
                }
                Refusal::Instead(_, sentence) => refused(section, &line, &[&start, sentence]),
            }
        }
    }
}

#[test]
fn a_refused_key_is_not_known_too() {
    let all = [
        &vocabulary::FILE,
        &vocabulary::DAEMON,
        &vocabulary::INTERFACE,
        &vocabulary::POOL,
        &vocabulary::HEALTH,
        &vocabulary::BACKEND,
        &vocabulary::SERVICE,
    ];
    for Vocabulary { known, refused, title, .. } in all {
        for (nth, (key, refusal)) in refused.iter().enumerate() {
            assert!(known.iter().all(|word| word.key != *key), "{title}: {key}");
            assert!(refused[..nth].iter().all(|(other, _)| other != key), "{title}: {key} twice");
            if let Refusal::Instead(meant, _) = refusal {
                let exists = meant.is_empty() || known.iter().any(|word| word.key == *meant);
                assert!(exists, "{title}: {key} stands for {meant}");
            }
        }
    }
}

/// What the reference calls known is known, and what it calls planned is refused as such.
#[test]
fn the_reference_names_every_key() {
    let reference = include_str!("../../../../docs/configuration.md");
    for words in [
        &vocabulary::DAEMON,
        &vocabulary::INTERFACE,
        &vocabulary::POOL,
        &vocabulary::HEALTH,
        &vocabulary::BACKEND,
        &vocabulary::SERVICE,
    ] {
        let title = words.title;
        for word in words.known {
            let row = format!("\n| `{}` |", word.key);
            assert!(reference.contains(&row), "{title}: {}", word.key);
        }
        for (key, refusal) in words.refused {
            let named = reference.contains(&format!("`{key}`"));
            assert!(named || !matches!(refusal, Refusal::Later(_)), "{title}: {key}");
        }
    }
}

#[test]
fn sections_and_values_of_later_versions() {
    let health = "health = { type = \"grpc\", service = \"a\", path = \"/\", interval = \"1s\" }";
    refused(
        "pool",
        health,
        &["`type = \"grpc\"` is not in this version yet", "none, tcp, http, https"],
    );
}

#[test]
fn layer_7_in_a_service_as_a_section() {
    refused("service", "[service.tls]\ncertificate = \"a.pem\"", &["TLS session", "[[listener]]"]);
    refused("service", "[[service.route]]\npath = \"/\"", &["request to route", "[[listener]]"]);
}

#[test]
fn words_of_nginx() {
    for section in ["upstream", "server", "stream", "http"] {
        let found = errors(&format!("[[interface]]\nname = \"e\"\n[[{section}]]\nname = \"a\"\n"));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].message.contains("[[pool]]"), "{}", found[0]);
        assert!(found[0].message.contains("nginx's"), "{}", found[0]);
    }
    let found = errors("stream {\n  server { listen 80; }\n}\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("a [[pool]] is nginx's `upstream`"), "{}", found[0]);
}

/// A foreign word is one mistake, not that and a missing key.
#[test]
fn a_foreign_word_for_a_required_key() {
    let head = "[[interface]]\nname = \"e\"\n[[pool]]\nname = \"web\"\nserver = []\n[[service]]\nname = \"web\"\n";
    let found = errors(&format!("{head}bind = \"192.0.2.1:80\"\nproxy_pass = \"web\"\n"));
    let lines: Vec<_> = found.iter().map(|error| error.line).collect();
    assert_eq!(lines, [5, 8, 9], "{found:#?}");
}

#[test]
fn unknown_keys() {
    refused("daemon", "sead = 1", &["`sead` is not a key of [daemon]", "did you mean `seed`?"]);
    refused("daemon", "state_dir = \"/a\"", &["did you mean `state-dir`?"]);
    refused("daemon", "colour = 1", &["use one of: admin, state-dir, pin-dir, seed"]);
    refused("service", "Forward = \"nat\"", &["did you mean `forward`?"]);
    refused("service", "vip-inteface = \"eth0\"", &["did you mean `vip-interface`?"]);
    refused("", "[[pools]]\n", &["`pools` is not a section of this file", "`[[pool]]`?"]);
    refused("", "zebra = 1", &["use one of: [daemon], [[interface]], [[pool]], [[service]]"]);
    refused("", "[\"\\u001b[31m\"]", &["`\\u{1b}[31m` is not a section"]);
}

#[test]
fn wrong_types() {
    refused("daemon", "seed = \"a\"", &["`seed` must be an integer, not the string \"a\""]);
    refused("daemon", "seed = 1.5", &["not the number 1.5"]);
    refused("daemon", "admin = true", &["not the boolean true", "write `admin = "]);
    refused("interface", "mode = {}", &["`mode` must be a string, not a table"]);
    refused("pool", "health = 3", &["`health` must be one table, not the integer 3"]);
    refused("service", "vip-interface = [\"a\"]", &["must be a string, not an array"]);
}

#[test]
fn values_out_of_bounds() {
    refused("daemon", "seed = -1", &["seed -1 is out of range", "0 to 9223372036854775807"]);
    refused("daemon", "seed = 9223372036854775808", &["not a number"]);
    refused("daemon", "pin-dir = \"bpf\"", &["not an absolute path"]);
    refused("daemon", "pin-dir = \"\"", &["not an absolute path"]);
    refused("daemon", "state-dir = \"/a\\u0000b\"", &["NUL", "/a\\u{0}b"]);
    let long = format!("admin = \"/{}\"", "a".repeat(107));
    refused("daemon", &long, &["longer than the 107 bytes"]);
    refused("interface", "mode = \"natvie\"", &["did you mean `native`?"]);
    refused("service", "forward = \"route\"", &["use one of: nat, full-nat, dsr, ipip, gue"]);
    refused("service", "vip-interface = \"eth0/1\"", &["not the name of an interface"]);
}

/// Values of a service that are wrong in themselves, or mean nothing in it.
#[test]
fn settings_of_a_service() {
    let cases: [(&str, &[&str]); 22] = [
        ("forward = \"full_nat\"", &["did you mean `full-nat`?"]),
        ("forward = \"tunnel\"", &["use one of: nat, full-nat, dsr, ipip, gue"]),
        ("pools = []", &["not in this version yet"]),
        ("source = 5", &["must be a string or an array, not the integer 5"]),
        ("source = [5]", &["`source` must be a string, not the integer 5"]),
        ("source = \"eth0\"", &["`eth0` is no source address"]),
        ("source = \"10.0.0.1/24\"", &["write 10.0.0.0/24"]),
        ("source = \"10.0.0.0/4\"", &["from 8 to 32"]),
        (
            "source = [\"198.51.100.1\", \"198.51.100.2\"]",
            &["second source prefix", "198.51.100.1/32"],
        ),
        ("source = \"198.51.100.1\"", &["no meaning with `nat`"]),
        ("sources = []", &["write `source`"]),
        (
            "source-ports = \"1024-32767\"",
            &["`source-ports`: `nat` keeps the client's port", "`full-nat`"],
        ),
        ("source-ports = 1024", &["must be a string, not the integer 1024", "\"1024-32767\""]),
        ("source_ports = \"1024-32767\"", &["did you mean `source-ports`?"]),
        ("udp = \"tracked\"", &["`udp`: 192.0.2.1:80/tcp is TCP, whose"]),
        ("udp = \"stateless\"", &["`udp`: 192.0.2.1:80/tcp is TCP, whose"]),
        ("idle-timeout = 900", &["must be a string, not the integer 900", "\"15m\""]),
        ("idle-timeout = \"900\"", &["`900` is not a duration"]),
        ("idle-timeout = \"999ms\"", &["out of range; use 1s to 8h"]),
        ("idle-timeout = \"28801s\"", &["out of range; use 1s to 8h"]),
        ("timeout = \"1s\"", &["write `idle-timeout`"]),
        ("drain-timeout = \"1s\"", &["belongs to the [[pool]]"]),
    ];
    for (line, words) in cases {
        refused("service", line, words);
    }
    let full_nat = "forward = \"full-nat\"\nsource = \"198.51.100.64/28\"\n";
    let cases = [
        ("source-ports = \"1024\"", "write two ports"),
        ("source-ports = \"2000-1000\"", "lower port first"),
        ("source-ports = \"1000-1100\"", "too small (101 of at least 256 ports)"),
        ("idle-timeout = \"0s\"", "out of range; use 1s to 8h"),
    ];
    for (line, words) in cases {
        let (text, number) = file_with("service", &format!("{full_nat}{line}"));
        let found = errors(&text);
        assert_eq!(found.len(), 1, "{line}: {found:#?}");
        assert_eq!(found[0].line, number + 2, "{line}: {}", found[0]);
        assert!(found[0].message.contains(words), "{line}: {}", found[0]);
    }
}

/// A source that cannot be read is not reported as missing, too.
#[test]
fn a_wrong_source_is_one_mistake() {
    for source in ["5", "\"eth0\"", "[\"198.51.100.1\", \"198.51.100.2\"]"] {
        let text = format!("source = {source}\nforward = \"full-nat\"");
        let found = errors(&file_with("service", &text).0);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].message.contains("ource"), "{}", found[0]);
    }
}

#[test]
fn a_wrong_choice_of_udp() {
    let (text, number) = file_with("service", "udp = \"quick\"");
    let found = errors(&text.replace("192.0.2.1:80/tcp", "192.0.2.1:80/udp"));
    assert_eq!((found.len(), found[0].line), (1, number), "{found:#?}");
    assert!(found[0].message.contains("did you mean `quic`?"), "{}", found[0]);
}

#[test]
fn brackets() {
    let tail = "[[interface]]\nname = \"e\"\n";
    let cases = [
        ("[pool]\nname = \"a\"\nbackends = []\n", "write `[[pool]]`, with two brackets"),
        ("[pool.web]\nbackends = []\n", "`[[pool]]` with `name = \"web\"`"),
        ("[[daemon]]\n", "write `[daemon]`"),
        ("pool = [3]\n", "not the integer 3; write `[[pool]]`"),
        ("pool = 3\n", "`pool` must be tables, not the integer 3; write `[[pool]]` for each"),
    ];
    for (text, words) in cases {
        let service = "[[service]]\nname = \"s\"\nlisten = \"192.0.2.1:80/tcp\"\npool = \"web\"\n";
        let pool =
            if text.contains("daemon") { "[[pool]]\nname=\"web\"\nbackends=[]\n" } else { "" };
        let text = format!("{text}{tail}{pool}{service}").replace("name = \"a\"", "name = \"web\"");
        let found = errors(&text);
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        assert_eq!(found[0].line, 1, "{}", found[0]);
        assert!(found[0].message.contains(words), "{}", found[0]);
    }
}

#[test]
fn backends() {
    let cases = [
        ("5", "must be a string or a table, not the integer 5"),
        ("\"web1:80\"", "host names are not looked up"),
        ("\"10.0.0.1\"", "write IP:PORT"),
        ("\"10.0.0.1:80/tcp\"", "write IP:PORT"),
        ("{ weight = 2 }", "this backend has no `address`"),
        ("{ address = 5 }", "`address` must be a string"),
        ("{ adress = \"10.0.0.1:80\" }", "did you mean `address`?"),
        ("{ server = \"10.0.0.1:80\" }", "write `address`"),
        ("{ address = \"10.0.0.1:80\", weight = 1001 }", "weight 1001 is out of range"),
        ("{ address = \"10.0.0.1:80\", weight = \"2\" }", "`weight` must be an integer"),
        ("{ address = \"10.0.0.1:80\", port = 80 }", "the port is part of `address`"),
    ];
    for (backend, words) in cases {
        let text = format!(
            "[[interface]]\nname = \"e\"\n[[pool]]\nname = \"a\"\nbackends = [\n  {backend},\n]\n"
        );
        let found = errors(&text);
        assert_eq!(found.len(), 1, "{backend}: {found:#?}");
        assert_eq!(found[0].line, 6, "{}", found[0]);
        assert!(found[0].message.contains(words), "{}", found[0]);
    }
}

#[test]
fn missing_keys_are_reported_at_the_header() {
    let found =
        errors("\n[[interface]]\n\n[[pool]]\n# nothing\n\n  [[service]]\nforward = \"nat\"\n");
    let expected = [
        (2, 1, "this [[interface]] has no `name`"),
        (4, 1, "this [[pool]] has no `backends`"),
        (4, 1, "this [[pool]] has no `name`"),
        (7, 3, "this [[service]] has no `listen`"),
        (7, 3, "this [[service]] has no `name`"),
        (7, 3, "this [[service]] has no `pool`"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (error, (line, column, words)) in found.iter().zip(expected) {
        assert_eq!((error.line, error.column), (line, column), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn syntax() {
    let cases = [
        ("[daemon]\nseed = \n", 2, 8, "expected a value, found a newline"),
        ("[daemon]\nseed = abc\n", 2, 8, "must be in quotes"),
        ("listen = 192.0.2.10:80/tcp\n", 1, 15, "must be in quotes"),
        ("timeout = 30s\n", 1, 11, "must be in quotes"),
        ("[daemon]\nadmin = \"/a\nseed = 1\n", 2, 12, "end it with a quote"),
        ("[daemon]\nadmin = \"C:\\dir\"\n", 2, 13, "write `\\\\` for a backslash"),
        ("[daemon]\nadmin = \"C:\\Users\"\n", 2, 14, "8 hexadecimal digits"),
        ("[daemon]\nseed = 1\nseed = 2\n", 3, 1, "`seed` is there already, in line 2"),
        ("[service]\na = 1\n[service]\n", 3, 1, "write `[[service]]` for each"),
        ("x = [1, 2\n", 2, 1, "close the bracket"),
        ("a = 'ü' ?\n", 1, 9, "unexpected character `?`"),
        ("frontend web\n", 1, 10, "a line is `key = value`"),
        ("a.b = 1\na.b.c = 2\n", 2, 3, "extends the value of line 1"),
    ];
    for (text, line, column, words) in cases {
        let found = errors(text);
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        assert_eq!((found[0].line, found[0].column), (line, column), "{text}: {}", found[0]);
        assert!(found[0].message.contains(words), "{text}: {}", found[0]);
    }
}
