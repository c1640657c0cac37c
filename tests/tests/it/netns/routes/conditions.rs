//! Conditions: each route tells the backend its name in a header, and the backend tells us.

use std::{fmt::Write as _, net::IpAddr};

use super::{Case, case};

/// Routes by name: their conditions.
const ROUTES: &[(&str, &str)] = &[
    ("host", "host = \"www.example.org\""),
    ("hosts", "host = [\"one.example.org\", \"two.example.org\"]"),
    ("wildcard", "host = \"*.example.org\""),
    ("longer-wildcard", "host = \"*.deep.example.org\""),
    ("host-and-path", "host = \"www.example.org\"\npath = \"/both\""),
    ("path", "path = \"/exact\""),
    ("prefix", "path-prefix = \"/prefix\""),
    ("longer-prefix", "path-prefix = \"/prefix/longer\""),
    ("glob", "path = \"/images/*.jpg\""),
    ("regex", "path-regex = \"^/v[0-9]+/\""),
    ("method", "path = \"/method\"\nmethod = [\"PUT\", \"DELETE\"]"),
    ("header", "path = \"/header\"\nheader = { x-one = \"1\" }"),
    ("header-and-method", "path = \"/header\"\nheader = { x-one = \"1\" }\nmethod = \"PUT\""),
    ("header-present", "path = \"/present\"\nheader = { x-one = \"*\" }"),
    ("header-regex", "path = \"/regex\"\nheader = { x-one = \"~^a+b?$\" }"),
    ("query", "path = \"/query\"\nquery = { v = \"a b\" }"),
    ("queries", "path = \"/query\"\nquery = { v = \"a b\", w = \"*\" }"),
    ("query-regex", "path = \"/query-regex\"\nquery = { v = \"~^[0-9]+$\" }"),
    ("stranger", "path = \"/client\"\nclient = [\"203.0.113.0/24\", \"2001:db8:ffff::/48\"]"),
];

/// Their sections, and one for the address of the client.
pub(super) fn routes(client: IpAddr) -> String {
    let length = if client.is_ipv4() { 24 } else { 64 };
    let network = match client {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & !0xff).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
    };
    let client = format!("path = \"/client\"\nclient = \"{network}/{length}\"");
    let mut text = String::new();
    for (name, conditions) in ROUTES.iter().chain([&("client", client.as_str())]) {
        let told = format!("set-request-headers = {{ x-two = \"{name}\" }}");
        // Writing to a string does not fail.
        _ = write!(text, "[[listener.route]]\n{conditions}\npool = \"second\"\n{told}\n");
    }
    text
}

/// The pool that the listener names gets what no route takes.
const NONE: &[&str] = &["status: 200", "name: backend1", "x-two: "];
const OTHER_HOST: &str = "Host: other.test";

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("a name", "/", &["-H", "Host: www.example.org"], &["name: backend2", "x-two: host"]),
    case("small letters or not", "/", &["-H", "Host: WWW.Example.ORG"], &["x-two: host"]),
    case("the port does not count", "/", &["-H", "Host: www.example.org:99"], &["x-two: host"]),
    case("one of two names", "/", &["-H", "Host: two.example.org"], &["x-two: hosts"]),
    case("below a name", "/", &["-H", "Host: a.example.org"], &["x-two: wildcard"]),
    case("far below a name", "/", &["-H", "Host: a.b.example.org"], &["x-two: wildcard"]),
    case("the longer wildcard", "/", &["-H", "Host: a.deep.example.org"], &["x-two: longer-wildcard"]),
    case("the name itself is not below it", "/", &["-H", "Host: example.org"], NONE),
    case("another name that ends so", "/", &["-H", "Host: anexample.org"], NONE),
    case("another name", "/", &["-H", OTHER_HOST], NONE),
    case("a host and a path", "/both", &["-H", "Host: www.example.org"], &["x-two: host-and-path"]),
    case("the host goes before the path", "/exact", &["-H", "Host: www.example.org"], &["x-two: host"]),

    case("a path", "/exact", &["-H", OTHER_HOST], &["x-two: path"]),
    case("a path with a query", "/exact?a", &["-H", OTHER_HOST], &["x-two: path", "uri: /exact?a"]),
    case("a path with escapes", "/e%78act", &["-H", OTHER_HOST], &["x-two: path"]),
    case("capitals", "/Exact", &["-H", OTHER_HOST], NONE),
    case("a longer path", "/exact/", &["-H", OTHER_HOST], NONE),
    case("a prefix", "/prefix", &["-H", OTHER_HOST], &["x-two: prefix"]),
    case("below a prefix", "/prefix/x/y", &["-H", OTHER_HOST], &["x-two: prefix"]),
    case("not at the end of a segment", "/prefixes", &["-H", OTHER_HOST], NONE),
    case("a longer prefix", "/prefix/longer/x", &["-H", OTHER_HOST], &["x-two: longer-prefix"]),
    case("a glob", "/images/a/b.jpg", &["-H", OTHER_HOST], &["x-two: glob"]),
    case("a glob is of the whole path", "/images/b.jpg.png", &["-H", OTHER_HOST], NONE),
    case("an expression", "/v12/x", &["-H", OTHER_HOST], &["x-two: regex"]),
    case("not the expression", "/vx/x", &["-H", OTHER_HOST], NONE),

    case("a method", "/method", &["-H", OTHER_HOST, "-X", "PUT"], &["x-two: method", "method: PUT"]),
    case("another one", "/method", &["-H", OTHER_HOST, "-X", "DELETE"], &["x-two: method"]),
    case("not the method", "/method", &["-H", OTHER_HOST], NONE),
    case("a header", "/header", &["-H", OTHER_HOST, "-H", "X-One: 1"], &["x-two: header"]),
    case("another value", "/header", &["-H", OTHER_HOST, "-H", "X-One: 11"], NONE),
    case("no header", "/header", &["-H", OTHER_HOST], NONE),
    case("two conditions go before one", "/header", &["-H", OTHER_HOST, "-H", "X-One: 1", "-X", "PUT"], &["x-two: header-and-method"]),
    case("any value", "/present", &["-H", OTHER_HOST, "-H", "X-One: x"], &["x-two: header-present"]),
    case("no value", "/present", &["-H", OTHER_HOST], NONE),
    case("an expression in a header", "/regex", &["-H", OTHER_HOST, "-H", "X-One: aab"], &["x-two: header-regex"]),
    case("not in a header", "/regex", &["-H", OTHER_HOST, "-H", "X-One: aabc"], NONE),

    case("a parameter", "/query?u=1&v=a%20b", &["-H", OTHER_HOST], &["x-two: query"]),
    case("a plus is a space", "/query?v=a+b", &["-H", OTHER_HOST], &["x-two: query"]),
    case("one of its values", "/query?v=c&v=a%20b", &["-H", OTHER_HOST], &["x-two: query"]),
    case("two parameters", "/query?v=a+b&w", &["-H", OTHER_HOST], &["x-two: queries"]),
    case("another value of a parameter", "/query?v=a", &["-H", OTHER_HOST], NONE),
    case("no parameter", "/query", &["-H", OTHER_HOST], NONE),
    case("an expression in a parameter", "/query-regex?v=12", &["-H", OTHER_HOST], &["x-two: query-regex"]),
    case("not in a parameter", "/query-regex?v=12a", &["-H", OTHER_HOST], NONE),
    case("where the client is", "/client", &["-H", OTHER_HOST], &["x-two: client"]),
];
