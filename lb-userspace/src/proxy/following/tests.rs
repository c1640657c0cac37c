//! Ids and traces: what is kept, and what is begun.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod traces;

use std::collections::BTreeSet;

use hyper::{HeaderMap, header::HeaderValue};

use super::{Followed, Ids};
use crate::model::listener::Following;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// What a backend is told of a request with these headers.
fn told(following: &Following, is_trusted: bool, lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = headers(lines);
    let followed = Followed::of(following, is_trusted, &headers, &Ids::new());
    followed.put(following, &mut headers);
    headers
}

fn is_new(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[test]
fn nothing_is_asked_for_unless_it_is() {
    let lines = [("x-request-id", "a"), ("traceparent", "b"), ("tracestate", "c")];
    assert_eq!(told(&Following::default(), true, &lines), headers(&lines));
    let followed = Followed::of(&Following::default(), true, &headers(&lines), &Ids::new());
    assert!(followed.id.is_none() && followed.trace.is_none());
}

#[test]
fn an_id_is_kept_if_who_gives_it_is_trusted_and_it_is_sane() {
    let name = "x-request-id";
    let following = Following { request_id: Some(name.parse().unwrap()), ..Following::default() };
    let id = |is_trusted, values: &[&str]| {
        let lines: Vec<_> = values.iter().map(|value| (name, *value)).collect();
        let told = told(&following, is_trusted, &lines);
        assert_eq!(told.get_all(name).iter().count(), 1);
        told[name].to_str().unwrap().to_owned()
    };
    let longest = "a".repeat(128);
    for good in ["a", "0f8fad5b-d9cb-469f-a165-70867728950e", "Root=1-67891233-abcdef;x", &longest]
    {
        assert_eq!(id(true, &[good]), good);
        assert!(is_new(&id(false, &[good])), "{good}");
    }
    let too_long = "a".repeat(129);
    for bad in ["", "a b", "a\tb", "\u{fc}", &too_long] {
        assert!(is_new(&id(true, &[bad])), "{bad}");
    }
    assert!(is_new(&id(true, &["a", "b"])) && is_new(&id(true, &[])));
}

#[test]
fn no_number_is_drawn_twice() {
    let workers = [Ids::new(), Ids::new()];
    let drawn = workers.iter().flat_map(|ids| (0..10_000).map(|_| ids.draw()));
    let all: BTreeSet<u128> = drawn.collect();
    assert_eq!(all.len(), 20_000);
    // Every bit is 1 about half of the time.
    for bit in 0..128 {
        let ones = all.iter().filter(|number| *number >> bit & 1 == 1).count();
        assert!((9_000..11_000).contains(&ones), "bit {bit}: {ones}");
    }
}
