//! Who asks: by itself, and through proxies that are trusted. Clients are on the loopback, so that is where the
//! proxies are.

use std::collections::BTreeSet;

use super::{Scene, Server, pool};

const TRUSTING: &str = "pool = \"web\"\ntrusted-proxies = [\"127.0.0.0/8\", \"192.0.2.0/24\"]\n";

/// What the server has been told last under a name.
fn told(server: &Server, name: &str) -> Vec<String> {
    let prefix = format!("{name}: ");
    let last = server.last();
    last.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
}

fn ask(scene: &Scene, lines: &str) -> u16 {
    scene.ask(&format!("GET / HTTP/1.1\r\nHost: www.example.org\r\n{lines}\r\n")).status
}

const SPOOFED: &str = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example.org\r\nForwarded: for=198.51.100.7\r\nX_Forwarded_For: 198.51.100.7\r\n";

#[test]
fn nobody_is_believed_unless_trusted() {
    let server = Server::named("a");
    let mut scene = Scene::simple(&[&server], "");
    assert_eq!(ask(&scene, SPOOFED), 200);
    assert_eq!(told(&server, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(told(&server, "x-forwarded-proto"), ["http"]);
    assert_eq!(told(&server, "x-forwarded-host"), ["www.example.org"]);
    assert_eq!(told(&server, "x-forwarded-port"), [scene.at.port().to_string()]);
    let seen = server.last().to_lowercase();
    assert!(!seen.contains("\r\nforwarded:") && !seen.contains("x_forwarded_for"), "{seen}");

    // The configuration that trusts it holds for the next request of a connection that is open.
    let mut client = scene.connect();
    let request = format!("GET / HTTP/1.1\r\nHost: www.example.org\r\n{SPOOFED}\r\n");
    client.ask(&request);
    assert_eq!(told(&server, "x-forwarded-for"), ["127.0.0.1"]);
    let mut desired = scene.desired();
    let edge = desired.listeners.values_mut().next().unwrap();
    edge.trusted_proxies = BTreeSet::from(["127.0.0.1/32".parse().unwrap()]);
    scene.follow(&desired);
    client.ask(&request);
    assert_eq!(told(&server, "x-forwarded-for"), ["198.51.100.7, 127.0.0.1"]);
    assert_eq!(told(&server, "x-forwarded-proto"), ["https"]);
    assert_eq!(told(&server, "x-forwarded-host"), ["a.example.org"]);
    assert_eq!(told(&server, "x-forwarded-port"), ["443"]);
}

#[test]
fn the_headers_that_are_asked_for_are_written() {
    let server = Server::named("a");
    let of = |headers: &str| {
        let lines = format!("{TRUSTING}forwarding-headers = \"{headers}\"");
        Scene::new(&lines, &pool("web", &[&server], ""))
    };
    let chain = "X-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n";
    let elements = "for=198.51.100.7;proto=http;host=www.example.org, for=192.0.2.1, for=127.0.0.1";
    for (headers, x, forwarded) in [
        ("x-forwarded", &["198.51.100.7, 192.0.2.1, 127.0.0.1"][..], &[][..]),
        ("forwarded", &[], &[elements]),
        ("both", &["198.51.100.7, 192.0.2.1, 127.0.0.1"], &[elements]),
        ("none", &[], &[]),
    ] {
        ask(&of(headers), chain);
        assert_eq!(told(&server, "x-forwarded-for"), x, "{headers}");
        assert_eq!(told(&server, "x-forwarded-proto").len(), x.len(), "{headers}");
        assert_eq!(told(&server, "forwarded"), forwarded, "{headers}");
    }
}

#[test]
fn routes_go_by_the_client_behind_the_proxy() {
    let inside = "[[listener.route]]\nclient = \"198.51.100.0/24\"\nrespond = 204\n";
    let trusting = Scene::new(&format!("{TRUSTING}{inside}"), &pool("web", &[], ""));
    let doubting = Scene::new(&format!("pool = \"web\"\n{inside}"), &pool("web", &[], ""));
    let lines = "X-Forwarded-For: 203.0.113.7, 198.51.100.7\r\n";
    assert_eq!((ask(&trusting, lines), ask(&doubting, lines)), (204, 503));
    assert_eq!(ask(&trusting, "X-Forwarded-For: 198.51.100.7, 203.0.113.7\r\n"), 503);
    assert_eq!(ask(&trusting, "Forwarded: for=198.51.100.7\r\n"), 204);
    // What cannot be read is nobody, and no reason to refuse.
    assert_eq!(ask(&trusting, "X-Forwarded-For: 198.51.100.7, nobody\r\n"), 503);
}

/// A condition on such a header would otherwise hold for whoever writes it.
#[test]
fn routes_go_by_headers_of_trusted_proxies_alone() {
    let secure = "[[listener.route]]\nheader = { x-forwarded-proto = \"https\" }\nrespond = 204\n";
    let trusting = Scene::new(&format!("{TRUSTING}{secure}"), &pool("web", &[], ""));
    let doubting = Scene::new(&format!("pool = \"web\"\n{secure}"), &pool("web", &[], ""));
    assert_eq!((ask(&trusting, SPOOFED), ask(&doubting, SPOOFED)), (204, 503));
    let explained = |scene: &Scene| {
        let mut headers = hyper::HeaderMap::new();
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        let (edge, peer) = ("edge".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let target = ("h", "/", None);
        scene.proxy.explain(&edge, &hyper::Method::GET, target, &headers, peer).unwrap().route
    };
    assert_eq!((explained(&trusting), explained(&doubting)), (Some(0), Some(1)));
}

#[test]
fn a_hash_of_the_client_goes_by_who_is_behind_the_proxy() {
    let servers = [Server::named("a"), Server::named("b"), Server::named("c")];
    let all = servers.each_ref();
    let trusting = Scene::new(TRUSTING, &pool("web", &all, "balance = \"hash\""));
    let whom = |client: u8| {
        let lines = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.{client}, 192.0.2.1\r\n\r\n"
        );
        trusting.ask(&lines).text().to_owned()
    };
    let first: Vec<String> = (0..32).map(whom).collect();
    assert_eq!(first, (0..32).map(whom).collect::<Vec<_>>(), "each client has its backend");
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 3, "and not all the same: {first:?}");
}

#[test]
fn an_explanation_says_who_asks() {
    let scene = Scene::new(TRUSTING, &pool("web", &[], ""));
    let by = |peer: &str| {
        let mut headers = hyper::HeaderMap::new();
        headers.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        let target = ("h", "/", None);
        let edge = "edge".parse().unwrap();
        let peer = peer.parse().unwrap();
        let said = scene.proxy.explain(&edge, &hyper::Method::GET, target, &headers, peer);
        said.unwrap().client.to_string()
    };
    assert_eq!(by("192.0.2.1"), "198.51.100.7");
    assert_eq!(by("203.0.113.1"), "203.0.113.1");
}
