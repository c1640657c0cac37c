//! Probes of servers of every kind, on the loopback interface.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod server;

use std::{net::SocketAddr, time::Duration};

use proptest::prelude::*;
use rustls::pki_types::ServerName;

use self::server::{Answer, Authority, Server, refused};
use super::{
    super::{board::Outcome, check::Check},
    Prober,
};
use crate::model::{
    Health,
    health::{Host, HttpProbe, HttpsProbe, Path, Probe},
    upstream::ProxyProtocol,
};

/// Long enough for a busy machine.
const PATIENT: Duration = Duration::from_secs(30);
/// For what never comes.
const SHORT: Duration = Duration::from_millis(200);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn passed(words: &str) -> Outcome {
    Outcome::Passed(words.to_owned())
}

fn failed(words: &str) -> Outcome {
    Outcome::Failed(words.to_owned())
}

fn prober(health: Health, proxy_protocol: Option<ProxyProtocol>) -> Prober {
    Prober::new(&"a".parse().unwrap(), &Check { health, proxy_protocol }).unwrap()
}

/// Probes an address once.
async fn probe(probe: Probe, timeout: Duration, at: SocketAddr) -> Outcome {
    let health = Health { timeout, ..Health::new(probe) };
    prober(health, None).probe(at).await
}

async fn http(timeout: Duration, at: SocketAddr) -> Outcome {
    probe(Probe::Http(HttpProbe::default()), timeout, at).await
}

async fn https(at: SocketAddr, host: Option<&str>, ca: Option<&Authority>) -> Outcome {
    let request =
        HttpProbe { host: host.map(|host| host.parse().unwrap()), ..HttpProbe::default() };
    let ca = ca.map(|authority| authority.path().to_owned());
    probe(Probe::Https(HttpsProbe { request, ca }), PATIENT, at).await
}

#[tokio::test]
async fn a_connection_is_enough_for_tcp() {
    for answer in [Answer::Never, Answer::Close, Answer::Text(OK)] {
        let server = Server::start(answer);
        assert_eq!(probe(Probe::Tcp, PATIENT, server.address()).await, passed("connected"));
    }
    let server = Server::start_v6(Answer::Never);
    assert_eq!(probe(Probe::Tcp, PATIENT, server.address()).await, passed("connected"));
}

#[tokio::test]
async fn nobody_listens() {
    let address = refused();
    assert_eq!(probe(Probe::Tcp, PATIENT, address).await, failed("connection refused"));
    assert_eq!(http(PATIENT, address).await, failed("connection refused"));
    assert_eq!(https(address, None, None).await, failed("connection refused"));
}

#[tokio::test]
async fn a_server_whose_queue_is_full() {
    let server = Server::deaf().await;
    let address = server.address();
    assert_eq!(probe(Probe::Tcp, SHORT, address).await, failed("no connection within 200ms"));
}

#[tokio::test]
async fn statuses() {
    let cases = [
        (OK, passed("status 200 OK")),
        ("HTTP/1.1 204 No Content\r\n\r\n", passed("status 204 No Content")),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", passed("status 302 Found")),
        ("HTTP/1.0 200 Fine\r\n\r\n", passed("status 200 OK")),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", passed("status 200 OK")),
        ("HTTP/1.1 404 Not Found\r\n\r\n", failed("status 404 Not Found")),
        (
            "HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\n",
            failed("status 500 Internal Server Error"),
        ),
        ("HTTP/1.1 503 Busy\r\n\r\n", failed("status 503 Service Unavailable")),
    ];
    for (answer, expected) in cases {
        let server = Server::start(Answer::Text(answer));
        assert_eq!(http(PATIENT, server.address()).await, expected, "{answer}");
    }
    let server = Server::start(Answer::Text("HTTP/1.1 503 Busy\r\n\r\n"));
    let request = HttpProbe { status: "200,503".parse().unwrap(), ..HttpProbe::default() };
    let outcome = probe(Probe::Http(request), PATIENT, server.address()).await;
    assert_eq!(outcome, passed("status 503 Service Unavailable"));
}

