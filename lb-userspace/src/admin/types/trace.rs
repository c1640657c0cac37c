//! `GET /v1/trace`: what becomes of packets, a JSON object a line.

use std::net::SocketAddr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::model::Name;

/// A line.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum TraceEvent {
    /// A packet.
    Packet(Box<TracedPacket>),
    /// So many packets more were wanted, but came too fast to be shown.
    Lost {
        /// How many.
        packets: u64,
    },
    /// The trace has been ended by the daemon. It is the last line.
    Ended {
        /// Why.
        reason: String,
    },
}

/// What became of a packet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct TracedPacket {
    /// When it arrived: seconds since 1970 (UTC).
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    /// `forwarded`, `passed` or `dropped`.
    pub verdict: String,
    /// What it is counted under.
    pub reason: String,
    /// Its service, if it is for one or answers for one.
    pub service: Option<Name>,
    /// The backend that it was sent to or came from.
    pub backend: Option<SocketAddr>,
    /// How it arrived, and where.
    pub before: FrameView,
    /// How it left, and by which interface; or what the kernel got instead of it. Nothing if it was
    /// dropped, or passed as it was.
    pub after: Option<FrameView>,
}

/// A packet at one moment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FrameView {
    /// Name of the interface.
    pub interface: String,
    /// Bytes from the Ethernet header on.
    pub length: u32,
    /// The first of them, in hexadecimal digits.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub bytes: Vec<u8>,
}

fn to_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(bytes))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = String::deserialize(deserializer)?;
    HEXLOWER.decode(digits.as_bytes()).map_err(D::Error::custom)
}
