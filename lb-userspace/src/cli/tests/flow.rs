//! `shunt flow`: what it asks, and how it says the answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lb_common::abi::Reason;
use serde_json::Value;

use super::{
    commands::{failure, shunt},
    golden::assert_golden,
};
use crate::{
    admin::{
        fixture::{self, address},
        types::{Because, FlowView},
    },
    cli::flow::words,
    model::FlowQuery,
};

const OPEN: &str = "flow 198.51.100.7:40000 192.0.2.10:80/tcp";

fn view() -> FlowView {
    let (from, to) = (address("198.51.100.7:40000"), "192.0.2.10:80/tcp".parse().unwrap());
    fixture::flow(&FlowQuery::new(from, to, false).unwrap())
}

fn with(reason: Reason, view: FlowView) -> FlowView {
    let (name, explanation) = (reason.name().to_owned(), reason.explanation().to_owned());
    FlowView { reason: name, explanation, ..view }
}

#[test]
fn a_flow_looks_as_it_should() {
    assert_golden("flow.txt", &words(&view()));
    let mut settled = view();
    let slot = settled.slot.as_mut().unwrap();
    (slot.moving, slot.previous) = (false, None);
    settled.backend = slot.owner;
    settled.why = Some(Because::Owner);
    assert_golden("flow-settled.txt", &words(&settled));
    let unresolved = with(Reason::BackendUnresolved, settled.clone());
    assert_golden("flow-unresolved.txt", &words(&unresolved));
    let mut empty = with(Reason::NoBackend, settled);
    empty.slot.as_mut().unwrap().owner = None;
    (empty.backend, empty.why) = (None, None);
    assert_golden("flow-no-backend.txt", &words(&empty));
    let none = FlowView { service: None, pool: None, forward: None, slot: None, ..empty };
    assert_golden("flow-no-service.txt", &words(&with(Reason::NotOurs, none)));
}

#[test]
fn each_why_has_words_of_its_own() {
    let cases = [
        (Because::Owner, "it owns the slot"),
        (Because::Remembered, "the flow is remembered as its"),
        (Because::Previous, "the flow is older than the change of its slot"),
        (Because::Named, "a connection id names it"),
        (Because::Scheduled, "the scheduler would give it the next new flow"),
    ];
    for (why, expected) in cases {
        let words = words(&FlowView { why: Some(why), ..view() });
        assert!(words.contains(&format!("backend  172.17.0.5:1002: {expected}\n")), "{words}");
    }
}

#[tokio::test]
async fn the_daemon_is_asked_and_the_exit_code_says_whether_there_is_a_backend() {
    let daemon = fixture::daemon();
    let open = shunt(&daemon.socket, OPEN).await.unwrap();
    assert_eq!((open.done, open.out), (true, words(&view())));
    let opening = shunt(&daemon.socket, &format!("{OPEN} --opening")).await.unwrap();
    assert!(opening.out.contains("172.17.0.4:1001: it owns the slot"), "{}", opening.out);
    let json = shunt(&daemon.socket, &format!("{OPEN} --json")).await.unwrap();
    let expected = serde_json::to_value(view()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap(), expected);
    let line = "flow [2001:db8:1::7]:40000 [2001:db8::99]:53/udp";
    for line in [line.to_owned(), format!("{line} --json")] {
        let none = shunt(&daemon.socket, &line).await.unwrap();
        assert!(!none.done && none.out.contains("not-ours"), "{}", none.out);
    }
}

#[tokio::test]
async fn what_no_packet_can_be_is_refused() {
    let daemon = fixture::daemon();
    let udp = failure(&daemon, "flow 198.51.100.7:40000 192.0.2.10:53/udp --opening").await;
    assert!(udp.contains("is UDP, which has no packet that opens a flow"), "{udp}");
    let families = failure(&daemon, "flow [2001:db8:1::7]:40000 192.0.2.10:80/tcp").await;
    assert!(families.contains("two address families"), "{families}");
}
