//! `shunt drops`: which packets it names, and as what.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lb_common::abi::Reason;
use serde_json::{Value, json};

use super::{commands::shunt, golden::assert_golden};
use crate::{
    admin::{
        fixture::{self, name},
        types::{CounterView, Status},
    },
    cli::drops::{self, Verdict},
};

/// The fixed status with reasons of several kinds: passed after rewriting, dropped, of a newer
/// daemon, and one that a service shares with packets of no service.
fn status() -> Status {
    let mut status = fixture::status();
    let added = [
        (0, "flow-table-full", 70_000),
        (1, "backend-unresolved", 8),
        (1, "other-protocol", 3),
        (1, "phase-of-the-moon", 1),
    ];
    for (service, reason, packets) in added {
        let counter = CounterView { packets, bytes: packets * 60 };
        status.services[service].packets.insert(reason.to_owned(), counter);
        // Where there are some already, these are among them.
        status.packets.entry(reason.to_owned()).or_insert(counter);
    }
    status
}

#[test]
fn drops_look_as_they_should() {
    let everything = drops::select(&status(), None).unwrap();
    assert_golden("drops-all.txt", &drops::words(&everything, &[], None));
    let (left_out, shown) = drops::split(everything, false);
    assert_golden("drops.txt", &drops::words(&shown, &left_out, None));
    let (web, none) = (name("web"), vec![]);
    let of_web = drops::select(&status(), Some(&web)).unwrap();
    assert_golden("drops-service.txt", &drops::words(&of_web, &none, Some(&web)));
}

#[test]
fn nothing_undelivered_is_said_in_words() {
    let mut status = fixture::status();
    status.packets.retain(|reason, _| reason != "ttl-expired" && reason != "other-protocol");
    status.services[1].packets.remove("ttl-expired");
    let words = |status: &Status, only: Option<&str>| {
        let only = only.map(name);
        let (left_out, shown) = drops::split(drops::select(status, only.as_ref()).unwrap(), false);
        drops::words(&shown, &left_out, only.as_ref())
    };
    assert_eq!(
        words(&status, None),
        "every packet was forwarded or returned, but for those left out\n\n\
         left out: 1,234,567 packets of no service (not-ours); --all shows them\n"
    );
    assert_eq!(
        words(&status, Some("dns")),
        "every packet of service dns was forwarded or returned\n"
    );
    status.packets.remove("not-ours");
    assert_eq!(words(&status, None), "every packet was forwarded or returned\n");
}

#[test]
fn what_a_service_has_is_not_of_no_service() {
    let drops = drops::select(&status(), None).unwrap();
    let of = |reason: &str| -> Vec<_> {
        let those = drops.iter().filter(|drop| drop.reason == reason);
        those.map(|drop| (drop.service.clone(), drop.counter.packets)).collect()
    };
    assert_eq!(of("ttl-expired"), [(Some(name("web")), 2)]);
    assert_eq!(of("other-protocol"), [(None, 5), (Some(name("web")), 3)]);
    assert_eq!(of("forwarded"), []);
    assert_eq!(of("returned"), []);
}

#[test]
fn counters_that_contradict_each_other_do_not_underflow() {
    let mut status = fixture::status();
    status.packets.get_mut("ttl-expired").unwrap().packets = 1;
    let drops = drops::select(&status, None).unwrap();
    let ttl: Vec<_> = drops.iter().filter(|drop| drop.reason == "ttl-expired").collect();
    assert_eq!(ttl.len(), 1, "{ttl:?}");
}

#[test]
fn verdicts_are_what_explanations_say() {
    for reason in Reason::ALL.iter().filter(|reason| !reason.is_delivery()) {
        let expected = match Verdict::of(*reason) {
            Verdict::Passed => "Passed",
            Verdict::Dropped => "Dropped: ",
        };
        let explanation = reason.explanation();
        assert!(explanation.starts_with(expected), "{}: {explanation}", reason.name());
    }
}

#[tokio::test]
async fn json_leaves_out_what_the_table_does() {
    let daemon = fixture::daemon();
    let json = async |line: &str| -> Value {
        serde_json::from_str(&shunt(&daemon.socket, line).await.unwrap().out).unwrap()
    };
    let ttl_expired = json!({
        "service": "web",
        "reason": "ttl-expired",
        "verdict": "dropped",
        "packets": 2,
        "bytes": 120,
        "explanation": "Dropped: the time to live (hop limit) ran out. The sender is told by ICMP, at most 1,000 times a second.",
    });
    assert_eq!(json("drops web --json").await, json!([ttl_expired]));
    let reasons = async |line: &str| -> Vec<Value> {
        json(line).await.as_array().unwrap().iter().map(|drop| drop["reason"].clone()).collect()
    };
    assert_eq!(reasons("drops --json").await, ["other-protocol", "ttl-expired"]);
    assert_eq!(reasons("drops --all --json").await, ["not-ours", "other-protocol", "ttl-expired"]);
    assert_eq!(reasons("drops dns --json").await, [Value::Null; 0]);
}
