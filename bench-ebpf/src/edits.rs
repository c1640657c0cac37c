//! The changes of each forwarding mode, made with constants: what a balancer that had nothing to
//! read, to look up and to compute would still have to do.

use aya_ebpf::programs::XdpContext;

use crate::frame::{Head, move_start};

const ETH: usize = 14;
const V4: usize = 20;
const V6: usize = 40;
const UDP: usize = 8;

/// Some word that stands in no packet.
const WORD: u32 = 0xa5a5_a5a5;
const HALF: u16 = 0xa5a5;
const TTL: u8 = 63;
const LINK: [u32; 3] = [WORD; 3];

// Within IPv4 and IPv6 headers, and TCP.
const V4_TTL: usize = 8;
const V4_CHECKSUM: usize = 10;
const V4_SRC: usize = 12;
const V4_DST: usize = 16;
const V6_HOPS: usize = 7;
const V6_SRC: usize = 8;
const V6_DST: usize = 24;
const SRC_PORT: usize = 0;
const DST_PORT: usize = 2;
const TCP_CHECKSUM: usize = 16;

#[inline(always)]
fn hop_v4(head: &Head, at: usize) {
    head.write(at + V4_TTL, TTL);
    head.write(at + V4_CHECKSUM, HALF);
}

#[inline(always)]
fn hop_v6(head: &Head, at: usize) {
    head.write(at + V6_HOPS, TTL);
}

#[inline(always)]
pub(crate) fn dsr_v4(ctx: &XdpContext) -> Option<()> {
    let head = Head::of(ctx, ETH + V4)?;
    head.write_all(0, &LINK);
    hop_v4(&head, ETH);
    Some(())
}

#[inline(always)]
pub(crate) fn dsr_v6(ctx: &XdpContext) -> Option<()> {
    let head = Head::of(ctx, ETH + V6)?;
    head.write_all(0, &LINK);
    hop_v6(&head, ETH);
    Some(())
}

#[inline(always)]
fn destination_v4(ctx: &XdpContext) -> Option<Head> {
    let head = Head::of(ctx, ETH + V4 + 20)?;
    head.write_all(0, &LINK);
    hop_v4(&head, ETH);
    head.write(ETH + V4_DST, WORD);
    head.write(ETH + V4 + DST_PORT, HALF);
    head.write(ETH + V4 + TCP_CHECKSUM, HALF);
    Some(head)
}

#[inline(always)]
fn destination_v6(ctx: &XdpContext) -> Option<Head> {
    let head = Head::of(ctx, ETH + V6 + 20)?;
    head.write_all(0, &LINK);
    hop_v6(&head, ETH);
    head.write_all(ETH + V6_DST, &[WORD; 4]);
    head.write(ETH + V6 + DST_PORT, HALF);
    head.write(ETH + V6 + TCP_CHECKSUM, HALF);
    Some(head)
}

#[inline(always)]
pub(crate) fn nat_v4(ctx: &XdpContext) -> Option<()> {
    destination_v4(ctx).map(|_| ())
}

#[inline(always)]
pub(crate) fn nat_v6(ctx: &XdpContext) -> Option<()> {
    destination_v6(ctx).map(|_| ())
}

#[inline(always)]
pub(crate) fn full_nat_v4(ctx: &XdpContext) -> Option<()> {
    let head = destination_v4(ctx)?;
    head.write(ETH + V4_SRC, WORD);
    head.write(ETH + V4 + SRC_PORT, HALF);
    Some(())
}

#[inline(always)]
pub(crate) fn full_nat_v6(ctx: &XdpContext) -> Option<()> {
    let head = destination_v6(ctx)?;
    head.write_all(ETH + V6_SRC, &[WORD; 4]);
    head.write(ETH + V6 + SRC_PORT, HALF);
    Some(())
}

/// Puts a header of so many bytes between Ethernet and IP header.
#[inline(always)]
fn put_in_front<const BYTES: usize>(ctx: &XdpContext, ether_type: u16) -> Option<Head> {
    move_start(ctx, -i32::try_from(BYTES).ok()?)?;
    // Up to the last byte that is written, in the header that was there.
    let head = Head::of(ctx, ETH + BYTES + V4)?;
    head.write_all(0, &LINK);
    head.write(12, ether_type.to_be());
    for word in 0..BYTES / 4 {
        head.write(ETH + word * 4, WORD);
    }
    Some(head)
}

#[inline(always)]
pub(crate) fn ipip_v4(ctx: &XdpContext) -> Option<()> {
    hop_v4(&put_in_front::<V4>(ctx, 0x0800)?, ETH + V4);
    Some(())
}

#[inline(always)]
pub(crate) fn ipip_v6(ctx: &XdpContext) -> Option<()> {
    hop_v6(&put_in_front::<V6>(ctx, 0x86dd)?, ETH + V6);
    Some(())
}

#[inline(always)]
pub(crate) fn gue_v4(ctx: &XdpContext) -> Option<()> {
    hop_v4(&put_in_front::<{ V4 + UDP }>(ctx, 0x0800)?, ETH + V4 + UDP);
    Some(())
}

#[inline(always)]
pub(crate) fn gue_v6(ctx: &XdpContext) -> Option<()> {
    hop_v6(&put_in_front::<{ V6 + UDP }>(ctx, 0x86dd)?, ETH + V6 + UDP);
    Some(())
}
