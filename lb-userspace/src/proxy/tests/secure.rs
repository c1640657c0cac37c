//! TLS and HTTP/2 towards clients, with real clients of both.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{PATIENCE, Scene, Server, eventually, pool};

/// Makes a certificate for a name, with its files.
fn certificate(directory: &Path, file: &str, name: &str) -> CertifiedKey<rcgen::KeyPair> {
    let made = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let write = |kind: &str, text: String| {
        // Never seen half-written.
        let path = directory.join(format!("{file}.{kind}"));
        fs::write(path.with_extension("new"), text).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    };
    write("key", made.signing_key.serialize_pem());
    write("pem", made.cert.pem());
    made
}

/// A listener of protocol https with two certificates.
fn scene(directory: &Path, server: &Server, more: &str) -> Scene {
    let pair = |file: &str| {
        let path = directory.join(file).display().to_string();
        format!("{{ certificate = \"{path}.pem\", key = \"{path}.key\" }}")
    };
    let certificates = [pair("a"), pair("b")].join(", ");
    let listener = format!(
        "protocol = \"https\"\npool = \"web\"\n[listener.tls]\ncertificates = [{certificates}]\n{more}"
    );
    Scene::new(&listener, &pool("web", &[server], ""))
}

fn client(trusted: &[&CertifiedKey<rcgen::KeyPair>], alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for made in trusted {
        roots.add(made.cert.der().clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

async fn handshake(
    at: SocketAddr,
    config: ClientConfig,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(at).await?;
    let name = ServerName::try_from(name).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.unwrap() })
}

/// Some requests at one time over one connection of HTTP/2; the bodies of their answers.
async fn over_h2<S>(stream: S, paths: &[&str]) -> Vec<String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let asked: Vec<_> = paths
        .iter()
        .map(|path| {
            let uri = format!("https://www.example.org{path}");
            let request = Request::post(uri).header("cookie", "a=1").header("cookie", "b=2");
            let body = Full::new(Bytes::from((*path).to_owned()));
            sender.clone().send_request(request.body(body).unwrap())
        })
        .collect();
    let mut answers = Vec::new();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        answers.push(String::from_utf8(body.to_vec()).unwrap());
    }
    answers
}

fn echo() -> Server {
    Server::new(|asked| {
        thread::sleep(Duration::from_millis(50));
        let text = String::from_utf8(asked.body.to_vec()).unwrap();
        asked.ok(&text)
    })
}

#[test]
fn names_get_their_certificates_and_requests_pass() {
    let (directory, server) = (TempDir::new().unwrap(), echo());
    let a = certificate(directory.path(), "a", "a.example.org");
    let b = certificate(directory.path(), "b", "*.b.example.org");
    let scene = scene(directory.path(), &server, "unknown-names = \"refuse\"");
    wait(async {
        // Each trusts one certificate only, so that another would not do.
        for (made, name) in [(&a, "a.example.org"), (&b, "x.b.example.org")] {
            let stream = handshake(scene.at, client(&[made], &["http/1.1"]), name).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        }
        let strange = handshake(scene.at, client(&[&a, &b], &[]), "c.example.org").await;
        assert!(strange.is_err());
        let stream = handshake(scene.at, client(&[&a], &["h2"]), "a.example.org").await.unwrap();
        assert_eq!(over_h2(stream, &["/1", "/2", "/3", "/4"]).await, ["/1", "/2", "/3", "/4"]);
    });
    let seen = server.last();
    assert!(seen.contains("x-forwarded-proto: https\r\n"), "{seen}");
    assert!(seen.contains("host: www.example.org\r\n"), "{seen}");
    assert!(seen.contains("cookie: a=1; b=2\r\n"), "{seen}");
}

/// A session waits without its socket, and goes on with it.
#[test]
fn who_rested_over_tls_is_served_again_and_told_of_the_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (directory, server) = (TempDir::new().unwrap(), Server::named("hi"));
    let made = certificate(directory.path(), "a", "a.example.org");
    certificate(directory.path(), "b", "b.example.org");
    let mut scene = scene(directory.path(), &server, "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = client(&[&made], &["http/1.1"]);
    let mut stream = runtime.block_on(handshake(scene.at, config, "a.example.org")).unwrap();
    for _ in 0..3 {
        let answer = runtime.block_on(async {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            while !answer.ends_with("\r\n\r\nhi") {
                answer.push(char::from(stream.read_u8().await.unwrap()));
            }
            answer
        });
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        super::resting::rests(scene.at, stream.get_ref().0.local_addr().unwrap());
    }
    let mut desired = scene.desired();
    desired.listeners.clear();
    scene.follow(&desired);
    // An end without a word of TLS would be an error.
    assert_eq!(runtime.block_on(stream.read(&mut [0])).unwrap(), 0);
}

