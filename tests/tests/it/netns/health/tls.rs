//! A server that answers every request over TLS with 200, by a certificate that it made itself.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::{Shutdown, shutdown};
use rustls::{ServerConfig, ServerConnection, Stream, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tests::netns::Netns;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// Dropping it ends it.
pub(super) struct TlsServer {
    listener: TcpListener,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TlsServer {
    pub(super) fn start(netns: &Netns, address: SocketAddr) -> Result<Self> {
        let listener = netns.enter(|| {
            TcpListener::bind(address)
                .with_context(|| format!("{}: cannot listen on {address}", netns.name()))
        })?;
        let (config, stopped) = (config()?, Arc::new(AtomicBool::new(false)));
        let thread = {
            let (listener, stopped) = (listener.try_clone()?, Arc::clone(&stopped));
            thread::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    match listener.accept() {
                        // The prober tells what went wrong.
                        Ok((stream, _)) => _ = answer(stream, &config),
                        Err(_) => thread::sleep(Duration::from_millis(1)),
                    }
                }
            })
        };
        Ok(Self { listener, stopped, thread: Some(thread) })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        _ = shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
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
