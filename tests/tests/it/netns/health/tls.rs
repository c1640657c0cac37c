//! A server that answers every request over TLS with 200, by a certificate that it made itself.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use rustls::{ServerConfig, ServerConnection, Stream, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tests::{accepting::Accepting, netns::Netns};

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// Dropping it ends it.
pub(super) struct TlsServer {
    _accepting: Accepting,
}

impl TlsServer {
    pub(super) fn start(netns: &Netns, address: SocketAddr) -> Result<Self> {
        let config = config()?;
        // The prober tells what went wrong.
        let serve = move |stream| _ = answer(stream, &config);
        Ok(Self { _accepting: Accepting::start(netns, address, serve)? })
    }
}

fn config() -> Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(["www.example.org".to_owned()])?;
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

fn answer(mut stream: TcpStream, config: &Arc<ServerConfig>) -> Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut session = ServerConnection::new(Arc::clone(config))?;
    let mut tls = Stream::new(&mut session, &mut stream);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        tls.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    tls.flush()?;
    Ok(())
}
