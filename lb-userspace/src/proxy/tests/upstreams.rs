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
    body::{Bytes, Incoming},
    client::conn::http2 as client,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::generate_simple_self_signed;
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
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let te = parts.headers.get("te").map_or("", |value| value.to_str().unwrap()).to_owned();
    let said = format!("{} {:?} te={te} {}", parts.uri, parts.version, body.len());
    let mut trailers = HeaderMap::new();
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
fn trailers_pass_from_end_to_end() {
    let server = server(None);
    let scene = scene(&server, "protocol = \"h2\"");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let work = async {
        let stream = tokio::net::TcpStream::connect(scene.at).await.unwrap();
        let (mut sender, connection) =
            client::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("http://grpc.example.org/pkg.Service/Method")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(Full::new(Bytes::from_static(b"\0\0\0\0\x02hi")))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap();
        let status = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
        (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
    };
    let (status, text) =
        runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.unwrap() });
    assert_eq!(status.unwrap(), "0");
    assert_eq!(text, "http://grpc.example.org/pkg.Service/Method HTTP/2.0 te=trailers 7");
}

/// A certificate for a name, in a file, and a server that has it.
fn tls_server(directory: &Path, name: &str) -> Server {
    let made = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    fs::write(directory.join("ca.pem"), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    server(Some(Arc::new(config)))
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
