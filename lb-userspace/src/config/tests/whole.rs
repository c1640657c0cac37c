//! Duplicates and the rules for a file as a whole: found, placed, and no follow-up errors.

use super::{super::ConfigError, errors};

const INTERFACE: &str = "[[interface]]\nname = \"eth0\"\n";

/// Lines and messages of a text that has a right interface in its first two lines.
fn found(text: &str) -> Vec<(usize, usize, String)> {
    let place = |error: ConfigError| (error.line, error.column, error.message);
    errors(&format!("{INTERFACE}{text}")).into_iter().map(place).collect()
}

fn assert_only(text: &str, line: usize, column: usize, words: &str) {
    let found = found(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].0, found[0].1), (line, column), "{found:#?}");
    assert!(found[0].2.contains(words), "{found:#?}");
}

fn pool(name: &str, backends: &str) -> String {
    format!("[[pool]]\nname = \"{name}\"\nbackends = [{backends}]\n")
}

fn service(name: &str, listen: &str, pool: &str, more: &str) -> String {
    format!("[[service]]\nname = \"{name}\"\nlisten = \"{listen}\"\npool = \"{pool}\"\n{more}\n")
}

#[test]
fn no_interface() {
    let found = errors("# nothing\n[daemon]\n");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].column), (1, 1));
    assert!(found[0].message.contains("add an [[interface]]"));
    assert_eq!(errors("").len(), 1);
    assert_eq!(errors("interface = []").len(), 1);
    assert_eq!(errors("[[interface]]\nname = \"a b\"\n").len(), 1);
    assert_eq!(errors("[[interfaces]]\nname = \"a\"\n").len(), 1);
}

#[test]
fn duplicates() {
    assert_only(
        "[[interface]]\nname = \"eth0\"\n",
        4,
        9,
        "interface `eth0` is there already, in line 2",
    );
    let two = pool("a", "") + &pool("a", "\"10.0.0.1:80\"");
    assert_only(&two, 7, 9, "pool `a` is there already, in line 4");
    let twice = pool("a", "\"10.0.0.1:80\", { address = \"10.0.0.1:80\" }");
    assert_only(&twice, 5, 41, "backend 10.0.0.1:80 is there already, in line 5");
    let services = pool("a", "")
        + &service("s", "192.0.2.1:80/tcp", "a", "")
        + &service("s", "192.0.2.1:81/tcp", "a", "forward = \"dsr\"");
    assert_only(&services, 12, 9, "service `s` is there already, in line 7");
}

/// The first of two is wrong in another way, too.
#[test]
fn duplicate_of_something_wrong() {
    let services = pool("a", "")
        + &service("s", "192.0.2.1:80", "a", "")
        + &service("s", "192.0.2.1:81/tcp", "b", "");
    let lines: Vec<_> = found(&services).iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [8, 12, 14]);
}

