//! Listeners, routes and `[pool.http]` as they stand in a file.

use super::{errors, good};
use crate::model::{
    ListenerProtocol,
    upstream::{Balance, ProxyProtocol},
};

pub(super) const POOLS: &str = "[[pool]]\nname = \"web\"\nbackends = [\"127.0.0.1:8080\"]\n[[pool]]\nname = \"images\"\nbackends = []\n";

/// The errors of a listener, which begins in line 7.
pub(super) fn listener(lines: &str) -> Vec<String> {
    let text = format!("{POOLS}[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:80\"\n{lines}");
    errors(&text).iter().map(|error| format!("{}: {}", error.line, error.message)).collect()
}

/// The one error of a listener has these words.
pub(super) fn refused(lines: &str, words: &[&str]) {
    let found = listener(lines);
    assert_eq!(found.len(), 1, "{lines}: {found:#?}");
    for word in words {
        assert!(found[0].contains(word), "{lines}: {}", found[0]);
    }
}

#[test]
fn all_that_a_listener_may_have() {
    let text = format!(
        r#"{POOLS}
[[listener]]
name = "edge"
listen = "[::]:8080"
protocol = "http"
pool = "web"
[[listener.route]]
host = ["www.example.org", "*.example.org"]
path = "/*.jpg"
method = ["GET", "HEAD"]
header = {{ x-beta = "1", x-other = "*" }}
cookie = {{ beta = "1" }}
query = {{ v = "~^[0-9]+$" }}
client = "192.0.2.0/24"
pools = [{{ pool = "images", weight = 9 }}, "web"]
rewrite-regex = {{ match = "^/(.*)$", to = "/img/$1" }}
rewrite-host = "images.example.org"
set-request-headers = {{ x-a = "1" }}
add-request-headers = {{ x-b = "1" }}
remove-request-headers = ["x-c"]
remove-response-headers = "server"
[[listener.route]]
path-prefix = "/gone"
respond = {{ status = 410, body = "gone", type = "text/html" }}
[[listener.route]]
path-regex = "^/v[0-9]/"
redirect = "https://{{host}}{{uri}}"
"#
    );
    let desired = good(&text);
    let edge = &desired.listeners[&"edge".parse().unwrap()];
    assert_eq!(
        (edge.listen.to_string().as_str(), edge.protocol),
        ("[::]:8080", ListenerProtocol::Http)
    );
    let routes: Vec<_> = edge.routes.iter().map(ToString::to_string).collect();
    assert_eq!(
        routes,
        [
            "host www.example.org or *.example.org, path /*.jpg, method GET or HEAD, header x-beta=1, header x-other=*, cookie beta=1, query v=~^[0-9]+$, client 192.0.2.0/24: pools images (9) or web (1), rewrite-regex ^/(.*)$ to /img/$1, rewrite-host images.example.org, remove-request-headers x-c, set-request-headers x-a, add-request-headers x-b, remove-response-headers server",
            "path-prefix /gone: respond 410",
            "path-regex ^/v[0-9]/: redirect 302 to https://{host}{uri}",
            "everything: pool web",
        ]
    );
}

