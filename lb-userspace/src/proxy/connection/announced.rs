//! Whom a connection is for: the client that has opened it, or the one that a trusted proxy names in front of
//! all else.

use std::{io, net::SocketAddr, time::Duration};

use thiserror::Error;
use tokio::{
    io::AsyncReadExt as _,
    sync::watch,
    time::{sleep, timeout},
};
use tracing::debug;

use super::Seat;
use crate::{
    model::{ListenerProtocol, duration::text},
    proxy::snapshot::Listener,
    proxy_protocol::{self, Ends, Fault, Header, Read},
};

/// Bytes that are looked at at one time. Headers are shorter, unless they carry certificates.
const PIECE: usize = 256;
/// How long is waited for a header once the listener ends.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Why a connection is not served.
#[derive(Debug, Error)]
enum Unannounced {
    #[error("it went without a word")]
    Silent,
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("its PROXY header broke off: {0}")]
    Broken(#[from] io::Error),
    #[error("no PROXY header within {}", text(*.0))]
    Late(Duration),
    #[error("the listener has ended before it sent a PROXY header")]
    Ended,
}

/// The ends of a connection as they are.
pub(super) fn own(listener: &Listener, stream: &Seat, client: SocketAddr) -> Ends {
    // The kernel is asked only where it knows more than we do, and somebody shall be told.
    let asks = listener.listen.ip().is_unspecified() && listener.announces();
    let destination = asks.then(|| stream.local_addr().ok()).flatten();
    Ends::new(client, destination.unwrap_or(listener.listen))
}

/// Takes the header from a connection, and nothing of what follows. None if there is none: then the connection is to
/// be closed.
pub(super) async fn read(
    listener: &Listener,
    stream: &mut Seat,
    own: Ends,
    mut ending: watch::Receiver<bool>,
) -> Option<Ends> {
    let limit = match listener.protocol {
        ListenerProtocol::Http => listener.limits.head_timeout,
        _ => listener.limits.handshake_timeout,
    };
    let ended = async {
        _ = ending.wait_for(|ending| *ending).await;
        sleep(LAST_CALL).await;
    };
    let found = tokio::select! {
        biased;
        found = timeout(limit, take(stream)) => found.unwrap_or(Err(Unannounced::Late(limit))),
        () = ended => Err(Unannounced::Ended),
    };
    match found {
        Ok(Header::Proxied(ends)) => Some(ends),
        Ok(Header::Own) => Some(own),
        Err(why) => {
            debug!("listener {}: trusted proxy {}: {why}", listener.name, own.source);
            // Who only looks whether somebody listens has done nothing wrong.
            if !matches!(why, Unannounced::Silent) {
                listener.shared.unannounced();
            }
            None
        }
    }
}

/// Looks at what has come, and takes as much of it as belongs to the header.
async fn take(stream: &mut Seat) -> Result<Header, Unannounced> {
    let mut stream = stream.known()?;
    let mut said = Vec::new();
    loop {
        let before = said.len();
        said.resize(before + PIECE, 0);
        let seen = stream.peek(said.get_mut(before..).unwrap_or_default()).await?;
        if seen == 0 {
            let why = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(if before == 0 { Unannounced::Silent } else { why.into() });
        }
        said.truncate(before + seen);
        let read = proxy_protocol::read(&said)?;
        let end = if let Read::Done(_, length) = read { length } else { said.len() };
        stream.read_exact(said.get_mut(before..end).unwrap_or_default()).await?;
        if let Read::Done(header, _) = read {
            return Ok(header);
        }
    }
}
