//! A connection between two requests.
//!
//! Most connections are idle most of the time. What hyper has for each (buffers, the state of parsing, room for
//! a request under way) is many kilobytes; so it is taken apart after a while, and only the socket stays.

use std::future::poll_fn;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::sleep,
};
use tokio_rustls::server::TlsStream;

use crate::proxy::{clock, io::Watch};

/// What a client is connected by.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether it is nothing but a socket: neither TLS nor its agreement about the version of HTTP.
    const IS_PLAIN: bool;

    /// The socket at the bottom.
    fn socket(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    const IS_PLAIN: bool = true;

    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    const IS_PLAIN: bool = false;

    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Waits until the client says something. False if it had long enough, or the listener ends.
pub(super) async fn rest(
    stream: &impl Socket,
    watch: &Watch,
    ending: &mut watch::Receiver<bool>,
) -> bool {
    let socket = stream.socket();
    tokio::select! {
        biased;
        readable = poll_fn(|cx| socket.poll_read_ready(cx)) => readable.is_ok(),
        () = sleep(watch.rest(clock::now())) => false,
        _ = ending.wait_for(|ending| *ending) => false,
    }
}
