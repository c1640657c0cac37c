//! Echo requests, and errors about packets.

use fastrand::Rng;

use super::{
    checksums::repair,
    random::{bytes, one_in, pick},
};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Who sends, and to whom: addresses as they stand in a packet.
pub(super) struct Ends<'a> {
    pub(super) source: &'a [u8],
    pub(super) destination: &'a [u8],
}

/// An echo request, or another message that is no error.
pub(super) fn echo(rng: &mut Rng, ends: &Ends<'_>) -> Vec<u8> {
    let is_v4 = ends.source.len() == 4;
    let kind = match one_in(rng, 6) {
        true => rng.u8(..),
        false if is_v4 => 8,
        false => 128,
    };
    let mut message = vec![kind, if one_in(rng, 6) { rng.u8(..) } else { 0 }, 0, 0];
    let most = if one_in(rng, 8) { 1500 } else { 64 };
    let length = rng.usize(..most);
    message.extend(bytes(rng, 4 + length));
    packet(rng, ends, &message)
}

/// An error about a packet, given from its IP header on, to its sender.
pub(super) fn error(rng: &mut Rng, about: &[u8], from: Option<&[u8]>) -> Option<Vec<u8>> {
    let (source, destination) = match about.first()? >> 4 {
        4 => (about.get(12..16)?, about.get(16..20)?),
        6 => (about.get(8..24)?, about.get(24..40)?),
        _ => return None,
    };
    let is_v4 = source.len() == 4;
    let kind = if is_v4 { pick(rng, &[3, 3, 3, 11, 12, 4]) } else { rng.u8(1..=4) };
    let mut message = vec![kind, rng.u8(..8), 0, 0];
    message.extend(pick(rng, &[[0; 4], [0, 0, 5, 0], [1, 2, 3, 4]]));
    let header = if is_v4 { 20 } else { 40 };
    let length = match rng.u32(..8) {
        // All that RFC 792 wants; up to the checksums, and around that.
        0 | 1 => header + 8,
        2 => header + rng.usize(..24),
        3 => 128,
        _ => 548,
    };
    message.extend_from_slice(&about[..length.min(about.len())]);
    let from = from.filter(|from| from.len() == source.len()).unwrap_or(destination);
    Some(packet(rng, &Ends { source: from, destination: source }, &message))
}

fn packet(rng: &mut Rng, ends: &Ends<'_>, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 7];
    let ttl = pick(rng, &[64, 64, 64, 64, 64, 255, 2, 1, 0]);
    if ends.source.len() == 4 {
        let [high, low] = u16::try_from(20 + message.len()).unwrap_or_default().to_be_bytes();
        frame.extend([8, 0, 0x45, 0xc0, high, low, 0x12, 0x34, 0, 0, ttl, ICMP, 0, 0]);
    } else {
        let [high, low] = u16::try_from(message.len()).unwrap_or_default().to_be_bytes();
        frame.extend([0x86, 0xdd, 0x60, 1, 2, 3, high, low, ICMPV6, ttl]);
    }
    for part in [ends.source, ends.destination, message] {
        frame.extend_from_slice(part);
    }
    repair(&mut frame);
    frame
}
