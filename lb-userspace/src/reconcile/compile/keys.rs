//! Names of things as keys of the tables.

use std::net::{IpAddr, SocketAddr};

use lb_common::{
    abi::{AddrBe, Backend, Endpoint, v4_mapped},
    hash,
};

use crate::model::{Name, Protocol, Vip};

/// Bytes as words that hold them in the same order, whatever the machine's.
pub(super) fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    std::array::from_fn(|word| {
        u32::from_ne_bytes(std::array::from_fn(|byte| bytes[word * 4 + byte]))
    })
}

/// What recognises a backend across restarts: its pool and its address.
pub fn identity(pool: &Name, address: SocketAddr) -> u64 {
    // 0 means an unused entry.
    hash::bytes(0, format!("{pool} {address}").as_bytes()).max(1)
}

/// A VIP as a key of the tables. That of a range is never looked up by what stands in a packet: it has the
/// first port, and where that could be the first of another range besides, the last.
pub fn vip_endpoint(vip: Vip) -> Endpoint {
    let key = endpoint(vip.address, vip.protocol);
    match vip {
        _ if vip.is_all() => Endpoint { port_be: vip.last_port.to_be(), wide: 1, ..key },
        _ if vip.is_range() => Endpoint { wide: 1, ..key },
        _ => key,
    }
}

/// An address of one port as a key of the tables.
pub fn endpoint(address: SocketAddr, protocol: Protocol) -> Endpoint {
    let (addr_be, port_be) = address_be(address);
    Endpoint { addr_be, port_be, protocol: protocol.number(), wide: 0 }
}

/// An address as it stands in a packet.
pub fn address_be(address: SocketAddr) -> (AddrBe, u16) {
    let addr_be = match address.ip() {
        IpAddr::V4(v4) => v4_mapped(u32::from_ne_bytes(v4.octets())),
        IpAddr::V6(v6) => words(&v6.octets()),
    };
    (addr_be, address.port().to_be())
}

/// The address of a backend's entry.
pub fn address_of(backend: &Backend) -> SocketAddr {
    let octets: Vec<u8> = backend.addr_be.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let octets: [u8; 16] = octets.try_into().unwrap_or_default();
    let ip = std::net::Ipv6Addr::from(octets).to_canonical();
    SocketAddr::new(ip, u16::from_be(backend.port_be))
}
