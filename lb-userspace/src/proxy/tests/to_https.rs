//! Listeners that send to https what comes without TLS.

use hyper::{HeaderMap, Method};

use super::{Scene, Server, pool};

/// Where the answer to a request sends its client; its status, if it sends it nowhere.
fn sent(scene: &Scene, target: &str, lines: &str) -> Result<String, u16> {
    let answer = scene.ask(&format!("GET {target} HTTP/1.1\r\n{lines}\r\n"));
    match answer.header("location") {
        Some(place) => {
            assert_eq!((answer.status, answer.text()), (308, ""));
            Ok(place.to_owned())
        }
        None => Err(answer.status),
    }
}

#[test]
fn everything_goes_to_https() {
    let scene = Scene::new("redirect-to-https = true", "");
    let sent = |target: &str, host: &str| sent(&scene, target, &format!("Host: {host}\r\n"));
    for (target, host, place) in [
        ("/", "www.example.org", "https://www.example.org/"),
        ("/a%20b/%7Ec?d=e&f", "www.example.org:8080", "https://www.example.org/a%20b/~c?d=e&f"),
        ("/", "[2001:db8::1]", "https://[2001:db8::1]/"),
        ("/?", "[2001:db8::1]:8080", "https://[2001:db8::1]/?"),
        ("/", "192.0.2.1:80", "https://192.0.2.1/"),
        ("//other.example.org/", "h", "https://h//other.example.org/"),
        ("http://www.example.org/a", "www.example.org", "https://www.example.org/a"),
    ] {
        assert_eq!(sent(target, host).unwrap(), place, "{target} {host}");
    }
    let answer = scene.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.header("location"), Some("https://h/"));
    assert_eq!(scene.ask("GET / HTTP/1.0\r\n\r\n").status, 400, "nobody knows where to");
    assert_eq!(sent("/../a", "h"), Err(400), "a request that is refused is not sent anywhere");
    let counts = scene.proxy.listener(&"edge".parse().unwrap()).unwrap();
    assert_eq!((counts.answers[2], counts.unrouted), (8, 0));
}

#[test]
fn a_request_with_a_body_is_sent_on_and_the_connection_goes_on() {
    let scene = Scene::new("redirect-to-https = 8443", "");
    let mut client = scene.connect();
    for _ in 0..3 {
        let answer = client.ask("POST /a HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!((answer.status, answer.header("location")), (308, Some("https://h:8443/a")));
    }
}

#[test]
fn what_a_trusted_proxy_got_by_https_is_served() {
    let server = Server::named("served");
    let lines = "pool = \"web\"\nredirect-to-https = true\ntrusted-proxies = \"127.0.0.1\"\n[[listener.route]]\nhost = \"other\"\nrespond = 204";
    let scene = Scene::new(lines, &pool("web", &[&server], ""));
    let by = |lines: &str| sent(&scene, "/a", &format!("Host: h\r\n{lines}"));
    assert_eq!(by("X-Forwarded-Proto: https\r\n"), Err(200));
    assert_eq!(by("Forwarded: for=198.51.100.7;proto=HTTPS\r\n"), Err(200));
    assert_eq!(by("").unwrap(), "https://h/a");
    assert_eq!(by("X-Forwarded-Proto: http\r\n").unwrap(), "https://h/a");
    assert_eq!(by("X-Forwarded-Proto: https, http\r\n").unwrap(), "https://h/a");
    // The client knows the host by the name that it has asked the proxy for.
    assert_eq!(
        by("X-Forwarded-Host: www.example.org:80\r\n").unwrap(),
        "https://www.example.org/a"
    );
    assert_eq!(sent(&scene, "/", "Host: other\r\n").unwrap(), "https://other/");
    assert_eq!(sent(&scene, "/", "Host: other\r\nX-Forwarded-Proto: https\r\n"), Err(204));
    let doubting = Scene::new("redirect-to-https = true", "");
    let lines = "Host: h\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(sent(&doubting, "/", lines).unwrap(), "https://h/");
}

#[test]
fn authorities_are_answered_without_tls() {
    let lines = "redirect-to-https = true\ntrusted-proxies = \"127.0.0.1\"\n[[listener.route]]\npath-prefix = \"/.well-known/acme-challenge/\"\nrespond = { status = 200, body = \"proof\" }\n[[listener.route]]\nhost = \"h\"\nrespond = 204";
    let scene = Scene::new(lines, "");
    // Nor does a route go before it that a client of https would take.
    let sent = |target: &str| sent(&scene, target, "Host: h\r\n");
    assert_eq!(sent("/.well-known/acme-challenge/token"), Err(200));
    assert_eq!(sent("/.well-known/other").unwrap(), "https://h/.well-known/other");
    let explained = |path: &str, proto: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", proto.parse().unwrap());
        let (edge, client) = ("edge".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let target = ("h", path, None);
        let said = scene.proxy.explain(&edge, &Method::GET, target, &headers, client).unwrap();
        (said.route, said.to_https)
    };
    assert_eq!(explained("/.well-known/acme-challenge/token", "http"), (Some(0), None));
    assert_eq!(explained("/", "http"), (None, Some(443)));
    assert_eq!(explained("/", "https"), (Some(1), None));
}

#[test]
fn a_change_of_the_port_counts_at_once() {
    let mut scene = Scene::new("redirect-to-https = true", "");
    let mut desired = scene.desired();
    for (port, place) in [(Some(8443), Ok("https://h:8443/".to_owned())), (None, Err(404))] {
        desired.listeners.values_mut().next().unwrap().redirect_to_https = port;
        scene.follow(&desired);
        assert_eq!(sent(&scene, "/", "Host: h\r\n"), place);
    }
}
