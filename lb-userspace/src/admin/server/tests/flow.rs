//! `GET /v1/flow`: how a question is read, and what is wrong with it.

use serde_json::{Value, json};

use super::call;
use crate::admin::fixture;

#[tokio::test]
async fn a_question_about_a_flow_is_read_from_the_query() {
    let daemon = fixture::daemon();
    let cases = [
        ("from=198.51.100.7:40000&to=192.0.2.10:80/tcp", "172.17.0.5:1002", "previous"),
        (
            "opening=false&to=192.0.2.10:80/tcp&from=198.51.100.7:40000",
            "172.17.0.5:1002",
            "previous",
        ),
        (
            "from=198.51.100.7%3A40000&to=192.0.2.10%3a80%2Ftcp&opening=true",
            "172.17.0.4:1001",
            "owner",
        ),
        ("&from=198.51.100.7:40000&&%74o=192.0.2.10:80/tcp&", "172.17.0.5:1002", "previous"),
    ];
    for (query, backend, why) in cases {
        let answer = call(&daemon.socket, "GET", &format!("/v1/flow?{query}"), "").await;
        let expected = json!({
            "from": "198.51.100.7:40000",
            "to": "192.0.2.10:80/tcp",
            "service": "web",
            "pool": "web",
            "forward": "nat",
            "backend": backend,
            "reason": "forwarded",
            "explanation": "Sent to the backend that its flow belongs to.",
            "why": why,
            "slot": {
                "place": 1234,
                "of": 4096,
                "moving": true,
                "owner": "172.17.0.4:1001",
                "previous": "172.17.0.5:1002",
            },
        });
        assert_eq!((answer.status, answer.body), (200, expected), "{query}");
    }
    let path = "/v1/flow?from=[2001:db8:1::7]:40000&to=%5B2001:db8::99%5D:53/udp";
    let answer = call(&daemon.socket, "GET", path, "").await;
    assert_eq!((answer.status, &answer.body["backend"]), (200, &Value::Null));
    assert_eq!(answer.body["reason"], "not-ours");
}

#[tokio::test]
async fn a_question_about_no_flow_is_refused() {
    let daemon = fixture::daemon();
    let (from, to) = ("from=198.51.100.7:40000", "to=192.0.2.10:80/tcp");
    let cases = [
        (String::new(), "`from` is missing in the query; write /v1/flow?from=IP:PORT&to="),
        (to.to_owned(), "`from` is missing"),
        (from.to_owned(), "`to` is missing"),
        (format!("{from}&{to}&proto=tcp"), "`proto` is no parameter of /v1/flow; write"),
        (format!("{from}&{to}&{from}"), "`from` stands twice in the query; give it once"),
        (format!("{from}&{to}&opening=1"), "`opening` in the query: `1` is neither; write `true`"),
        (format!("{from}&{to}&opening"), "`opening` in the query: `` is neither"),
        (format!("from&{to}"), "`from` in the query: `` is not the address of a client"),
        (format!("from=client:80&{to}"), "write IP:PORT, such as"),
        (format!("from=198.51.100.7:0&{to}"), "give the port that the client sends from"),
        (format!("from=127.0.0.1:80&{to}"), "loopback"),
        (format!("{from}&to=192.0.2.10:80"), "`to` in the query: `192.0.2.10:80` is not a service"),
        (format!("{from}&to=192.0.2.10:80/sctp"), "write ADDRESS:PORT/PROTOCOL"),
        (format!("{from}&to=192.0.2.10:8%zz/tcp"), "in the query has a malformed percent escape"),
        (format!("{from}&t%f=192.0.2.10:80/tcp"), "`t%f` in the query has a malformed"),
        (format!("{from}&to=[2001:db8::10]:80/tcp"), "two address families, and no packet has"),
        (format!("from=[2001:db8:1::7]:1&{to}"), "give the client's IPv4 address"),
        (format!("{from}&to=192.0.2.10:80/udp&opening=true"), "ask without `opening`"),
    ];
    for (query, fragment) in cases {
        let answer = call(&daemon.socket, "GET", &format!("/v1/flow?{query}"), "").await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
        assert!(answer.error().contains(fragment), "{query}: {}", answer.body);
    }
    let answer = call(&daemon.socket, "POST", "/v1/flow", "").await;
    assert_eq!(answer.status, 405);
}
