//! Seeded hashes of flows and backends.
//!
//! One multiply and one shift for each 64-bit word, and a finaliser that lets every input bit reach
//! the low bits, which pick the slot (the structure of `MurmurHash3`'s 64-bit mixer). The seed comes
//! from the configuration: who does not know it cannot aim at one slot, and all balancers of a
//! fleet agree. The values are pinned by golden vectors: changing them moves every flow of a fleet.
#![expect(clippy::cast_possible_truncation, reason = "words are cut to the bits that are wanted")]

use crate::{
    abi::{AddrBe, Endpoint, is_v4_mapped},
    limits::{SERVICE_HASHES, SOURCE_FILTER_BITS},
};

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const FINAL: u64 = 0xff51_afd7_ed55_8ccd;

#[inline(always)]
const fn mix(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(MULTIPLIER);
    mixed ^ (mixed >> 32)
}

#[inline(always)]
const fn finish(state: u64) -> u64 {
    let mixed = (state ^ (state >> 29)).wrapping_mul(FINAL);
    mixed ^ (mixed >> 32)
}

/// Packs two words that stand in network order into one that is equal on every machine.
#[inline(always)]
const fn join(high_be: u32, low_be: u32) -> u64 {
    ((u32::from_be(high_be) as u64) << 32) | u32::from_be(low_be) as u64
}

#[inline(always)]
const fn mix_addr(state: u64, addr: &AddrBe) -> u64 {
    let [a, b, c, d] = *addr;
    if is_v4_mapped(addr) {
        return mix(state, join(c, d));
    }
    mix(mix(state, join(a, b)), join(c, d))
}

/// Hash of a flow towards a service. The low bits are as good as the high ones.
#[inline(always)]
pub const fn flow(
    seed: u64,
    src: &AddrBe,
    dst: &AddrBe,
    src_port_be: u16,
    dst_port_be: u16,
    protocol: u8,
) -> u32 {
    let ports = ((u16::from_be(src_port_be) as u64) << 32)
        | ((u16::from_be(dst_port_be) as u64) << 16)
        | protocol as u64;
    // Two IPv4 addresses are one word.
    let addressed = if is_v4_mapped(src) {
        mix(seed, join(src[3], dst[3]))
    } else {
        mix_addr(mix_addr(seed, src), dst)
    };
    finish(mix(addressed, ports)) as u32
}

/// Hash of a client, where all its flows have one slot: on every port, VIP and balancer of the fleet.
#[inline(always)]
pub const fn client(seed: u64, src: &AddrBe) -> u32 {
    finish(mix_addr(seed, src)) as u32
}

/// The word of the service index for a VIP. It is computed for every packet, so it is as cheap as
/// can be; nobody but the operator chooses what it is computed from.
#[inline(always)]
pub const fn vip(vip: &Endpoint) -> u32 {
    const SHIFT: u32 = u64::BITS - SERVICE_HASHES.ilog2();
    let [a, b, c, d] = vip.addr_be;
    let transport = vip.port_be as u64 | (vip.protocol as u64) << 16;
    let mixed = (join(a, b) ^ join(c, d)).rotate_left(23) ^ transport;
    (mixed.wrapping_mul(MULTIPLIER) >> SHIFT) as u32
}

/// The bit that says whether a list has anything of a source's IPv4 /24, or of an IPv6 /40 with this
/// hash. In each list the /24s have bits of their own; two lists may share some.
#[inline(always)]
pub const fn source_bit(list: u32, addr: &AddrBe) -> u32 {
    const SHIFT: u32 = u64::BITS - SOURCE_FILTER_BITS.ilog2();
    let lists = list as u64;
    if is_v4_mapped(addr) {
        let turned = lists.wrapping_mul(MULTIPLIER) >> SHIFT;
        return (u32::from_be(addr[3]) >> 8) ^ turned as u32;
    }
    let prefix = join(addr[0], addr[1]) >> 24;
    ((prefix ^ lists << 40).wrapping_mul(MULTIPLIER) >> SHIFT) as u32
}

/// Hash of a backend's address, which fixes its places in every ring.
pub const fn backend(seed: u64, addr: &AddrBe, port_be: u16) -> u64 {
    finish(mix(mix_addr(seed, addr), u16::from_be(port_be) as u64))
}

/// Hash of some bytes, for identities that only this machine sees.
pub fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    finish(bytes.iter().fold(seed, |state, byte| mix(state, u64::from(*byte))))
}

#[cfg(test)]
mod tests;