#[test]
fn each_mistake_is_at_its_line() {
    refused("", &["7: ", "neither `pool` nor a route"]);
    refused("pool = \"wbe\"", &["10: ", "pool `wbe`, which does not exist", "images, web"]);
    let route = |lines: &str| format!("[[listener.route]]\n{lines}");
    refused(&route("path = \"/a\""), &["10: ", "does nothing; add one of: pool, pools,"]);
    refused(&route("pool = \"a\""), &["11: ", "route 1 of listener `edge` sends to pool `a`"]);
    refused(&route("pools = [\"web\", \"b\"]"), &["11: ", "pool `b`"]);
    refused(&route("pools = [\"web\", \"web\"]"), &["11: ", "stands twice"]);
    refused(&route("pool = \"web\"\nredirect = \"/\""), &["12: ", "two actions"]);
    refused(
        &route("pool = \"web\"\npath = \"/a\"\npath-regex = \"a\""),
        &["13: ", "two conditions"],
    );
    refused(&route("pool = \"web\"\npath-regex = \"(\""), &["12: ", "unclosed group"]);
    refused(&route("pool = \"web\"\npath = \"a\""), &["12: ", "write `/a`"]);
    refused(&route("pool = \"web\"\nhost = \"a:80\""), &["12: ", "the port is left out"]);
    refused(&route("pool = \"web\"\nmethod = \"get\""), &["12: ", "capitals"]);
    refused(&route("pool = \"web\"\nmethod = []"), &["12: ", "never match"]);
    refused(&route("pool = \"web\"\nheader = { \"a b\" = \"\" }"), &["12: ", "name of a header"]);
    refused(&route("pool = \"web\"\nheader = { a = \"~[\" }"), &["12: ", "regular expression"]);
    refused(&route("pool = \"web\"\ncookie = { \"a b\" = \"\" }"), &["12: ", "name of a cookie"]);
    refused(&route("pool = \"web\"\ncookie = { a = \"~[\" }"), &["12: ", "regular expression"]);
    refused(&route("pool = \"web\"\ncookie = \"a=1\""), &["12: ", "must be a table"]);
    refused(&route("pool = \"web\"\nclient = \"192.0.2.1/24\""), &["12: ", "192.0.2.0/24"]);
    refused(&route("pool = \"web\"\nrewrite-prefix = \"/a\""), &["12: ", "no `path-prefix`"]);
    refused(
        &route("pool = \"web\"\nset-request-headers = { host = \"a\" }"),
        &["12: ", "rewrite-host"],
    );
    refused(&route("respond = 99"), &["11: ", "200 to 599"]);
    refused(&route("respond = 404\nrewrite-host = \"a\""), &["12: ", "no backend sees"]);
    refused(
        &route("redirect = { to = \"/\", status = 200 }"),
        &["11: ", "no status of a redirect"],
    );
    refused(&route("redirect = \"{port}\""), &["11: ", "begin it with"]);
    refused(&route("location = \"/a\"\npool = \"web\""), &["11: ", "nginx's word"]);
    let twice = "[[listener.route]]\npath = \"/a\"\npool = \"web\"\n[[listener.route]]\npath = \"/a\"\npool = \"images\"";
    refused(twice, &["13: ", "route 2", "conditions of route 1"]);
    refused("pool = \"web\"\npath = \"/a\"", &["11: ", "write `[[listener.route]]`"]);
}

#[test]
fn each_protocol_has_its_keys() {
    refused("protocol = \"htps\"\npool = \"web\"", &["10: ", "did you mean `https`"]);
    refused("protocol = \"https\"\npool = \"web\"", &["7: ", "needs certificates"]);
    refused("pool = \"web\"\n[listener.tls]\ncertificates = []", &["ends no TLS"]);
    let tls =
        |lines: &str| format!("protocol = \"https\"\npool = \"web\"\n[listener.tls]\n{lines}");
    let pair = "certificates = [{ certificate = \"/a.pem\", key = \"/a.key\" }]\n";
    assert_eq!(listener(&tls(pair)), Vec::<String>::new());
    refused(&tls("certificates = []"), &["12: ", "`certificates` is empty"]);
    refused(&tls("certificates = [{ certificate = \"/a.pem\" }]"), &["has no `key`"]);
    refused(&tls("certificates = [{ certificate = \"a.pem\", key = \"/a\" }]"), &["absolute path"]);
    refused(
        &tls(&format!("{pair}client-certificate = \"optional\"")),
        &["14: ", "without `client-ca`"],
    );
    refused(&tls(&format!("{pair}least-version = \"1.1\"")), &["did you mean `1.2`"]);
    refused(&tls(&format!("{pair}ciphers = \"x\"")), &["nothing to choose"]);
    let of = |protocol: &str, route: &str| {
        format!("protocol = \"{protocol}\"\n[[listener.route]]\npool = \"web\"\n{route}")
    };
    refused(&of("tcp", "host = \"a\""), &["13: ", "without reading them"]);
    refused(&of("tcp", "cookie = { a = \"1\" }"), &["13: ", "without reading them"]);
    refused(&of("tcp", "path = \"/a\""), &["13: ", "without reading them"]);
    refused(&of("tls-passthrough", "path = \"/a\""), &["13: ", "reads nothing but the name"]);
    assert_eq!(listener(&of("tls-passthrough", "host = \"a\"")), Vec::<String>::new());
    assert_eq!(listener(&of("tcp", "client = \"192.0.2.0/24\"")), Vec::<String>::new());
}

