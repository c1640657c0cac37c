//! What is known of a flow by who is at its ends: the backend that it belongs to, and whether that
//! must still hold.

use std::net::SocketAddr;

use lb_common::time::{CLOSING_TICKS, OPENING_TICKS};

use super::scene::Kind;
use crate::model::{Forward, Protocol, Udp};

/// How far one end has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Opening,
    Open,
    Closed,
}

/// One end: how far it has come, and when it last sent.
#[derive(Clone, Copy, Debug)]
struct End {
    state: State,
    seen: u32,
}

impl End {
    fn sends(&mut self, closes: bool, now: u32) {
        self.seen = now;
        if self.state != State::Closed {
            self.state = if closes { State::Closed } else { State::Open };
        }
    }

    /// Whether the flow may not be given up yet.
    fn is_heard(self, idle: u16, now: u32) -> bool {
        let limit = match self.state {
            State::Opening => OPENING_TICKS,
            State::Open => u32::MAX,
            State::Closed => CLOSING_TICKS,
        };
        now - self.seen < limit.min(idle.into())
    }
}

/// A flow that was opened, and reached a backend.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) client: SocketAddr,
    pub(super) backend: SocketAddr,
    /// The client as the backend sees it.
    pub(super) source: SocketAddr,
    client_end: End,
    backend_end: Option<End>,
    /// Why it may break, if it may: it waits for its next packet to see.
    pub(super) lost: Option<&'static str>,
    /// Its ways back were lost with the tables; the next packet of the client brings them again.
    pub(super) way_lost: bool,
}

impl Flow {
    /// A flow whose first packet has arrived.
    pub(super) fn new(
        kind: Kind,
        client: SocketAddr,
        source: SocketAddr,
        backend: SocketAddr,
        now: u32,
    ) -> Self {
        let opens = kind.protocol == Protocol::Tcp || kind.udp == Udp::Quic;
        let opens = opens && !(kind.forward == Forward::FullNat && kind.protocol == Protocol::Udp);
        let state = if opens { State::Opening } else { State::Open };
        let client_end = End { state, seen: now };
        Self { client, backend, source, client_end, backend_end: None, lost: None, way_lost: false }
    }

    /// A packet of the client that opens nothing.
    pub(super) fn sends(&mut self, closes: bool, now: u32) {
        self.client_end.sends(closes, now);
        self.way_lost = false;
    }

    /// A packet of the backend.
    pub(super) fn answers(&mut self, closes: bool, now: u32) {
        let end = self.backend_end.get_or_insert(End { state: State::Opening, seen: now });
        end.sends(closes, now);
    }

    /// Whether one end has closed it.
    pub(super) fn is_closing(&self) -> bool {
        let closed = |end: End| end.state == State::Closed;
        closed(self.client_end) || self.backend_end.is_some_and(closed)
    }

    /// Whether a packet of its client must reach its backend.
    pub(super) fn is_alive(&self, kind: Kind, idle: u16, now: u32) -> bool {
        let heard = |end: End| end.is_heard(idle, now);
        let backend_heard = self.backend_end.is_some_and(heard);
        let both = kind.forward == Forward::FullNat;
        self.lost.is_none() && (heard(self.client_end) || both && backend_heard)
    }

    /// Whether a packet of its backend must reach its client.
    pub(super) fn can_be_answered(&self, kind: Kind, idle: u16, now: u32) -> bool {
        // The way back is kept for as long as the end that has closed allows.
        let state = if self.is_closing() { State::Closed } else { self.client_end.state };
        let heard = End { state, ..self.client_end }.is_heard(idle, now);
        self.is_alive(kind, idle, now) && !self.way_lost && heard
    }
}
