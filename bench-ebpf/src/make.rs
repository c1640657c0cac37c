//! The next packet, written over whatever became of the last one.
//!
//! A test run hands the same frame to the program again and again, and frames that a live run sends
//! are recycled, so every byte that a balancer may change is written anew: what it put in front is
//! taken off, then link, IP header, ports, and checksum follow. Words are written at least as wide as
//! anybody reads them, because a processor is slow to read across two recent writes, which no frame
//! from a network card makes it do.

use aya_ebpf::{btf_maps::Array, programs::XdpContext};

use crate::{
    frame::{Head, move_start},
    shared::Recipe,
};

/// Family of a packet.
#[derive(Clone, Copy)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

const ETH: usize = 14;
const ETH_TYPE: usize = 12;
/// 198.18.0.0/15, of which a flow has the last 17 bits.
const CLIENTS_V4: u32 = 0xc612_0000;

/// Makes the next packet.
#[inline(always)]
pub(crate) fn next(ctx: &XdpContext, recipe: &Array<Recipe, 1>, family: Family) -> Option<()> {
    let recipe = recipe.get_ptr_mut(0)?;
    // SAFETY: the pointer is into the map, whose only other user waits for the run to end.
    let recipe = unsafe { &mut *recipe };
    take_off(ctx, recipe.length as usize)?;
    let flow = recipe.next;
    recipe.next = if flow + 1 < recipe.flows { flow + 1 } else { 0 };
    let (address, port) = client(flow);
    let headers = &recipe.headers;
    match family {
        Family::V4 => {
            let head = Head::of(ctx, ETH + 40)?;
            link(&head, recipe, 0x0800);
            let checksum = checksum(recipe.sum, address);
            head.write(ETH, pair(headers[0], headers[1]));
            head.write(ETH + 8, halves(first_half(headers[2]), checksum));
            head.write(ETH + 12, pair((CLIENTS_V4 | address).to_be(), headers[4]));
            head.write(ETH + 20, halves(port.to_be(), second_half(headers[5])));
            head.write(ETH + 36, first_half(headers[9]));
        }
        Family::V6 => {
            let head = Head::of(ctx, ETH + 60)?;
            link(&head, recipe, 0x86dd);
            head.write(ETH, pair(headers[0], headers[1]));
            head.write(ETH + 8, pair(headers[2], headers[3]));
            head.write(ETH + 16, pair(headers[4], address.to_be()));
            head.write(ETH + 24, pair(headers[6], headers[7]));
            head.write(ETH + 32, pair(headers[8], headers[9]));
            head.write(ETH + 40, halves(port.to_be(), second_half(headers[10])));
            head.write(ETH + 56, first_half(headers[14]));
        }
    }
    Some(())
}

/// What distinguishes a flow: the end of the client's address, and its port. To multiply by an odd
/// number is reversible, so no two flows are equal, and neighbouring ones are far apart in any table.
#[inline(always)]
const fn client(flow: u32) -> (u32, u16) {
    let mixed = flow.wrapping_mul(0x9e37_79b1);
    // 17 bits for 198.18.0.0/15, and the upper half of the ports.
    (mixed >> 15, (mixed & 0x7fff) as u16 | 0x8000)
}

/// Takes off what a balancer put in front.
#[inline(always)]
fn take_off(ctx: &XdpContext, length: usize) -> Option<()> {
    let more = ctx.data_end() - ctx.data() - length;
    if more == 0 {
        return Some(());
    }
    move_start(ctx, i32::try_from(more).ok()?)
}

#[inline(always)]
fn link(head: &Head, recipe: &Recipe, ether_type: u16) {
    head.write_all(0, &recipe.link);
    head.write(ETH_TYPE, ether_type.to_be());
}

/// The checksum of an IPv4 header (RFC 1071), in network order.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the carries are folded in before")]
const fn checksum(sum: u32, address: u32) -> u16 {
    let sum = sum + (address >> 16) + (address & 0xffff);
    let sum = (sum & 0xffff) + (sum >> 16);
    (!(sum + (sum >> 16)) as u16).to_be()
}

#[inline(always)]
const fn first_half(word: u32) -> u16 {
    let [a, b, _, _] = word.to_ne_bytes();
    u16::from_ne_bytes([a, b])
}

#[inline(always)]
const fn second_half(word: u32) -> u16 {
    let [_, _, c, d] = word.to_ne_bytes();
    u16::from_ne_bytes([c, d])
}

#[inline(always)]
const fn halves(first: u16, second: u16) -> u32 {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

#[inline(always)]
const fn pair(first: u32, second: u32) -> u64 {
    if cfg!(target_endian = "little") {
        first as u64 | (second as u64) << 32
    } else {
        (first as u64) << 32 | second as u64
    }
}
