//! Sockets that are opened once and used all the time.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::Context;
use rustls::RootCertStore;
use tungstenite::Message;

use super::{
    super::clients::{HTTP, HTTPS, websocket::ends::Client},
    steps::TUNNELS,
    traffic::{Shared, Tally},
};

/// Where they are opened, and whether over TLS.
pub(super) const SOCKETS: &[(u16, bool)] = &[
    (HTTP, false),
    (HTTP, false),
    (HTTPS, true),
    (HTTPS, true),
    (TUNNELS, false),
    (TUNNELS, false),
];
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends messages, which come back, until told to end; then both ends say goodbye. A socket that breaks is not
/// opened again.
pub(super) fn run(
    at: SocketAddr,
    name: &str,
    roots: Option<&RootCertStore>,
    tally: &Tally,
    shared: &Shared,
) {
    let mut client = match Client::connect(at, name, "/sockets", roots) {
        Ok(client) => client,
        Err(error) => return tally.count(Err(error)),
    };
    for number in 0_u64.. {
        if !shared.goes_on() {
            break;
        }
        let message = Message::text(format!("message {number}"));
        let outcome = client.echo(&message).with_context(|| format!("message {number}"));
        let broken = outcome.is_err();
        tally.count(outcome);
        if broken {
            return;
        }
        thread::sleep(PAUSE);
    }
    if let Err(error) = client.close() {
        tally.count(Err(error));
    }
}