#[test]
fn error_pages() {
    let of = |pages: &str| format!("pool = \"web\"\nerror-pages = {pages}");
    assert_eq!(listener(&of("{ 404 = \"/a.html\", 502 = \"/b\" }")), Vec::<String>::new());
    refused(&of("{ 5xx = \"/a\" }"), &["11: ", "`5xx` is no status of an error"]);
    refused(&of("{ 200 = \"/a\" }"), &["11: ", "use 400 to 599"]);
    refused(&of("{ 0404 = \"/a\" }"), &["11: ", "`0404`"]);
    refused(&of("{ 404 = \"a.html\" }"), &["11: ", "absolute path"]);
    refused(&of("{ 404 = 1 }"), &["11: ", "must be a string"]);
    refused(&of("\"/a\""), &["11: ", "must be a table"]);
    refused("pool = \"web\"\nerrorfile = \"/a\"", &["11: ", "HAProxy's word"]);
    let tcp = "protocol = \"tcp\"\npool = \"web\"\nerror-pages = { 502 = \"/a\" }";
    refused(tcp, &["12: ", "answers nothing"]);
}

#[test]
fn sockets_are_one_for_each() {
    let second =
        "pool = \"web\"\n[[listener]]\nname = \"other\"\nlisten = \"127.0.0.1:80\"\npool = \"web\"";
    refused(second, &["13: ", "listener `other` listens on 127.0.0.1:80, as listener `edge` does"]);
    let twice =
        "pool = \"web\"\n[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:81\"\npool = \"web\"";
    refused(twice, &["12: ", "there already, in line 8"]);
    let text = format!(
        "{POOLS}[[interface]]\nname = \"e\"\n[[service]]\nname = \"s\"\nlisten = \"192.0.2.1:70-90/tcp\"\npool = \"images\"\n[[listener]]\nname = \"l\"\nlisten = \"192.0.2.1:80\"\npool = \"web\""
    );
    let found = errors(&text);
    assert!(found[0].message.contains("before a socket can see them"), "{found:?}");
    let found = listener("pool = \"web\"\nlisten = \"127.0.0.1:80/tcp\"");
    assert!(found[0].contains("there already"), "{found:?}");
}

#[test]
fn a_service_cannot_reach_a_server_on_this_host() {
    let text = format!(
        "{POOLS}[[interface]]\nname = \"e\"\n[[service]]\nname = \"s\"\nlisten = \"192.0.2.1:80/tcp\"\npool = \"web\""
    );
    let found = errors(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].line, 3);
    assert!(found[0].message.contains("loopback addresses never reach an interface"), "{found:?}");
}

#[test]
fn settings_of_requests() {
    let http = |lines: &str| {
        format!(
            "[[pool]]\nname = \"a\"\nbackends = []\n[pool.http]\n{lines}\n[[listener]]\nname = \"l\"\nlisten = \"127.0.0.1:80\"\npool = \"a\""
        )
    };
    let desired = good(&http(
        "balance = \"hash\"\nhash-by = \"header:X-User\"\nmax-connections = 10\nqueue = 5\nretries = 0",
    ));
    let settings = &desired.pools.values().next().unwrap().http;
    assert_eq!(settings.balance.to_string(), "hash of header x-user");
    assert_eq!((settings.queue, settings.retries), (5, 0));
    assert_eq!(settings.proxy_protocol, None);
    let announcing = good(&http("proxy-protocol = \"v1\""));
    let version = announcing.pools.values().next().unwrap().http.proxy_protocol;
    assert_eq!(version, Some(ProxyProtocol::V1));
    assert_eq!(good(&http("")).pools.values().next().unwrap().http.balance, Balance::RoundRobin);
    for (lines, words) in [
        ("balance = \"leastconn\"", "use one of: round-robin"),
        ("hash-by = \"client\"", "only `balance = \"hash\"` hashes"),
        ("balance = \"hash\"\nhash-by = \"url\"", "write `client`, `header:NAME`"),
        ("queue = 5", "no request ever waits"),
        ("eject-after = 0\neject-time = \"1s\"", "puts no backend out"),
        ("retries = 11", "use 0 to 10"),
        ("connect-timeout = \"1ms\"", "out of range"),
        ("tunnel-timeout = \"721h\"", "use 10ms to 720h"),
        ("sticky-cookie = \"a b\"", "name of a cookie"),
        ("protocol = \"auto\"", "there is no `tls`"),
        ("tls = {}", "has no `ca`"),
        ("tls = { ca = \"/a\", verify = false }", "nothing is compared"),
        ("tls = { ca = \"/a\", key = \"/b\" }", "belong together"),
        ("tls = { ca = \"/a\", name = \"a b\" }", "name of a server"),
        ("proxy-protocol = true", "write `proxy-protocol = \"v2\"`"),
        ("proxy-protocol = \"v3\"", "did you mean"),
        ("send-proxy-v2 = true", "HAProxy's word"),
        ("timeout = \"1s\"", "there are several"),
    ] {
        let found = errors(&http(lines));
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].message.contains(words), "{lines}: {}", found[0]);
    }
}
