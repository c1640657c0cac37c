//! Between whom a packet travels, read from a copy of its first bytes.
//!
//! More lenient than [`parse`](crate::parse), which decides: what is damaged shall be found by its
//! addresses, too. Outer headers count, those of a packet inside a tunnel or an ICMP error do not.

use crate::{
    abi::{AddrBe, v4_mapped},
    limits::trace::SNAP,
    wire::{eth, ipv4, ipv6, transport},
};

/// VLAN tags that are looked behind.
const MOST_TAGS: usize = 2;
/// IPv6 extension headers that are looked behind.
const MOST_EXTENSIONS: usize = 4;

/// Both ends of a packet, and its protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ends {
    /// Source address.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// Transport protocol; valid if there are addresses.
    pub protocol: u8,
    /// Whether there are addresses: 1, or 0.
    pub has_addresses: u8,
    /// Whether there are ports: 1, or 0.
    pub has_ports: u8,
    /// Unused.
    pub _pad: u8,
}

impl Ends {
    /// Reads them from the beginning of a frame of so many bytes.
    #[inline(always)]
    pub fn read(&mut self, bytes: &[u8; SNAP], len: u32) {
        *self = Self::default();
        // What cannot be read is not there.
        _ = self.link(&Copied { bytes, len: len as usize });
    }

    #[inline(always)]
    fn link(&mut self, frame: &Copied<'_>) -> Option<()> {
        let mut shift = 0;
        let mut kind = frame.half(eth::TYPE)?;
        for _ in 0..MOST_TAGS {
            if kind == eth::VLAN_BE || kind == eth::PROVIDER_VLAN_BE {
                shift += eth::TAG_LEN;
                kind = frame.half(eth::TYPE + shift)?;
            }
        }
        match kind {
            eth::IPV4_BE => self.v4(frame, shift),
            eth::IPV6_BE => self.v6(frame, shift),
            _ => None,
        }
    }

    #[inline(always)]
    fn v4(&mut self, frame: &Copied<'_>, shift: usize) -> Option<()> {
        let header = usize::from(frame.byte(ipv4::VERSION_IHL + shift)? & 0xf) * 4;
        let fragment = frame.half(ipv4::FRAGMENT + shift)?;
        self.src_be = v4_mapped(frame.word(ipv4::SRC + shift)?);
        self.dst_be = v4_mapped(frame.word(ipv4::DST + shift)?);
        self.protocol = frame.byte(ipv4::TTL + 1 + shift)?;
        self.has_addresses = 1;
        if fragment & ipv4::OFFSET_MASK_BE != 0 {
            return None;
        }
        self.ports(frame, eth::LEN + shift + header)
    }

    #[inline(always)]
    fn v6(&mut self, frame: &Copied<'_>, shift: usize) -> Option<()> {
        let mut next = frame.byte(ipv6::NEXT_HEADER + shift)?;
        self.src_be = frame.address(ipv6::SRC + shift)?;
        self.dst_be = frame.address(ipv6::DST + shift)?;
        (self.protocol, self.has_addresses) = (next, 1);
        let mut at = ipv6::PAYLOAD + shift;
        for _ in 0..MOST_EXTENSIONS {
            let len = match next {
                ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::DESTINATION => {
                    (usize::from(frame.byte(at + 1)?) + 1) * ipv6::EXTENSION_UNIT
                }
                ipv6::FRAGMENT => {
                    let offset = frame.half(at + ipv6::FRAGMENT_OFFSET)?;
                    if offset & ipv6::OFFSET_MASK_BE != 0 {
                        self.protocol = frame.byte(at)?;
                        return None;
                    }
                    ipv6::EXTENSION_UNIT
                }
                _ => break,
            };
            next = frame.byte(at)?;
            self.protocol = next;
            at += len;
        }
        self.ports(frame, at)
    }

    #[inline(always)]
    fn ports(&mut self, frame: &Copied<'_>, at: usize) -> Option<()> {
        if self.protocol == transport::TCP || self.protocol == transport::UDP {
            self.src_port_be = frame.half(at + transport::SRC_PORT)?;
            self.dst_port_be = frame.half(at + transport::DST_PORT)?;
            self.has_ports = 1;
        }
        Some(())
    }
}

/// A copy of the first bytes of a frame.
struct Copied<'a> {
    bytes: &'a [u8; SNAP],
    /// Bytes of the frame.
    len: usize,
}

impl Copied<'_> {
    /// The comparison with the constant comes first: it is what lets the verifier follow.
    #[inline(always)]
    fn get<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        if at > SNAP - N || at + N > self.len {
            return None;
        }
        self.bytes.get(at..at + N)?.first_chunk().copied()
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.get(at).map(u8::from_ne_bytes)
    }

    #[inline(always)]
    fn half(&self, at: usize) -> Option<u16> {
        self.get(at).map(u16::from_ne_bytes)
    }

    #[inline(always)]
    fn word(&self, at: usize) -> Option<u32> {
        self.get(at).map(u32::from_ne_bytes)
    }

    #[inline(always)]
    fn address(&self, at: usize) -> Option<AddrBe> {
        Some([self.word(at)?, self.word(at + 4)?, self.word(at + 8)?, self.word(at + 12)?])
    }
}
