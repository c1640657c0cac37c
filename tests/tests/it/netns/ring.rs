//! Which backend a connection belongs to, computed anew from what the daemon was told.

use std::net::{IpAddr, SocketAddr};

use lb_common::{
    abi::{AddrBe, v4_mapped},
    hash,
    maglev::{self, Walker},
};

use super::scene::SEED;

/// TCP in an IP header.
const TCP: u8 = 6;
/// UDP in an IP header.
pub(crate) const UDP: u8 = 17;

/// The ring of a service.
pub(crate) struct Ring {
    owners: Vec<u32>,
    vip: SocketAddr,
    protocol: u8,
}

impl Ring {
    /// The ring of a TCP service whose backends all have weight 1.
    pub(crate) fn new(vip: SocketAddr, backends: &[SocketAddr]) -> Self {
        Self::of(vip, backends, TCP)
    }

    /// The ring of a service whose backends all have weight 1.
    pub(crate) fn of(vip: SocketAddr, backends: &[SocketAddr], protocol: u8) -> Self {
        let mut owners = vec![0; maglev::ring_slots(backends.len()) as usize];
        let walker = |(address, id): (&SocketAddr, u32)| {
            Walker::new(SEED, id, &address_be(address.ip()), address.port().to_be(), 1)
        };
        let mut walkers: Vec<_> = backends.iter().zip(1..).map(walker).collect();
        maglev::fill(&mut walkers, &mut owners);
        Self { owners, vip, protocol }
    }

    /// The backend of a client's connection, counted from 1.
    pub(crate) fn owner(&self, client: SocketAddr) -> u32 {
        let (from, to) = (address_be(client.ip()), address_be(self.vip.ip()));
        let (from_port, to_port) = (client.port().to_be(), self.vip.port().to_be());
        let hash = hash::flow(SEED, &from, &to, from_port, to_port, self.protocol);
        self.owners[hash as usize & (self.owners.len() - 1)]
    }
}

fn address_be(address: IpAddr) -> AddrBe {
    match address {
        IpAddr::V4(v4) => v4_mapped(u32::from_ne_bytes(v4.octets())),
        IpAddr::V6(v6) => {
            let bytes = v6.octets();
            std::array::from_fn(|word| {
                u32::from_ne_bytes(std::array::from_fn(|byte| bytes[4 * word + byte]))
            })
        }
    }
}
