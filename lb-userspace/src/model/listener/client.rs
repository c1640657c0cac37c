//! What a client may take its time for, and how much it may send before it is refused: `[listener.client]`.

use std::{num::NonZeroU32, time::Duration};

use crate::model::{RateLimit, duration::text};

/// Limits of each client of a listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientLimits {
    /// How long it may take for the handshake of TLS, for its first message of TLS that is passed on, or for what a
    /// proxy says in front of these.
    pub handshake_timeout: Duration,
    /// How long it may take for the head of a request.
    pub head_timeout: Duration,
    /// How long it may be idle between two requests.
    pub keep_alive_timeout: Duration,
    /// How long it may take nothing of an answer.
    pub send_timeout: Duration,
    /// Bytes of a request line.
    pub max_request_line: u32,
    /// Bytes of one header.
    pub max_header: u32,
    /// Bytes of a head.
    pub max_head: u32,
    /// Headers of a request.
    pub max_headers: u32,
    /// Bytes of the body of a request, if it is limited.
    pub max_body: Option<u64>,
    /// Connections of one client, if they are limited.
    pub max_connections: Option<NonZeroU32>,
    /// How often one client may ask, if that is limited.
    pub rate_limit: Option<RateLimit>,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            send_timeout: Duration::from_mins(1),
            max_request_line: 8 << 10,
            max_header: 16 << 10,
            max_head: 64 << 10,
            max_headers: 100,
            max_body: None,
            max_connections: None,
            rate_limit: None,
        }
    }
}

impl ClientLimits {
    /// Every limit in the words of the file, always in the same order.
    pub fn words(&self) -> [(&'static str, String); 11] {
        let none = || "none".to_owned();
        [
            ("handshake-timeout", text(self.handshake_timeout)),
            ("head-timeout", text(self.head_timeout)),
            ("keep-alive-timeout", text(self.keep_alive_timeout)),
            ("send-timeout", text(self.send_timeout)),
            ("max-request-line", self.max_request_line.to_string()),
            ("max-header", self.max_header.to_string()),
            ("max-head", self.max_head.to_string()),
            ("max-headers", self.max_headers.to_string()),
            ("max-body", self.max_body.map_or_else(none, |most| most.to_string())),
            ("max-connections", self.max_connections.map_or_else(none, |most| most.to_string())),
            ("rate-limit", self.rate_limit.map_or_else(none, |limit| limit.to_string())),
        ]
    }
}
