//! Which route a request takes.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Instant;

use hyper::{HeaderMap, Method};

use super::{Asked, Table, cookie, host_name, normal_path};
use crate::{config, model::Route};

/// Reads routes as they stand in a file.
fn routes(text: &str) -> Vec<Route> {
    let text = format!(
        "[[pool]]\nname = \"a\"\nbackends = []\n[[listener]]\nname = \"l\"\nlisten = \"127.0.0.1:80\"\n{text}"
    );
    let desired = config::parse("f", &text).unwrap_or_else(|errors| panic!("{errors}"));
    desired.listeners.into_values().next().unwrap().routes
}

fn table(conditions: &[&str]) -> Table {
    let text = conditions.iter().fold(String::new(), |text, lines| {
        text + "[[listener.route]]\npool = \"a\"\n" + lines + "\n"
    });
    Table::new(&routes(&text)).unwrap()
}

struct Request {
    method: Method,
    url: &'static str,
    headers: HeaderMap,
    client: &'static str,
}

fn get(url: &'static str) -> Request {
    Request { method: Method::GET, url, headers: HeaderMap::new(), client: "198.51.100.7" }
}

impl Request {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    fn finds(&self, table: &Table) -> Option<usize> {
        let (host, target) = self.url.split_at(self.url.find('/').unwrap());
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let asked = Asked {
            method: &self.method,
            host: &host_name(host),
            path: &normal_path(path),
            query,
            headers: &self.headers,
            client: self.client.parse().unwrap(),
        };
        table.find(&asked, |_, _| ())
    }
}

#[test]
fn the_most_specific_host_and_path_go_first_whatever_the_order() {
    let table = table(&[
        "",
        "path-prefix = \"/a\"",
        "path-prefix = \"/a/b\"",
        "path = \"/*.jpg\"",
        "path = \"/a/b/c\"",
        "path-regex = \"^/v[0-9]+/\"",
        "host = \"*.example.org\"",
        "host = \"*.deep.example.org\"",
        "host = \"www.example.org\"\npath-prefix = \"/only\"",
    ]);
    let cases = [
        ("x/", Some(0)),
        ("x/ab", Some(0)),
        ("x/a", Some(1)),
        ("x/a/", Some(1)),
        ("x/a/bc", Some(1)),
        ("x/a/b", Some(2)),
        ("x/a/b/cd", Some(2)),
        ("x/a/b/c", Some(4)),
        ("x/%61/b/c", Some(4)),
        ("x/a/b.jpg", Some(3)),
        ("x/.jpg", Some(3)),
        ("x/b.jpg.png", Some(0)),
        ("x/v12/x", Some(5)),
        ("x/v/x", Some(0)),
        ("a.example.org/a", Some(6)),
        ("a.b.example.org/a", Some(6)),
        ("A.Deep.Example.org:8080/a", Some(7)),
        ("example.org/q", Some(0)),
        ("www.example.org/only/x", Some(8)),
        ("www.example.org/other", Some(6)),
    ];
    for (url, expected) in cases {
        assert_eq!(get(url).finds(&table), expected, "{url}");
    }
}

