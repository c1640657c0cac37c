//! `shunt decap`, from the command line to what is asked for, and back to words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use clap::Parser;
use serde_json::Value;

use super::golden::assert_golden;
use crate::{
    admin::types::{CounterView, DecapView},
    cli::{Cli, Decap, Outcome, args::Command, decap},
    model::{AttachMode, DecapSettings, DecapTarget},
};

/// Decapsulators that only say what was asked of them.
pub(super) const STUB: Decap = Decap {
    attach: |target, DecapSettings { mode, addresses, from }| {
        Ok(vec![directory(target), format!("{} {addresses:?} {}", mode.name(), from.len())])
    },
    view: |target| {
        let counter = |packets, bytes| CounterView { packets, bytes };
        Ok(DecapView {
            interface: target.interface.clone(),
            attached: Some(AttachMode::Native),
            pin_dir: target.directory(),
            addresses: vec!["192.0.2.4".parse()?, "2001:db8:2::4".parse()?],
            from: vec!["192.0.2.0/24".parse()?],
            packets: [
                ("decapsulated".to_owned(), counter(12_345, 1 << 20)),
                ("not-tunnelled".to_owned(), counter(7, 600)),
            ]
            .into(),
        })
    },
    detach: |target| {
        let known = target.interface != "absent0";
        Ok(known.then(|| directory(target)).into_iter().collect())
    },
};

fn directory(target: &DecapTarget) -> String {
    target.directory().display().to_string()
}

fn run(line: &str) -> Outcome {
    let Command::Decap(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
        panic!("another command: {line}");
    };
    decap::decap(&STUB, args).unwrap()
}

#[test]
fn every_setting_arrives() {
    assert_eq!(run("shunt decap eth0").out, "/sys/fs/bpf/shunt-decap/eth0\nauto {} 0\n");
    let line = "shunt decap eth0 --mode generic --pin-dir /a --from 192.0.2.1 --from ::/0 \
                --address 192.0.2.4 --address ::ffff:192.0.2.4";
    assert_eq!(run(line).out, "/a/eth0\ngeneric {192.0.2.4} 2\n");
    assert_eq!(run("shunt decap eth0 --detach").out, "/sys/fs/bpf/shunt-decap/eth0\n");
    assert_eq!(
        run("shunt decap absent0 --detach").out,
        "nothing to remove: /sys/fs/bpf/shunt-decap/absent0 does not exist\n"
    );
}

#[test]
fn names_with_dots_have_directories_without() {
    let directory = |interface: &str| {
        let pin_dir = Path::new("/a").to_owned();
        DecapTarget { interface: interface.to_owned(), pin_dir }.directory()
    };
    assert_eq!(directory("eth0.100"), Path::new("/a/eth0%2e100"));
    assert_ne!(directory("eth0.1"), directory("eth0%2e1"));
}

#[test]
fn the_status_looks_as_it_should() {
    assert_golden("decap.txt", &run("shunt decap eth0 --status").out);
}

#[test]
fn the_status_is_json_on_demand() {
    let json: Value = serde_json::from_str(&run("shunt decap eth0 --status --json").out).unwrap();
    assert_eq!(json["attached"], "native");
    assert_eq!(json["addresses"], serde_json::json!(["192.0.2.4", "2001:db8:2::4"]));
    assert_eq!(json["from"], serde_json::json!(["192.0.2.0/24"]));
    assert_eq!(json["packets"]["decapsulated"]["packets"], 12_345);
}
