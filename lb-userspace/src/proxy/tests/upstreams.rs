//! Backends that speak HTTP/2 or TLS.

use std::{
    convert::Infallible,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use http_body_util::{BodyExt, Collected, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::{Body, Bytes, Incoming},
    client::conn::http2 as client,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::{PATIENCE, Scene};

/// A server of HTTP/2, which answers with what it was asked, and trailers.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.ok();
    let sent = body.as_ref().and_then(Collected::trailers).cloned().unwrap_or_default();
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    let te = parts.headers.get("te").map_or("", |value| value.to_str().unwrap()).to_owned();
    let said = format!("{} {:?} te={te} {}", parts.uri, parts.version, body.len());
    // And with those that came.
    let mut trailers = sent;
    trailers.insert("grpc-status", "0".parse().unwrap());
    Ok(Response::new(Full::new(Bytes::from(said)).with_trailers(async { Some(Ok(trailers)) })))
}

fn server(tls: Option<Arc<ServerConfig>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                let builder = http2::Builder::new(TokioExecutor::new());
                let tls = tls.clone();
                tokio::spawn(async move {
                    let service = service_fn(answer);
                    let Some(tls) = tls else {
                        return builder.serve_connection(TokioIo::new(stream), service).await.ok();
                    };
                    let stream = TlsAcceptor::from(tls).accept(stream).await.ok()?;
                    builder.serve_connection(TokioIo::new(stream), service).await.ok()
                });
            }
        });
    });
    Server { address, connections }
}

fn scene(server: &Server, http: &str) -> Scene {
    let pools = format!(
        "[[pool]]\nname = \"web\"\nbackends = [\"{}\"]\n[pool.http]\n{http}\n",
        server.address
    );
    Scene::new("pool = \"web\"", &pools)
}

#[test]
fn requests_of_http_1_share_a_connection_of_http_2() {
    let server = server(None);
    let scene = scene(&server, "protocol = \"h2\"");
    let mut client = scene.connect();
    for _ in 0..5 {
        let answer = client
            .ask("POST /a?b HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(answer.text(), "http://www.example.org/a?b HTTP/2.0 te= 2");
    }
    // One worker serves the connection, and another none.
    assert_eq!(server.connections.load(SeqCst), 1);
}

#[test]
fn who_asks_a_pool_of_http_2_for_another_protocol_is_told() {
    let server = server(None);
    let scene = scene(&server, "protocol = \"h2\"");
    let head = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(scene.ask(head).status, 501);
    assert_eq!(server.connections.load(SeqCst), 0);
}

/// What a client of HTTP/2 makes of a connection.
fn speaking<B, T>(scene: &Scene, work: impl AsyncFnOnce(client::SendRequest<B>) -> T) -> T
where
    B: Body<Data: Send, Error = Infallible> + Send + Unpin + 'static,
{
    let work = async {
        let stream = tokio::net::TcpStream::connect(scene.at).await.unwrap();
        let io = TokioIo::new(stream);
        let (sender, connection) = client::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        work(sender).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.unwrap() })
}

#[test]
fn trailers_pass_from_end_to_end() {
    let server = server(None);
    let scene = scene(&server, "protocol = \"h2\"");
    let (status, text) = speaking(&scene, async |mut sender| {
        let request = Request::post("http://grpc.example.org/pkg.Service/Method")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(Full::new(Bytes::from_static(b"\0\0\0\0\x02hi")))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap();
        let status = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
        (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
    });
    assert_eq!(status.unwrap(), "0");
    assert_eq!(text, "http://grpc.example.org/pkg.Service/Method HTTP/2.0 te=trailers 7");
}

/// A backend may take trailers for headers, and believe what they say about who asks.
#[test]
fn trailers_do_not_say_who_asks() {
    let server = server(None);
    let scene = scene(&server, "protocol = \"h2\"");
    let came = speaking(&scene, async |mut sender| {
        let mut trailers = HeaderMap::new();
        for name in ["x-forwarded-for", "x_forwarded_proto", "forwarded", "x-mine"] {
            trailers.insert(name, "198.51.100.7".parse().unwrap());
        }
        let body = Full::new(Bytes::from_static(b"hi"))
            .with_trailers(Box::pin(async { Some(Ok(trailers)) }));
        let request = Request::post("http://h/").header("te", "trailers").body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        answer.into_body().collect().await.unwrap().trailers().cloned().unwrap()
    });
    let mut names: Vec<_> = came.keys().map(hyper::http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["grpc-status", "x-mine"]);
}

/// A certificate for a name, in a file, and a server that has it.
fn tls_server(directory: &Path, name: &str) -> Server {
    let made = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    fs::write(directory.join("ca.pem"), made.cert.pem()).unwrap();
    server(Some(config(&made, &["h2"])))
}

/// What a server with a certificate offers.
fn config(made: &CertifiedKey<KeyPair>, protocols: &[&str]) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Speaks HTTP/2 with who offers it, and otherwise changes the protocol at once.
#[test]
fn a_change_of_protocol_is_asked_for_in_http_1_where_each_backend_chooses() {
    let made = generate_simple_self_signed(vec!["app.example.org".to_owned()]).unwrap();
    let server = either(config(&made, &["h2", "http/1.1"]));
    let scene = scene(&server, "tls = { verify = false }");
    assert_eq!(scene.get("/").text(), "https://www.example.org/ HTTP/2.0 te= 0");
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    let mut said = [0; 5];
    std::io::Read::read_exact(&mut client.stream, &mut said).unwrap();
    assert_eq!(&said, b"hello");
    assert_eq!(server.connections.load(SeqCst), 2);
    assert_eq!(scene.get("/").text(), "https://www.example.org/ HTTP/2.0 te= 0");
}

fn either(tls: Arc<ServerConfig>) -> Server {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let serve = async move |stream: tokio::net::TcpStream| {
        let mut stream = TlsAcceptor::from(tls.clone()).accept(stream).await.unwrap();
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            let builder = http2::Builder::new(TokioExecutor::new());
            _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            return;
        }
        _ = stream.read(&mut [0; 4096]).await;
        let switched = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\nhello";
        stream.write_all(switched).await.unwrap();
        _ = stream.read(&mut [0]).await;
    };
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let serve = std::rc::Rc::new(serve);
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                let serve = std::rc::Rc::clone(&serve);
                tokio::task::spawn_local(async move { serve(stream).await });
            }
        });
    });
    Server { address, connections }
}

#[test]
fn backends_are_who_they_must_be() {
    let directory = TempDir::new().unwrap();
    let server = tls_server(directory.path(), "app.example.org");
    let ca = directory.path().join("ca.pem").display().to_string();
    let of = |tls: &str| scene(&server, &format!("retries = 0\ntls = {{ {tls} }}")).get("/");
    let answer = of(&format!("ca = \"{ca}\", name = \"app.example.org\""));
    assert_eq!((answer.status, answer.text()), (200, "https://www.example.org/ HTTP/2.0 te= 0"));
    assert_eq!(of(&format!("ca = \"{ca}\", name = \"other.example.org\"")).status, 502);
    assert_eq!(of(&format!("ca = \"{ca}\"")).status, 502, "not made out to an address");
    assert_eq!(of("verify = false").status, 200);
}
