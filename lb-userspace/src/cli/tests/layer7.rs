//! `shunt listener` and `shunt route`: what they ask, and how they say the answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use super::{
    commands::{failure, shunt},
    golden::assert_golden,
};
use crate::{
    admin::fixture,
    cli::{listener, route::words},
};

const ROUTE: &str =
    "route POST http://www.example.org:8080/a%20b?c=d&e -H X-Beta:1 --client 198.51.100.7";

#[tokio::test]
async fn listeners_look_as_they_should() {
    let daemon = fixture::daemon();
    let list = shunt(&daemon.socket, "listener list").await.unwrap();
    assert_golden("listener-list.txt", &list.out);
    let show = shunt(&daemon.socket, "listener show edge").await.unwrap();
    assert_golden("listener-show.txt", &show.out);
    let json = shunt(&daemon.socket, "listener list --json").await.unwrap().out;
    let whole = serde_json::to_value(fixture::status()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), whole["listeners"]);
    let error = failure(&daemon, "listener show egde").await;
    assert!(error.contains("no listener `egde`; `shunt listener list`"), "{error}");
}

#[tokio::test]
async fn a_route_looks_as_it_should() {
    let daemon = fixture::daemon();
    let said = shunt(&daemon.socket, ROUTE).await.unwrap();
    assert!(said.done);
    assert_golden("route.txt", &said.out);
    let json = shunt(&daemon.socket, &format!("{ROUTE} --json")).await.unwrap().out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["url"], "http://www.example.org:8080/a%20b?c=d&e", "escaped on the way");
    assert_eq!((&json["method"], &json["client"]), (&"POST".into(), &"198.51.100.7".into()));
}

#[test]
fn a_redirect_to_https_is_no_missing_route() {
    let view = serde_json::json!({
        "listener": "plain", "listen": "192.0.2.10:80", "method": "GET", "url": "http://www.example.org/",
        "client": "198.51.100.7", "route": null, "conditions": [], "action": "redirect 308 to https at port 443",
        "changes": [], "pools": [], "passed": [],
    });
    let said = words(&serde_json::from_value(view).unwrap());
    let expected = [
        "GET http://www.example.org/ from 198.51.100.7",
        "  listener  plain (192.0.2.10:80)",
        "  route     none, because it came by http (`redirect-to-https`)",
        "  action    redirect 308 to https at port 443",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_listener_says_where_it_sends_what_comes_by_http() {
    let mut edge = fixture::status().listeners.remove(0);
    assert!(!listener::words(&edge).contains("redirect"));
    edge.redirect_to_https = Some(8443);
    let said = listener::words(&edge);
    assert!(said.contains("\n  redirect     to https at port 8443\n"), "{said}");
}

#[tokio::test]
async fn logs_are_opened_anew() {
    let daemon = fixture::daemon();
    let said = shunt(&daemon.socket, "logs reopen").await.unwrap();
    assert_eq!(said.out, "access log /var/log/shunt/access.log: open anew\n");
    let json = shunt(&daemon.socket, "logs reopen --json").await.unwrap().out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["operations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let daemon = fixture::daemon();
    for (line, words) in [
        ("route GET /a", "not a URL of a request"),
        ("route G=T http://a/", "not a method"),
        ("route GET http://a/ -H a", "write it as `NAME: VALUE`"),
    ] {
        let error = failure(&daemon, line).await;
        assert!(error.contains(words), "{line}: {error}");
    }
}
