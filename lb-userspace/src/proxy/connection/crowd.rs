//! Who has as many connections as it may.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::atomic::Ordering::Relaxed,
};

use tracing::debug;

use crate::{model::ListenerProtocol, proxy::snapshot::Listener};

/// Where nothing is encrypted it can be said why. A client of HTTP/2 takes it for the end, which it is.
const CROWDED: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 25\r\nconnection: close\r\n\r\n429 too many connections\n";
/// What is read of a request that has arrived already: a socket with unread bytes would be reset, and the answer with it.
const ARRIVED: usize = 4 << 10;

/// Closes a connection at once, and waits for nothing: who opens more than it may shall hold nothing here meanwhile.
pub(super) fn turn_away(listener: &Listener, mut socket: TcpStream, client: SocketAddr) {
    listener.shared.over_max_connections.fetch_add(1, Relaxed);
    let most = listener.limits.max_connections.map_or(0, u32::from);
    debug!(
        "listener {}: {client}: closed, for it has its `max-connections`, {most}",
        listener.name
    );
    if listener.protocol == ListenerProtocol::Http {
        // The socket does not block. Whether it is heard is the client's concern.
        _ = socket.write(CROWDED);
        _ = socket.shutdown(Shutdown::Write);
        _ = socket.read(&mut [0; ARRIVED]);
    }
}
