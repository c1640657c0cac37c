//! The definition of the command line, and what is made from it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use clap::{CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;

use crate::cli::{Cli, explain, generate};

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' ')).and_then(Cli::checked)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_is_understood() {
    let lines = [
        "shunt run --config shunt.toml",
        "shunt check shunt.toml --json",
        "shunt apply shunt.toml --dry-run --json",
        "shunt status --json --socket /tmp/s",
        "shunt --socket /tmp/s status",
        "shunt stats --json",
        "shunt stats web --interval 500ms --count 10 --json",
        "shunt drops",
        "shunt drops web --all --json",
        "shunt flow 198.51.100.7:40000 192.0.2.10:80/tcp --opening --json",
        "shunt flow [2001:db8:1::7]:40000 [2001:db8::10]:53/udp",
        "shunt trace",
        "shunt trace service web dropped --json --count 10",
        "shunt trace host 198.51.100.0/24 and port 80 --pcap /tmp/a.pcapng",
        "shunt service list --json",
        "shunt service show web --json",
        "shunt listener list --json",
        "shunt listener show edge",
        "shunt route GET http://www.example.org/ -H a:b --client 192.0.2.1 --listener edge --json",
        "shunt pool list",
        "shunt pool show web",
        "shunt backend list",
        "shunt backend list web --json",
        "shunt backend add web 172.17.0.8:1005 [2001:db8::4]:80 --weight 3",
        "shunt backend remove web 172.17.0.8:1005",
        "shunt backend drain web 172.17.0.8:1005 172.17.0.9:1006",
        "shunt backend enable web 172.17.0.8:1005",
        "shunt backend weight web 172.17.0.8:1005 1000",
        "shunt decap eth0",
        "shunt decap eth0 --mode generic --from 192.0.2.0/24 --from 2001:db8::/32",
        "shunt decap eth0.5 --address 192.0.2.4 --address 2001:db8::4 --pin-dir /sys/fs/bpf/a",
        "shunt decap eth0 --status --json",
        "shunt decap eth0 --detach --pin-dir /sys/fs/bpf/a",
        "shunt detach --pin-dir /sys/fs/bpf/a --state-dir /tmp/b",
        "shunt completions zsh",
        "shunt man --out /tmp/man",
    ];
    for line in lines {
        if let Err(error) = read(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn malformed_arguments_get_one_line_that_says_what_to_do() {
    let cases = [
        ("shunt backend add web web:80", "`web:80` is not a backend address: write"),
        ("shunt backend add web 0.0.0.0:80", "it is not the address of one host"),
        ("shunt backend remove we/b 10.0.0.1:80", "is not a name: use 1 to 63"),
        ("shunt backend weight web 10.0.0.1:80 0", "use 1 to 1000; to stop new flows"),
        ("shunt backend weight web 10.0.0.1:80 -1", "use 1 to 1000; to stop new flows"),
        ("shunt backend add web 10.0.0.1:80 --weight -1", "use 1 to 1000"),
        ("shunt backend weight web 10.0.0.1:80 heavy", "give a whole number"),
        ("shunt stats we/b", "is not a name: use 1 to 63"),
        ("shunt stats --interval 1", "one of the units ms, s, m and h"),
        ("shunt stats --interval 10ms", "10ms is out of range; use 100ms to 24h"),
        ("shunt stats --interval 1s --count 0", "give a whole number that is not 0"),
        ("shunt stats --interval 1s --count -1", "give a whole number that is not 0"),
        ("shunt drops we/b", "is not a name: use 1 to 63"),
        (
            "shunt flow client:1 192.0.2.10:80/tcp",
            "`client:1` is not the address of a client: write",
        ),
        ("shunt flow 198.51.100.7:40000 192.0.2.10:80", "is not a service address: write ADDRESS"),
        (
            "shunt trace servce web",
            "`servce` is no condition of a filter (did you mean `service`?)",
        ),
        ("shunt trace port http", "`port` in the filter: `http` is no port"),
        ("shunt trace --count 0", "give a whole number that is not 0"),
        ("shunt decap eth/0", "`eth/0`"),
        ("shunt decap eth0 --mode skb", "write `auto`, `native` or `generic`"),
        ("shunt decap eth0 --from web", "write an address, such as"),
        ("shunt decap eth0 --from 192.0.2.0/33", "must be from 0 to 32"),
        ("shunt decap eth0 --from 192.0.2.1/24", "write 192.0.2.0/24"),
        ("shunt decap eth0 --address 192.0.2.4:80", "`192.0.2.4:80` is no address"),
        ("shunt decap eth0 --address 127.0.0.1", "name a unicast address of this host"),
        ("shunt decap eth0 --address ff02::1", "name a unicast address of this host"),
    ];
    for (line, expected) in cases {
        let error = read(line).unwrap_err();
        let message = error.to_string();
        let first = message.lines().next().unwrap();
        assert!(first.starts_with("error: ") && first.contains(expected), "{line}: {first}");
        assert_eq!(error.kind(), clap::error::ErrorKind::ValueValidation, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn wrong_usage_is_exit_code_two() {
    let lines = [
        "shunt",
        "shunt explode",
        "shunt run",
        "shunt backend add web",
        "shunt backend add web nonsense",
        "shunt backend weight web 10.0.0.1:80",
        "shunt completions tcsh",
        "shunt run --config a --json",
        "shunt stats web dns",
        "shunt stats --count 3",
        "shunt drops --interval 1s",
        "shunt trace --interval 1s",
        "shunt trace servce web",
        "shunt trace host",
        "shunt trace --count 0",
        "shunt decap",
        "shunt decap eth0 eth1",
        "shunt decap eth0 --json",
        "shunt decap eth0 --status --detach",
        "shunt decap eth0 --status --from 192.0.2.0/24",
        "shunt decap eth0 --detach --address 192.0.2.4",
        "shunt decap eth0 --status --mode native",
    ];
    for line in lines {
        assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
    }
    assert_eq!(read("shunt --help").unwrap_err().exit_code(), 0);
}

#[test]
fn a_cause_is_said_once() {
    let cause = anyhow::anyhow!("no such file").context("cannot read a: no such file");
    assert_eq!(explain(&cause), "cannot read a: no such file");
    assert_eq!(
        explain(&cause.context("cannot apply")),
        "cannot apply: cannot read a: no such file"
    );
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in Shell::value_variants() {
        let script = generate::completions(*shell).out;
        assert!(script.contains("shunt") && script.contains("drain"), "{shell}");
    }
}

#[test]
fn manual_pages_exist_for_every_command() {
    let page = generate::man(None).unwrap().out;
    assert!(page.contains(".TH shunt 1") && page.contains("shunt\\-apply(1)"), "{page}");
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    generate::man(Some(&pages)).unwrap();
    let names = ["shunt", "shunt-run", "shunt-backend", "shunt-backend-add", "shunt-service-show"];
    for name in names {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let blocked = generate::man(Some(&pages.join("shunt.1"))).unwrap_err();
    assert!(format!("{blocked:#}").starts_with("cannot write the pages into"), "{blocked:#}");
}
