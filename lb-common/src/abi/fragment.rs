//! Fragments: what the later ones have in common with the first, and what only the first one tells.

use super::AddrBe;

/// What the fragments of one packet have in common (RFC 791 section 3.2, RFC 8200 section 4.5).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct FragmentKey {
    /// Source address.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
    /// Identification: all of it in IPv6, the first half of the word in IPv4.
    pub id_be: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero, because it is part of the key.
    pub _pad: [u8; 3],
}

/// What a first fragment tells of the later ones.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ports {
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// Tick in which the first fragment came.
    pub seen: u32,
}

const _: () = assert!(size_of::<FragmentKey>() == 40 && size_of::<Ports>() == 8);
