//! Server ids of QUIC services: what a connection id says to name its backend.
//!
//! An id is made of the fleet's seed and the backend's address alone, so that all balancers of a
//! fleet know it without being told, and it stays what it is when other backends come or go.
//!
//! Clients see the ids, and the seed is a secret: who knows it can aim at one backend. The hash of
//! the rings is reversible, so two of its values would give the seed away. Ids are therefore made
//! by SipHash-2-4, a keyed function made to keep its key.

use std::{
    hash::Hasher,
    net::{IpAddr, SocketAddr},
};

use lb_common::quic;
use siphasher::sip::SipHasher24;

/// Bytes of a connection id before its nonce: the first octet and the server id.
pub const PREFIX_LEN: usize = 1 + quic::SERVER_ID_LEN;

/// Second half of the key: sets these values apart from others that a seed may be used for.
const PURPOSE: u64 = u64::from_le_bytes(*b"serverid");

/// Server id of a backend. Connection ids hold it in network byte order.
pub fn server_id(seed: u64, address: SocketAddr) -> u32 {
    let mut hasher = SipHasher24::new_with_keys(seed, PURPOSE);
    hasher.write(&octets(address.ip()));
    hasher.write(&address.port().to_be_bytes());
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// An address as 16 bytes; IPv4 in its IPv4-mapped form.
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The server id as it stands in a connection id: the key of the table.
pub fn server_be(seed: u64, address: SocketAddr) -> u32 {
    server_id(seed, address).to_be()
}

/// How a connection id that names a backend begins: an octet whose high three bits are the
/// configuration and whose others are free, here zero, and the server id.
pub fn cid_prefix(server_id: u32) -> [u8; PREFIX_LEN] {
    let [a, b, c, d] = server_id.to_be_bytes();
    [quic::CONFIG_ROTATION << 5, a, b, c, d]
}
