//! Changes to a frame: link addresses, time to live, the ends of a flow, and headers around it.
//!
//! Every change keeps the checksums right by updating them ([`csum`](crate::csum)), so that an error
//! in a packet stays visible to whoever receives it. All functions return `None` when the frame ends
//! before a field; a frame that was parsed never does.

use crate::{
    abi::AddrBe,
    csum::Delta,
    parse::{Family, Packet},
    wire::{Frame, ipv4, ipv6, pair, transport},
};

/// Which end of the flow is rewritten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Source address and port.
    Source,
    /// Destination address and port.
    Destination,
}

/// Whether the packet is routed here (and its time to live counts down) or by the kernel later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hop {
    /// Routed by the program.
    Here,
    /// Left to the kernel.
    Later,
}

/// Counts down time to live or hop limit. It must be positive.
#[inline(always)]
pub fn decrement_ttl<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()> {
    match packet.family {
        Family::V4 => {
            ipv4_header(frame, packet, Delta::new().counted_down(), packet.ttl.wrapping_sub(1))
        }
        Family::V6 => frame.write(ipv6::HOP_LIMIT, packet.ttl - 1),
    }
}

/// Replaces one end of the flow.
#[inline(always)]
pub fn end<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    end: End,
    addr: &AddrBe,
    port_be: u16,
    hop: Hop,
) -> Option<()> {
    let (old_addr, old_port) = match end {
        End::Source => (&packet.src_be, packet.src_port_be),
        End::Destination => (&packet.dst_be, packet.dst_port_be),
    };
    match packet.family {
        Family::V4 => {
            let delta = Delta::new().word32(old_addr[3], addr[3]);
            let at = match end {
                End::Source => ipv4::SRC,
                End::Destination => ipv4::DST,
            };
            frame.write(at, addr[3])?;
            match hop {
                Hop::Here => {
                    ipv4_header(frame, packet, delta.counted_down(), packet.ttl.wrapping_sub(1))?;
                }
                Hop::Later => ipv4_header(frame, packet, delta, packet.ttl)?,
            }
            ports(frame, packet, end, delta.word16(old_port, port_be), port_be)
        }
        Family::V6 => {
            let at = match end {
                End::Source => ipv6::SRC,
                End::Destination => ipv6::DST,
            };
            write_addr(frame, at, addr)?;
            if hop == Hop::Here {
                frame.write(ipv6::HOP_LIMIT, packet.ttl - 1)?;
            }
            let delta = Delta::new().addr(old_addr, addr).word16(old_port, port_be);
            ports(frame, packet, end, delta, port_be)
        }
    }
}

/// Replaces both ends of the flow, each an address and a port.
#[inline(always)]
pub fn both<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    source: (&AddrBe, u16),
    destination: (&AddrBe, u16),
    hop: Hop,
) -> Option<()> {
    let addresses = match packet.family {
        Family::V4 => {
            let delta = Delta::new()
                .word32(packet.src_be[3], source.0[3])
                .word32(packet.dst_be[3], destination.0[3]);
            frame.write(ipv4::SRC, source.0[3])?;
            frame.write(ipv4::DST, destination.0[3])?;
            match hop {
                Hop::Here => {
                    ipv4_header(frame, packet, delta.counted_down(), packet.ttl.wrapping_sub(1))?;
                }
                Hop::Later => ipv4_header(frame, packet, delta, packet.ttl)?,
            }
            delta
        }
        Family::V6 => {
            write_addr(frame, ipv6::SRC, source.0)?;
            write_addr(frame, ipv6::DST, destination.0)?;
            if hop == Hop::Here {
                frame.write(ipv6::HOP_LIMIT, packet.ttl - 1)?;
            }
            Delta::new().addr(&packet.src_be, source.0).addr(&packet.dst_be, destination.0)
        }
    };
    if packet.is_later_fragment() {
        return Some(());
    }
    transport_checksum(frame, packet, both_ports(packet, addresses, source.1, destination.1))?;
    let at = packet.transport();
    frame.write(at + transport::SRC_PORT, source.1)?;
    frame.write(at + transport::DST_PORT, destination.1)
}

#[inline(always)]
const fn both_ports(packet: &Packet, delta: Delta, source_be: u16, destination_be: u16) -> Delta {
    delta.word16(packet.src_port_be, source_be).word16(packet.dst_port_be, destination_be)
}

/// Time to live, protocol and checksum are one word.
#[inline(always)]
fn ipv4_header<F: Frame>(frame: &mut F, packet: &Packet, delta: Delta, ttl: u8) -> Option<()> {
    let checksum = delta.apply(frame.read(ipv4::CHECKSUM)?).to_ne_bytes();
    let word = u32::from_ne_bytes([ttl, packet.protocol, checksum[0], checksum[1]]);
    frame.write(ipv4::TTL, word)
}

#[inline(always)]
fn write_addr<F: Frame>(frame: &mut F, at: usize, addr: &AddrBe) -> Option<()> {
    frame.write(at, pair(addr[0], addr[1]))?;
    frame.write(at + 8, pair(addr[2], addr[3]))
}

/// The addresses count in the checksums of TCP and UDP, too (pseudo header).
#[inline(always)]
fn ports<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    end: End,
    delta: Delta,
    port_be: u16,
) -> Option<()> {
    if packet.is_later_fragment() {
        return Some(());
    }
    transport_checksum(frame, packet, delta)?;
    let offset = match end {
        End::Source => transport::SRC_PORT,
        End::Destination => transport::DST_PORT,
    };
    frame.write(packet.transport() + offset, port_be)
}

#[inline(always)]
fn transport_checksum<F: Frame>(frame: &mut F, packet: &Packet, delta: Delta) -> Option<()> {
    let at = packet.transport();
    if packet.protocol == transport::TCP {
        let checksum = frame.read(at + transport::TCP_CHECKSUM)?;
        return frame.write(at + transport::TCP_CHECKSUM, delta.apply(checksum));
    }
    let checksum = frame.read(at + transport::UDP_CHECKSUM)?;
    frame.write(at + transport::UDP_CHECKSUM, delta.apply_udp(checksum))
}

mod encapsulate;
pub mod icmp;
mod reset;

pub use self::{
    encapsulate::{Tunnel, encapsulate},
    reset::reset,
};

#[cfg(test)]
mod tests;
