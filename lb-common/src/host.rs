//! Frames and tables in ordinary memory: what the tests run the decisions on.

mod tables;

use std::{
    array,
    net::{IpAddr, SocketAddr},
    vec::Vec,
};

pub use self::tables::{HostTables, Router};
use crate::{
    abi::{AddrBe, Endpoint},
    wire::{Frame, Word, eth},
};

/// A frame in a vector.
#[derive(Clone, Debug)]
pub struct HostFrame {
    bytes: Vec<u8>,
    ingress: u32,
    headroom: usize,
}

impl HostFrame {
    /// A frame that arrived on an interface.
    pub fn new(bytes: Vec<u8>, ingress: u32) -> Self {
        Self { bytes, ingress, headroom: usize::MAX }
    }

    /// With so many bytes of room in front, where there is room without end otherwise.
    #[must_use]
    pub fn with_headroom(self, headroom: usize) -> Self {
        Self { headroom, ..self }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Frame for HostFrame {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn read<T: Word>(&self, offset: usize) -> Option<T> {
        T::from_slice(self.bytes.get(offset..offset + size_of::<T>())?)
    }

    fn write<T: Word>(&mut self, offset: usize, word: T) -> Option<()> {
        word.to_slice(self.bytes.get_mut(offset..offset + size_of::<T>())?)
    }

    fn grow_head(&mut self, bytes: usize) -> Option<()> {
        self.headroom = self.headroom.checked_sub(bytes)?;
        // What is there is not defined: a value that a test would notice.
        self.bytes.splice(..0, std::iter::repeat_n(0xee, bytes));
        Some(())
    }

    fn shrink_tail(&mut self, bytes: usize) -> Option<()> {
        let left = self.bytes.len().checked_sub(bytes)?;
        (left >= eth::LEN).then(|| self.bytes.truncate(left))
    }

    fn shrink_head(&mut self, bytes: usize) -> Option<()> {
        // The kernel leaves an Ethernet header, too.
        let left = self.bytes.len().checked_sub(bytes)?;
        (left >= eth::LEN).then(|| {
            self.bytes.drain(..bytes);
            self.headroom = self.headroom.saturating_add(bytes);
        })
    }
}

/// A table key out of ordinary types.
pub fn endpoint(address: SocketAddr, protocol: u8) -> Endpoint {
    Endpoint { addr_be: addr_be(address.ip()), port_be: address.port().to_be(), protocol, wide: 0 }
}

/// The words of an address.
pub fn addr_be(address: IpAddr) -> AddrBe {
    let octets = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let mut octets = octets.into_iter();
    array::from_fn(|_| u32::from_ne_bytes(array::from_fn(|_| octets.next().unwrap_or(0))))
}