#[test]
fn rules_at_their_lines() {
    let one = pool("a", "\"10.0.0.1:80\"");
    let text = one.clone() + &service("s", "192.0.2.1:80/tcp", "b", "");
    assert_only(&text, 9, 9, "pool `b`, which does not exist; add it, or use one of: a");

    let text = service("s", "192.0.2.1:80/tcp", "b", "");
    assert_only(&text, 6, 9, "add a [[pool]] with `name = \"b\"`");

    let text = one.clone() + &service("s", "[2001:db8::1]:80/tcp", "a", "");
    assert_only(&text, 5, 14, "address family");

    let two = pool("a", "\"10.0.0.1:80\", \"10.0.0.2:80\"");
    let text = two.clone() + &service("s", "[2001:db8::1]:80/tcp", "a", "");
    assert_only(&text, 9, 9, "no backend of pool `a` is of the address family");

    let text = one.clone() + &service("s", "192.0.2.1:81/tcp", "a", "forward = \"dsr\"");
    assert_only(&text, 5, 14, "listens on another port");

    let text = one.clone()
        + &service("s", "192.0.2.1:80/tcp", "a", "forward = \"dsr\"")
        + &service("t", "192.0.2.1:80/tcp", "a", "");
    assert_only(&text, 13, 11, "as service `s` does");

    let text = one.clone()
        + &service("s", "192.0.2.1:80/tcp", "a", "")
        + &service("t", "10.0.0.1:80/tcp", "b", "")
        + &pool("b", "");
    assert_only(&text, 5, 14, "is the VIP of service `t`");

    let text = one.clone() + &service("s", "192.0.2.1:80/tcp", "a", "forward = \"full-nat\"");
    assert_only(&text, 10, 12, "add one, such as `source = \"198.51.100.64/28\"`");

    let source = "forward = \"full-nat\"\nsource = \"10.0.0.0/29\"";
    let text = one.clone() + &service("s", "192.0.2.1:80/tcp", "a", source);
    assert_only(&text, 11, 11, "contains the address of backend 10.0.0.1");

    let text = one.clone() + &service("s", "192.0.2.1:80/tcp", "a", "source = [\"10.0.1.0/24\"]");
    assert_only(&text, 10, 10, "has no meaning with `nat`");

    let quic = "udp = \"quic\"\nforward = \"full-nat\"\nsource = \"10.0.1.0/24\"";
    let text = one + &service("s", "192.0.2.1:80/udp", "a", quic);
    assert_only(&text, 10, 8, "`udp = \"quic\"` with `full-nat`");

    let shared = two
        + &pool("b", "\"10.0.0.3:80\",\n\"10.0.0.1:80\"")
        + &service("s", "192.0.2.1:80/tcp", "a", "")
        + &service("t", "192.0.2.1:81/tcp", "a", "")
        + &service("u", "192.0.2.1:82/tcp", "b", "");
    assert_eq!(found(&shared), []);
}

#[test]
fn too_much_is_reported_at_the_top() {
    let section = |n| format!("[[interface]]\nname = \"e{n}\"\n");
    let interfaces: Vec<_> = (1..=256).map(section).collect();
    assert_only(&interfaces.concat(), 1, 1, "257 interfaces are more than the 256");
}

/// What could not be read is not reported as missing.
#[test]
fn no_follow_up_errors() {
    let wanting = service("s", "192.0.2.1:80/tcp", "a", "");
    assert_only(
        &("[[pool]]\nnmae = \"a\"\nbackends = []\n".to_owned() + &wanting),
        4,
        1,
        "`name`?",
    );
    assert_only(&("[[pool]]\nbackends = []\n".to_owned() + &wanting), 3, 1, "has no `name`");
    assert_only(&("[[pool]]\nname = \"a\"\nbackends = 5\n".to_owned() + &wanting), 5, 12, "array");
    assert_only(&("[[pools]]\nname = \"a\"\n".to_owned() + &wanting), 3, 3, "`[[pool]]`?");
    assert_only(&("[[upstream]]\nname = \"a\"\n".to_owned() + &wanting), 3, 3, "nginx");
    assert_only(&(pool("a", "\"10.0.0.1\"") + &wanting), 5, 14, "IP:PORT");
}

/// A service that is wrong in itself is still held against the pools.
#[test]
fn unfinished_services_are_judged() {
    let text = pool("a", "") + &service("s", "192.0.2.1:80", "b", "pth = 1");
    let found = found(&text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].2.contains("ADDRESS:PORT/PROTOCOL"), "{found:#?}");
    assert!(found[1].2.contains("service `s` sends to pool `b`"), "{found:#?}");
    let nameless = pool("a", "") + "[[service]]\nlisten = \"192.0.2.1:80/tcp\"\npool = \"b\"\n";
    let found = errors(&format!("{INTERFACE}{nameless}"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[1].message.contains("this service sends to pool `b`"), "{found:#?}");
}
