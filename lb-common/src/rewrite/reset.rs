//! A TCP segment made the reset that answers it (RFC 9293 section 3.10.7.1).
#![expect(clippy::cast_possible_truncation, reason = "lengths of headers")]

use super::{
    icmp::{TTL, WHOLE, turn},
    pair, write_addr,
};
use crate::{
    csum::Delta,
    parse::{Family, Packet},
    wire::{Frame, eth, ipv4, ipv6, transport},
};

/// Data offset of a header without options.
const OFFSET: u8 = 5 << 4;

/// What the reset says.
struct Answer {
    sequence_be: u32,
    acknowledged_be: u32,
    flags: u8,
}

/// Makes of a whole segment the reset that answers it, on its way back. `None`, and the frame not fit to
/// be sent, if it is a reset itself.
#[inline(always)]
pub fn reset<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()> {
    // First what stands at a known place: from what lies behind, the compiler would know that it is
    // there, but not the verifier.
    turn(frame)?;
    let answer = answer(frame, packet)?;
    let (at, length) = match packet.family {
        Family::V4 => (ipv4::PAYLOAD, ipv4::PAYLOAD + transport::TCP_LEN),
        Family::V6 => (ipv6::PAYLOAD, ipv6::PAYLOAD + transport::TCP_LEN),
    };
    let surplus = frame.len().checked_sub(length)?;
    if surplus > 0 {
        frame.shrink_tail(surplus)?;
    }
    let pseudo = match packet.family {
        Family::V4 => header_v4(frame, packet)?,
        Family::V6 => header_v6(frame, packet)?,
    };
    let ports = pair_of(packet.dst_port_be, packet.src_port_be);
    let flags = u32::from_ne_bytes([OFFSET, answer.flags, 0, 0]);
    let sum =
        pseudo.added(ports).added(answer.sequence_be).added(answer.acknowledged_be).added(flags);
    frame.write(at, pair(ports, answer.sequence_be))?;
    frame.write(at + transport::TCP_ACKNOWLEDGED, pair(answer.acknowledged_be, flags))?;
    let [high, low] = sum.checksum().to_ne_bytes();
    frame.write(at + transport::TCP_CHECKSUM, u32::from_ne_bytes([high, low, 0, 0]))
}

#[inline(always)]
fn answer<F: Frame>(frame: &F, packet: &Packet) -> Option<Answer> {
    let at = packet.transport();
    // In the order of the frame, as the verifier wants words at places that it does not know exactly.
    let sequence: u32 = frame.read(at + transport::TCP_SEQUENCE)?;
    let acknowledged: u32 = frame.read(at + transport::TCP_ACKNOWLEDGED)?;
    let word = frame.read::<u16>(at + transport::TCP_DATA_OFFSET)?;
    let [data_offset, flags] = word.to_ne_bytes();
    if flags & transport::RST != 0 {
        return None;
    }
    if flags & transport::ACK != 0 {
        let flags = transport::RST;
        return Some(Answer { sequence_be: acknowledged, acknowledged_be: 0, flags });
    }
    // What it has of the sequence: its payload, and one each for SYN and FIN.
    let headers = (at - eth::LEN) as u32 + u32::from(data_offset >> 4) * 4;
    let bits = u32::from(flags & transport::SYN != 0) + u32::from(flags & transport::FIN != 0);
    let length = u32::from(packet.ip_len).wrapping_sub(headers) + bits;
    let acknowledged_be = u32::from_be(sequence).wrapping_add(length).to_be();
    Some(Answer { sequence_be: 0, acknowledged_be, flags: transport::RST | transport::ACK })
}

/// The header, and what it adds to the checksum of TCP (RFC 9293 section 3.1).
#[inline(always)]
fn header_v4<F: Frame>(frame: &mut F, packet: &Packet) -> Option<Delta> {
    let (source, destination) = (packet.dst_be[3], packet.src_be[3]);
    let [high, low] = LENGTH_V4.to_be_bytes();
    let first = u32::from_ne_bytes([0x45, 0, high, low]);
    let second = u32::from_ne_bytes(WHOLE);
    let third = |high, low| u32::from_ne_bytes([TTL, transport::TCP, high, low]);
    let sum = Delta::new().added(first).added(second).added(third(0, 0));
    let [high, low] = sum.added(source).added(destination).checksum().to_ne_bytes();
    frame.write(ipv4::VERSION_IHL, pair(first, second))?;
    frame.write(ipv4::TTL, third(high, low))?;
    frame.write(ipv4::SRC, pair(source, destination))?;
    Some(pseudo().added(source).added(destination))
}

/// The header, and what it adds to the checksum of TCP (RFC 8200 section 8.1).
#[inline(always)]
fn header_v6<F: Frame>(frame: &mut F, packet: &Packet) -> Option<Delta> {
    let [high, low] = TCP_LEN.to_be_bytes();
    let second = u32::from_ne_bytes([high, low, transport::TCP, TTL]);
    frame.write(ipv6::VERSION, pair((6_u32 << 28).to_be(), second))?;
    write_addr(frame, ipv6::SRC, &packet.dst_be)?;
    write_addr(frame, ipv6::DST, &packet.src_be)?;
    let addresses = [&packet.src_be, &packet.dst_be].into_iter().flatten();
    Some(addresses.fold(pseudo(), |sum, word| sum.added(*word)))
}

/// Protocol and length of the pseudo headers.
#[inline(always)]
const fn pseudo() -> Delta {
    Delta::new().added((TCP_LEN as u32).to_be()).added((transport::TCP as u32).to_be())
}

#[inline(always)]
const fn pair_of(first: u16, second: u16) -> u32 {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

const TCP_LEN: u16 = transport::TCP_LEN as u16;
const LENGTH_V4: u16 = ipv4::LEN as u16 + TCP_LEN;