#[tokio::test]
async fn no_answer() {
    let server = Server::start(Answer::Never);
    assert_eq!(http(SHORT, server.address()).await, failed("no answer within 200ms"));
    let server = Server::start(Answer::Unfinished("HTTP/1.1 200 OK\r\nServer: slow\r\n"));
    assert_eq!(http(SHORT, server.address()).await, failed("no answer within 200ms"));
    for answer in [Answer::Close, Answer::Text("220 mail.example.org ESMTP\r\n")] {
        let server = Server::start(answer);
        let Outcome::Failed(words) = http(PATIENT, server.address()).await else {
            panic!("{answer:?} is taken for an answer")
        };
        assert!(words.starts_with("no answer: "), "{words}");
    }
}

#[tokio::test]
async fn what_is_asked() {
    let server = Server::start(Answer::Text(OK));
    let request = HttpProbe {
        path: "/healthz?deep=1".parse().unwrap(),
        host: Some("www.example.org:8080".parse().unwrap()),
        ..HttpProbe::default()
    };
    let outcome = probe(Probe::Http(request), PATIENT, server.address()).await;
    assert_eq!(outcome, passed("status 200 OK"));
    let head = server.heard();
    assert!(head.starts_with("GET /healthz?deep=1 HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for header in ["host: www.example.org:8080", "connection: close", "user-agent: shunt/"] {
        assert!(head.contains(&format!("\r\n{header}")), "{head}");
    }
    http(PATIENT, server.address()).await;
    let host = format!("host: {}\r\n", server.address());
    assert!(server.heard().to_ascii_lowercase().contains(&host));
}

/// Of version 2 nothing is text.
const LOCAL: &str = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test]
async fn backends_that_expect_a_header_get_one() {
    for (version, is_v6) in
        [ProxyProtocol::V1, ProxyProtocol::V2].into_iter().flat_map(|it| [(it, false), (it, true)])
    {
        let server = if is_v6 {
            Server::start_v6(Answer::Text(OK))
        } else {
            Server::start(Answer::Text(OK))
        };
        let at = server.address();
        let health = Health { timeout: PATIENT, ..Health::new(Probe::Http(HttpProbe::default())) };
        let outcome = prober(health, Some(version)).probe(at).await;
        assert_eq!(outcome, passed("status 200 OK"));
        let heard = server.heard();
        let (ip, port, family) = (at.ip(), at.port(), if is_v6 { "TCP6" } else { "TCP4" });
        match version {
            ProxyProtocol::V1 => {
                let (line, rest) = heard.split_once("\r\n").unwrap();
                let words: Vec<_> = line.split(' ').collect();
                let [name, kind, from, to, own, theirs] = words[..] else { panic!("{line}") };
                let ip = ip.to_string();
                assert_eq!((name, kind, from, to), ("PROXY", family, &*ip, &*ip));
                assert_eq!(theirs, port.to_string());
                assert_ne!(own.parse::<u16>().unwrap(), port);
                assert!(rest.starts_with("GET / HTTP/1.1\r\n"), "{rest}");
            }
            ProxyProtocol::V2 => {
                let rest = heard.strip_prefix(LOCAL);
                assert!(rest.is_some_and(|it| it.starts_with("GET / HTTP/1.1\r\n")), "{heard:?}");
            }
        }
    }
}

#[test]
fn a_port_of_its_own_gets_no_header() {
    let of = |health: &str| {
        let text = format!(
            "[[pool]]\nname = \"a\"\nbackends = [\"192.0.2.1:80\"]\nhealth = {{ {health} }}\nhttp = {{ proxy-protocol = \"v1\" }}\n[[listener]]\nname = \"b\"\nlisten = \"127.0.0.1:80\"\npool = \"a\""
        );
        let desired = crate::config::parse("f", &text).unwrap();
        Check::of(desired.pools.values().next().unwrap()).unwrap().proxy_protocol
    };
    assert_eq!(of("type = \"tcp\""), Some(ProxyProtocol::V1));
    assert_eq!(of("type = \"tcp\", port = 81"), None);
}

