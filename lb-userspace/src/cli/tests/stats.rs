//! `shunt stats`: totals, rates, and when it ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{self, ErrorKind, Write},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    commands::{shunt, shunt_into},
    golden::assert_golden,
};
use crate::{
    admin::{
        fixture::{self, address, name},
        types::{CounterView, Status},
    },
    cli::stats::{self, Rate, Report, Traffic},
};

const TWO_SECONDS: Duration = Duration::from_secs(2);

fn counter(packets: u64, bytes: u64) -> CounterView {
    CounterView { packets, bytes }
}

fn all(status: &Status) -> Traffic<CounterView> {
    Traffic::of(status, None).unwrap()
}

/// The fixed status a little later.
fn later() -> Status {
    let mut status = fixture::status();
    let grown = [
        ("forwarded", counter(12_345 + 24_690, 1_300_000 + 2_500_000)),
        ("returned", counter(999 + 1, 70_000 + 60)),
        ("too-big", counter(5, 7_570)),
    ];
    for (reason, counter) in grown {
        status.services[1].packets.insert(reason.to_owned(), counter);
    }
    status.pools[2].backends[0].sent = counter(100 + 24_690, 100_000 + 2_500_000);
    status
}

#[test]
fn totals_look_as_they_should() {
    let status = fixture::status();
    assert_golden("stats.txt", &stats::words(&all(&status), &stats::TOTALS));
    let web = Traffic::of(&status, Some(&name("web"))).unwrap();
    assert_golden("stats-service.txt", &stats::words(&web, &stats::TOTALS));
}

#[test]
fn rates_look_as_they_should() {
    let report = Report::new(&all(&fixture::status()), &all(&later()), TWO_SECONDS);
    assert_golden("stats-rates.txt", &report.text(false).unwrap());
    let line = report.text(true).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    let json: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["seconds"], 2.0);
    let rate = json!({"packets_per_second": 12_345.0, "bits_per_second": 10_000_000.0});
    assert_eq!(json["services"][1]["forwarded"], rate);
    assert_eq!(json["backends"][1]["sent"], rate);
}

#[test]
fn a_rate_is_the_growth_in_a_second() {
    let cases = [
        ("none", (10, 1_000), (10, 1_000), (0.0, 0.0)),
        ("growth", (10, 1_000), (16, 1_600), (3.0, 2_400.0)),
        ("from the beginning", (0, 0), (1, 60), (0.5, 240.0)),
        ("begun anew", (1_000, 100_000), (4, 400), (2.0, 1_600.0)),
        ("begun anew with larger packets", (1_000, 60_000), (100, 150_000), (50.0, 600_000.0)),
        ("begun anew with smaller packets", (100, 150_000), (200, 12_000), (100.0, 48_000.0)),
        ("begun anew and silent", (1_000, 100_000), (0, 0), (0.0, 0.0)),
    ];
    for (description, before, after, (packets_per_second, bits_per_second)) in cases {
        let (before, after) = (counter(before.0, before.1), counter(after.0, after.1));
        let rate = Rate::between(before, after, TWO_SECONDS);
        assert_eq!(rate, Rate { packets_per_second, bits_per_second }, "{description}");
    }
    let rate = Rate::between(counter(0, 0), counter(u64::MAX, u64::MAX), Duration::ZERO);
    assert!(rate.packets_per_second.is_finite() && rate.bits_per_second.is_finite());
}

#[test]
fn what_was_not_there_before_has_no_rate_yet() {
    let (before, mut after) = (fixture::status(), later());
    after.services[0].listen = "192.0.2.11:53/udp".parse().unwrap();
    after.pools[2].backends[1].address = address("172.17.0.9:1006");
    let rates = all(&after).since(&all(&before), TWO_SECONDS);
    let services: Vec<_> = rates.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(services, ["web"]);
    let backends: Vec<_> = rates.backends.iter().map(|it| it.address.to_string()).collect();
    assert_eq!(backends, ["[2001:db8::4]:53", "172.17.0.4:1001", "172.17.0.6:1003"]);
    let vanished = all(&before).since(&all(&after), TWO_SECONDS);
    assert_eq!((vanished.services.len(), vanished.backends.len()), (1, 3));
}

#[tokio::test]
async fn totals_are_json_on_demand() {
    let daemon = fixture::daemon();
    let json = shunt(&daemon.socket, "stats web --json").await.unwrap().out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let service = json!({
        "name": "web",
        "listen": "192.0.2.10:80/tcp",
        "forwarded": {"packets": 12_345, "bytes": 1_300_000},
        "returned": {"packets": 999, "bytes": 70_000},
        "other": {"packets": 2, "bytes": 120},
    });
    assert_eq!(json["services"], json!([service]));
    let backend = json!({
        "pool": "web",
        "services": ["web"],
        "address": "172.17.0.4:1001",
        "sent": {"packets": 100, "bytes": 100_000},
    });
    assert_eq!((&json["backends"][0], json["backends"].as_array().unwrap().len()), (&backend, 3));
}

#[tokio::test]
async fn rates_are_printed_as_often_as_asked() {
    let daemon = fixture::daemon();
    let line = "stats --interval 100ms --count 2";
    let outcome = shunt(&daemon.socket, line).await.unwrap();
    assert!(outcome.done);
    assert_eq!(outcome.out.matches("SERVICE  LISTEN").count(), 2, "{}", outcome.out);
    let lines = shunt(&daemon.socket, &format!("{line} --json")).await.unwrap().out;
    let seconds: Vec<f64> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seconds"].as_f64().unwrap())
        .collect();
    assert_eq!(seconds.len(), 2, "{lines}");
    assert!(seconds.iter().all(|seconds| *seconds > 0.0), "{lines}");
}

/// A reader that goes away after so many reports.
struct Head(u32);

impl Write for Head {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(ErrorKind::BrokenPipe)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_ends_it() {
    let daemon = fixture::daemon();
    let line = "stats --interval 100ms";
    let (reader, outcome) = shunt_into(Head(2), &daemon.socket, line).await;
    assert_eq!(reader.0, 0);
    assert!(outcome.unwrap().done);
}
