//! What goes and what comes.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use hyper::HeaderMap;

use super::{edit, pass_on, strip_hop_by_hop};
use crate::model::route::HeaderEdits;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn what_is_for_the_next_hop_goes() {
    let mut given = headers(&[
        ("connection", "close, X-Mine, host"),
        ("connection", "te"),
        ("x-mine", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("host", "a"),
        ("x-other", "2"),
    ]);
    assert_eq!(strip_hop_by_hop(&mut given), None, "upgrade without `Connection: upgrade`");
    assert_eq!(lines(&given), ["host: a", "x-other: 2"]);
}

#[test]
fn an_upgrade_is_told() {
    let mut given = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
    assert_eq!(strip_hop_by_hop(&mut given).unwrap(), "websocket");
    assert!(given.is_empty());
    assert_eq!(strip_hop_by_hop(&mut headers(&[("connection", "upgrade")])), None);
}

#[test]
fn we_say_that_we_have_passed_it_on() {
    let mut given = headers(&[("expect", "100-continue"), ("via", "1.0 other")]);
    pass_on(&mut given);
    assert_eq!(lines(&given), ["via: 1.0 other", "via: 1.1 shunt"]);
}

#[test]
fn edits_remove_then_set_then_add() {
    let mut given = headers(&[("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")]);
    let line =
        |name: &'static str, value: &'static str| (name.parse().unwrap(), value.parse().unwrap());
    let edits = HeaderEdits {
        remove: vec!["a".parse().unwrap()],
        set: vec![line("b", "3")],
        add: vec![line("c", "2"), line("a", "4")],
    };
    edit(&mut given, &edits);
    assert_eq!(lines(&given), ["a: 4", "b: 3", "c: 1", "c: 2"]);
}