#[tokio::test]
async fn another_port() {
    let server = Server::start(Answer::Text(OK));
    let port = i64::from(server.address().port());
    let health = Health {
        port: Some(crate::model::health::port(port).unwrap()),
        timeout: PATIENT,
        ..Health::new(Probe::Http(HttpProbe::default()))
    };
    let prober = prober(health, None);
    let backend = SocketAddr::new(server.address().ip(), 1);
    assert_eq!(prober.probe(backend).await, passed("status 200 OK"));
}

#[tokio::test]
async fn any_certificate_without_an_authority() {
    let authority = Authority::new();
    for names in [&["www.example.org"], &["127.0.0.1"]] {
        let server = Server::start_tls(Answer::Text(OK), authority.server(names));
        for host in [None, Some("www.example.org"), Some("other.example.org:8443")] {
            let outcome = https(server.address(), host, None).await;
            assert_eq!(outcome, passed("status 200 OK"), "{names:?} {host:?}");
        }
    }
    let server =
        Server::start_tls(Answer::Text("HTTP/1.1 500 Oops\r\n\r\n"), authority.server(&[]));
    let outcome = https(server.address(), None, None).await;
    assert_eq!(outcome, failed("status 500 Internal Server Error"));
}

#[tokio::test]
async fn certificates_are_verified_with_an_authority() {
    let (right, wrong) = (Authority::new(), Authority::new());
    let server = Server::start_tls(Answer::Text(OK), right.server(&["www.example.org"]));
    let at = server.address();
    let host = Some("www.example.org");
    assert_eq!(https(at, host, Some(&right)).await, passed("status 200 OK"));
    for (host, authority) in [(host, &wrong), (Some("other.example.org"), &right), (None, &right)] {
        let Outcome::Failed(words) = https(at, host, Some(authority)).await else {
            panic!("{host:?} is accepted")
        };
        let start = "no TLS session: invalid peer certificate: ";
        assert!(words.starts_with(start), "{words}");
    }
    let server = Server::start_tls(Answer::Text(OK), right.server(&["127.0.0.1"]));
    assert_eq!(https(server.address(), None, Some(&right)).await, passed("status 200 OK"));
}

#[tokio::test]
async fn no_tls_session() {
    let server = Server::start(Answer::Text(OK));
    let Outcome::Failed(words) = https(server.address(), None, None).await else {
        panic!("plain text is taken for TLS")
    };
    assert!(words.starts_with("no TLS session: "), "{words}");
    let server = Server::start(Answer::Never);
    let outcome = probe(Probe::Https(HttpsProbe::default()), SHORT, server.address()).await;
    assert_eq!(outcome, failed("no TLS session within 200ms"));
}

/// A reset may arrive when the connection has only just been opened, or later.
#[tokio::test]
async fn resets() {
    let address = Server::start(Answer::Reset).address();
    for outcome in [http(PATIENT, address).await, https(address, None, None).await] {
        let Outcome::Failed(words) = outcome else { panic!("a reset is taken for an answer") };
        assert!(words.contains("connection reset") || words.contains("broken pipe"), "{words}");
    }
}

proptest! {
    /// What the configuration lets through can be asked.
    #[test]
    fn every_path_can_be_asked(text in "/[ -~]{0,40}") {
        if let Ok(path) = text.parse::<Path>() {
            prop_assert!(hyper::Uri::try_from(path.as_str()).is_ok(), "{}", text);
        }
    }

    #[test]
    fn every_host_is_a_server_name(text in "[a-z0-9:._\\[\\]-]{0,30}") {
        if let Ok(host) = text.parse::<Host>() {
            prop_assert!(ServerName::try_from(host.name().to_owned()).is_ok(), "{}", text);
            prop_assert!(hyper::header::HeaderValue::try_from(host.to_string()).is_ok());
        }
    }
}