#[test]
fn more_conditions_go_first_then_the_order_of_the_file() {
    let table = table(&[
        "path-prefix = \"/a\"",
        "path-prefix = \"/a\"\nmethod = [\"POST\", \"PUT\"]",
        "path-prefix = \"/a\"\nheader = { x-beta = \"1\", x-other = \"*\" }",
        "path-prefix = \"/a\"\nquery = { v = \"~^[0-9]+$\" }",
        "path-prefix = \"/a\"\nclient = [\"192.0.2.0/24\", \"2001:db8::/32\"]",
        "header = { x-beta = \"2\" }",
        "cookie = { beta = \"1\", who = \"~^(ann|bob)$\" }",
        "cookie = { beta = \"*\" }",
    ]);
    assert_eq!(get("x/a").finds(&table), Some(0));
    assert_eq!(get("x/b").finds(&table), None);
    assert_eq!(Request { method: Method::PUT, ..get("x/a?v=1") }.finds(&table), Some(1));
    assert_eq!(get("x/a").with("x-beta", "1").finds(&table), Some(0));
    assert_eq!(get("x/a?v=1").with("x-beta", "1").with("x-other", "").finds(&table), Some(2));
    assert_eq!(get("x/a?w=2&v=17").finds(&table), Some(3));
    assert_eq!(get("x/a?%76=%31").finds(&table), Some(3));
    assert_eq!(get("x/a?v=1a").finds(&table), Some(0));
    assert_eq!(Request { client: "192.0.2.9", ..get("x/a") }.finds(&table), Some(4));
    assert_eq!(Request { client: "::ffff:192.0.2.9", ..get("x/a") }.finds(&table), Some(4));
    assert_eq!(Request { client: "2001:db8:1::1", ..get("x/a") }.finds(&table), Some(4));
    assert_eq!(get("x/a").with("x-beta", "3").with("x-beta", "2").finds(&table), Some(0));
    assert_eq!(get("x/").with("x-beta", "3").with("x-beta", "2").finds(&table), Some(5));
    let cookies = |header: &str| get("x/").with("cookie", header).finds(&table);
    assert_eq!(cookies("a=2; beta=1; who=ann"), Some(6));
    assert_eq!(get("x/").with("cookie", "who=bob").with("cookie", "beta=1").finds(&table), Some(6));
    assert_eq!(cookies("beta=1; who=bobby"), Some(7));
    assert_eq!(cookies("beta="), Some(7));
    assert_eq!(cookies("xbeta=1; Beta=1; who=ann"), None);
    assert_eq!(get("x/a").with("cookie", "beta=1; who=ann").finds(&table), Some(0));
}

#[test]
fn what_is_passed_over_is_told_with_the_reason() {
    let table = table(&[
        "path = \"/a\"\nmethod = \"POST\"",
        "path = \"/a\"\nclient = \"192.0.2.1\"",
        "path = \"/a\"\ncookie = { beta = \"1\" }",
    ]);
    let (method, headers) = (Method::GET, HeaderMap::new());
    let client = "198.51.100.7".parse().unwrap();
    let asked =
        Asked { method: &method, host: "h", path: "/a", query: None, headers: &headers, client };
    let mut passed = Vec::new();
    assert_eq!(table.find(&asked, |nth, miss| passed.push(format!("{nth}: {miss}"))), None);
    assert_eq!(
        passed,
        [
            "0: its method is another",
            "1: its client is elsewhere",
            "2: its cookie beta does not fit"
        ]
    );
}

#[test]
fn parts_of_a_target() {
    for (host, name) in
        [("A.b:80", "a.b"), ("[2001:DB8::1]:80", "[2001:db8::1]"), ("[::1]", "[::1]"), ("a.", "a")]
    {
        assert_eq!(host_name(host), name);
    }
    for (path, normal) in
        [("/a%2Fb", "/a%2Fb"), ("/%7Ea%", "/~a%"), ("/%zz%41", "/%zzA"), ("/%2", "/%2")]
    {
        assert_eq!(normal_path(path), normal);
    }
    assert_eq!(cookie("a=1; bc=2;  c = 3", "bc"), Some("2"));
    assert_eq!(cookie("a=1; bc=2", "b"), None);
}

/// Ten thousand routes cost about what ten do. The bound is wide, because machines are busy.
#[test]
fn many_routes_are_not_slower() {
    let text = |count: usize| {
        (0..count).fold(String::new(), |text, nth| {
            let host = nth % 100;
            text + &format!(
                "[[listener.route]]\npool = \"a\"\nhost = \"h{host}.example.org\"\npath-prefix = \"/p{nth}/x\"\n"
            )
        })
    };
    let time = |count: usize| {
        let table = Table::new(&routes(&text(count))).unwrap();
        let request = get("h7.example.org/p7/x/some/where");
        let rounds = (0..7).map(|_| {
            let start = Instant::now();
            for _ in 0..2000 {
                assert_eq!(request.finds(&table), Some(7));
            }
            start.elapsed()
        });
        rounds.min().unwrap()
    };
    let (few, many) = (time(10), time(10_000));
    assert!(many < few * 4, "10 routes {few:?}, 10,000 routes {many:?}");
}