#[test]
fn http_2_is_spoken_without_tls_by_who_knows() {
    let server = echo();
    let scene = Scene::simple(&[&server], "");
    let answers = wait(async {
        let stream = TcpStream::connect(scene.at).await.unwrap();
        over_h2(stream, &["/1", "/2"]).await
    });
    assert_eq!(answers, ["/1", "/2"]);
    assert_eq!(scene.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").text(), "hi");
}

#[test]
fn a_head_alone_has_no_body_in_http_2() {
    let respond = "[[listener.route]]\npath = \"/\"\nrespond = { status = 200, body = \"hello\" }";
    let scene = Scene::new(respond, "");
    wait(async {
        let stream = TcpStream::connect(scene.at).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        for (path, status, length) in [("/", 200, "5"), ("/none", 404, "13")] {
            let request = Request::head(format!("http://h{path}"));
            let request = request.body(Full::<Bytes>::default()).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()["content-length"], length);
            assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    });
}

#[test]
fn certificates_are_read_again_and_bad_ones_are_not() {
    let (directory, server) = (TempDir::new().unwrap(), echo());
    let old = certificate(directory.path(), "a", "a.example.org");
    certificate(directory.path(), "b", "b.example.org");
    let mut scene = scene(directory.path(), &server, "least-version = \"1.3\"");
    let works = |at, made: &CertifiedKey<rcgen::KeyPair>| {
        wait(handshake(at, client(&[made], &[]), "a.example.org")).is_ok()
    };
    assert!(works(scene.at, &old));
    let desired = scene.desired();
    fs::write(directory.path().join("a.pem"), "broken").unwrap();
    scene.proxy.reload_files(&desired, &[].into());
    assert!(works(scene.at, &old), "what works goes on");
    let new = certificate(directory.path(), "a", "a.example.org");
    scene.proxy.reload_files(&desired, &[].into());
    eventually("the new certificate is used", || works(scene.at, &new));
    assert!(!works(scene.at, &old));
    fs::write(directory.path().join("b.key"), "broken").unwrap();
    let fresh = Scene { proxy: super::Proxy::new(1), text: String::new(), at: scene.at };
    let mut proxy = fresh.proxy;
    let error = proxy.follow(&desired, &[].into()).unwrap_err().to_string();
    assert!(error.starts_with("listener `edge`: ") && error.contains("b.key"), "{error}");
}

#[test]
fn a_handshake_is_not_waited_for_without_end() {
    let (directory, server) = (TempDir::new().unwrap(), echo());
    certificate(directory.path(), "a", "a.example.org");
    certificate(directory.path(), "b", "b.example.org");
    let limits = "[listener.client]\nhandshake-timeout = \"300ms\"";
    let scene = scene(directory.path(), &server, limits);
    let since = Instant::now();
    let mut stream = std::net::TcpStream::connect(scene.at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut stream, b"\x16\x03\x01").unwrap();
    assert!(matches!(std::io::Read::read(&mut stream, &mut [0]), Ok(0)));
    assert!(since.elapsed() >= Duration::from_millis(300));
}

#[test]
fn clients_show_who_they_are() {
    let (directory, server) = (TempDir::new().unwrap(), echo());
    let a = certificate(directory.path(), "a", "a.example.org");
    certificate(directory.path(), "b", "b.example.org");
    let known = certificate(directory.path(), "c", "client");
    let stranger = certificate(directory.path(), "d", "client");
    let ca = directory.path().join("c.pem").display().to_string();
    let scene = scene(directory.path(), &server, &format!("client-ca = \"{ca}\""));
    let with = |made: Option<&CertifiedKey<rcgen::KeyPair>>| {
        let mut roots = RootCertStore::empty();
        roots.add(a.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match made {
            None => builder.with_no_client_auth(),
            Some(made) => {
                let key = made.signing_key.serialize_der().try_into().unwrap();
                builder.with_client_auth_cert(vec![made.cert.der().clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // In TLS 1.3 a client learns by reading whether it was taken.
        wait(async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let Ok(mut stream) = handshake(scene.at, config, "a.example.org").await else {
                return false;
            };
            let request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
            _ = stream.write_all(request).await;
            let mut begin = [0; 12];
            stream.read_exact(&mut begin).await.is_ok() && &begin == b"HTTP/1.1 200"
        })
    };
    assert!(with(Some(&known)));
    assert!(!with(Some(&stranger)));
    assert!(!with(None));
}
