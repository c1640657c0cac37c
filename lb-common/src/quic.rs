//! What a load balancer may read of a QUIC packet (RFC 8999, RFC 9000 section 17).
//!
//! Connection ids name their server in the plaintext form of QUIC-LB
//! (draft-ietf-quic-load-balancers-21, section 5.2): one octet whose high three bits are the
//! configuration, then the server id, then what the server likes. All servers use configuration 0
//! and ids of [`SERVER_ID_LEN`] bytes.

use crate::wire::Frame;

/// Bytes of a server id.
pub const SERVER_ID_LEN: usize = 4;
/// High three bits of the first octet of a connection id that names its server.
pub const CONFIG_ROTATION: u8 = 0;
/// Fewest bytes of such a connection id: the first octet, the server id, and a nonce of four.
pub const LEAST_CID_LEN: usize = 1 + SERVER_ID_LEN + 4;

const LONG_HEADER: u8 = 0x80;
const LONG_TYPE: u8 = 0x30;
const VERSION_2_BE: u32 = 0x6b33_43cf_u32.to_be();
const VERSION: usize = 1;
const LONG_CID_LEN: usize = 5;
const LONG_CID: usize = 6;
const SHORT_CID: usize = 1;

/// What the first bytes of a datagram say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quic {
    /// It is an Initial or 0-RTT packet: sent before the client knows a connection id of the server.
    pub opens_flow: bool,
    /// Its connection id may hold the id of a server.
    pub names_server: bool,
    /// That id, or what else stands in its place.
    pub server_be: u32,
}

/// Reads the datagram whose payload begins at an offset. What is no QUIC packet says nothing.
#[inline(always)]
pub fn read<F: Frame>(frame: &F, at: usize) -> Quic {
    let Some(first) = byte(frame, at) else { return Quic::default() };
    if first & LONG_HEADER == 0 {
        return server(frame, at + SHORT_CID, false);
    }
    // In the order of the frame: the compiler would leave the check of an earlier word to that of a
    // later one, which the verifier does not see.
    let Some(version) = frame.read::<u32>(at + VERSION) else { return Quic::default() };
    let Some(length) = byte(frame, at + LONG_CID_LEN) else { return Quic::default() };
    let opens_flow = opens_flow(version, (first & LONG_TYPE) >> 4);
    if (length as usize) < LEAST_CID_LEN {
        return Quic { opens_flow, ..Quic::default() };
    }
    server(frame, at + LONG_CID, opens_flow)
}

/// A byte that is not the last one, as none that matters is: behind options, where the offset is not a
/// constant, the verifier cannot follow the comparison for a single byte.
#[inline(always)]
fn byte<F: Frame>(frame: &F, at: usize) -> Option<u8> {
    let [byte, _] = frame.read::<u16>(at)?.to_ne_bytes();
    Some(byte)
}

/// Whether a long header of this version and type is an Initial or 0-RTT packet. Version 2 counts
/// its types differently (RFC 9369 section 3.2); versions yet unknown are taken for new flows by
/// nobody but version 1's rule, as versions reserved for greasing are.
#[inline(always)]
const fn opens_flow(version_be: u32, kind: u8) -> bool {
    if version_be == VERSION_2_BE { kind == 1 || kind == 2 } else { kind <= 1 }
}

/// What a packet says whose connection id stands at an offset.
#[inline(always)]
fn server<F: Frame>(frame: &F, at: usize, opens_flow: bool) -> Quic {
    let Some(first) = byte(frame, at) else { return Quic { opens_flow, ..Quic::default() } };
    let Some(server_be) = frame.read::<u32>(at + 1) else {
        return Quic { opens_flow, ..Quic::default() };
    };
    Quic { opens_flow, names_server: first >> 5 == CONFIG_ROTATION, server_be }
}

#[cfg(test)]
mod tests;
