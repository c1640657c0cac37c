//! Servers that answer as they are told, each with a thread of its own, and who signs for them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::net::sockopt::set_socket_linger;
use rustls::{ServerConfig, ServerConnection, Stream, pki_types::PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// It is accepted, and that is all.
    Never,
    /// It is closed at once.
    Close,
    /// It is reset at once.
    Reset,
    /// A request is read and a text written.
    Text(&'static str),
    /// The same, and then it stays open.
    Unfinished(&'static str),
}

/// A server that runs until the process ends.
pub(super) struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<String>>,
    /// Connections that fill a queue.
    _waiting: Vec<TcpStream>,
}

impl Server {
    pub(super) fn start(answer: Answer) -> Self {
        Self::start_on("127.0.0.1:0", answer, None)
    }

    pub(super) fn start_v6(answer: Answer) -> Self {
        Self::start_on("[::1]:0", answer, None)
    }

    pub(super) fn start_tls(answer: Answer, tls: Arc<ServerConfig>) -> Self {
        Self::start_on("127.0.0.1:0", answer, Some(tls))
    }

    fn start_on(address: &str, answer: Answer, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&heard);
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // Whoever only wanted to see the certificate has gone.
                match &tls {
                    None => _ = serve(&mut stream, answer, &log),
                    Some(tls) => {
                        let mut session = ServerConnection::new(Arc::clone(tls)).unwrap();
                        _ = serve(&mut Stream::new(&mut session, &mut stream), answer, &log);
                    }
                }
                match answer {
                    Answer::Never | Answer::Unfinished(_) => kept.push(stream),
                    Answer::Reset => {
                        set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
                    }
                    Answer::Close | Answer::Text(_) => {}
                }
            }
        });
        Self { address, heard, _waiting: Vec::new() }
    }

    /// One that listens and never accepts, and whose queue is full, so that the kernel answers no
    /// more either.
    pub(super) async fn deaf() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // It is never accepted from, but must not close.
        std::mem::forget(listener);
        let mut waiting = Vec::new();
        let patience = super::SHORT;
        while let Ok(Ok(stream)) =
            tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await
        {
            waiting.push(stream.into_std().unwrap());
        }
        Self { address, heard: Arc::default(), _waiting: waiting }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last request.
    pub(super) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(
    stream: &mut (impl Read + Write),
    answer: Answer,
    log: &Mutex<String>,
) -> std::io::Result<()> {
    if let Answer::Text(text) | Answer::Unfinished(text) = answer {
        let mut head = Vec::new();
        let mut byte = [0];
        // Something that is not HTTP, with or without a header of the PROXY protocol, ends in another way.
        let is_http = |head: &[u8]| head.first().is_none_or(|first| b"GP\r".contains(first));
        while (head.len() < 16 || !head.ends_with(b"\r\n\r\n")) && is_http(&head) {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        *log.lock().unwrap() = String::from_utf8_lossy(&head).into_owned();
        stream.write_all(text.as_bytes())?;
        stream.flush()?;
    }
    Ok(())
}

/// An address that refuses connections: nobody has it but us.
pub(super) fn refused() -> SocketAddr {
    SocketAddr::from(([127, 9, 9, 9], 1))
}

/// Who signs certificates.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    path: PathBuf,
    _directory: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, issuer.pem()).unwrap();
        Self { issuer, path, _directory: directory }
    }

    /// A file with its certificate.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Settings of a server with a certificate for these names and addresses.
    pub(super) fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.unwrap())
    }
}
