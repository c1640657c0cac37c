//! Frames without tags, options and fragments, made into such that have them.

use fastrand::Rng;

use super::{
    checksums::{repair, repair_header},
    random::{one_in, pick},
};

const ETH: usize = 14;
const V4: usize = 20;
const V6: usize = 40;

/// Whether a frame is IPv4 without options, or IPv6; `None` for others.
fn is_v4(frame: &[u8]) -> Option<bool> {
    match frame.get(12..ETH + 1)? {
        [0x08, 0, 0x45] if frame.len() >= ETH + V4 => Some(true),
        [0x86, 0xdd, first] if first >> 4 == 6 && frame.len() >= ETH + V6 => Some(false),
        _ => None,
    }
}

/// Adds to a length field.
fn lengthen(frame: &mut [u8], at: usize, by: usize) {
    let length = u16::from_be_bytes([frame[at], frame[at + 1]]);
    let length = length.wrapping_add(u16::try_from(by).unwrap_or_default());
    frame[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

/// VLAN tags, from one to three.
pub(super) fn tagged(rng: &mut Rng, mut frame: Vec<u8>) -> Vec<u8> {
    let tags = pick(rng, &[1, 1, 1, 2, 2, 3]);
    for _ in 0..tags {
        let [high, low] = rng.u16(..).to_be_bytes();
        let tag = if rng.bool() { [0x81, 0, high, low] } else { [0x88, 0xa8, high, low] };
        frame.splice(12..12, tag);
    }
    frame
}

/// Without its tags.
pub(super) fn untagged(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    while matches!(frame.get(12..16), Some([0x81, 0, ..] | [0x88, 0xa8, ..])) {
        frame.drain(12..16);
    }
    frame
}

/// IPv4 options or IPv6 extension headers.
pub(super) fn extended(rng: &mut Rng, frame: Vec<u8>) -> Vec<u8> {
    match is_v4(&frame) {
        Some(true) => with_options(rng, frame),
        Some(false) => with_extensions(rng, frame),
        None => frame,
    }
}

fn with_options(rng: &mut Rng, mut frame: Vec<u8>) -> Vec<u8> {
    let words = rng.u8(1..=10);
    let mut options = vec![1; usize::from(words) * 4];
    if rng.bool() {
        rng.fill(&mut options);
    }
    frame[ETH] += words;
    lengthen(&mut frame, ETH + 2, options.len());
    frame.splice(ETH + V4..ETH + V4, options);
    repair_header(&mut frame);
    frame
}

fn with_extensions(rng: &mut Rng, mut frame: Vec<u8>) -> Vec<u8> {
    let count = pick(rng, &[1, 1, 1, 2, 2, 3, 4, 5, 6, 7]);
    for _ in 0..count {
        let kind = pick(rng, &[0, 43, 60, 60, 44]);
        let next = frame[ETH + 6];
        let header = if kind == 44 {
            // An atomic fragment, most often.
            let place = if one_in(rng, 8) { rng.u8(..) } else { 0 };
            vec![next, 0, 0, place, 0, 0, 0, rng.u8(..4)]
        } else {
            let units = if one_in(rng, 8) { rng.u8(..20) } else { rng.u8(..3) };
            let mut header = vec![0; usize::from(units) * 8 + 8];
            (header[0], header[1]) = (next, units);
            // Segments left, of a routing header.
            header[3] = rng.u8(..3) / 2;
            header
        };
        frame[ETH + 6] = kind;
        lengthen(&mut frame, ETH + 4, header.len());
        frame.splice(ETH + V6..ETH + V6, header);
    }
    frame
}

/// Two or three fragments, most often in their order.
pub(super) fn fragmented(rng: &mut Rng, frame: Vec<u8>) -> Vec<Vec<u8>> {
    let Some(is_v4) = is_v4(&frame) else { return vec![frame] };
    let at = ETH + if is_v4 { V4 } else { V6 };
    let units = (frame.len() - at) / 8;
    if units < 2 {
        return vec![frame];
    }
    let mut cuts = vec![0, rng.usize(1..=units.min(8)) * 8];
    if one_in(rng, 3) && units > 9 {
        cuts.push(rng.usize(9..=units) * 8);
    }
    // Identifications are used again.
    let id = rng.u32(..4);
    let mut fragments = Vec::new();
    for (number, from) in cuts.iter().enumerate() {
        let until = cuts.get(number + 1).copied();
        let payload = &frame[at + from..until.map_or(frame.len(), |until| at + until)];
        let place = u16::try_from(*from).unwrap_or_default();
        let headers = &frame[..at];
        fragments.push(if is_v4 {
            let more = if until.is_some() { 0x2000 } else { 0 };
            fragment_v4(headers, payload, id, more | (place / 8))
        } else {
            fragment_v6(headers, payload, id, place | u16::from(until.is_some()))
        });
    }
    if one_in(rng, 6) {
        rng.shuffle(&mut fragments);
    }
    if one_in(rng, 6) {
        fragments.remove(0);
    }
    fragments
}

fn fragment_v4(headers: &[u8], payload: &[u8], id: u32, place: u16) -> Vec<u8> {
    let mut frame = [headers, payload].concat();
    let length = u16::try_from(V4 + payload.len()).unwrap_or_default();
    let id = u16::try_from(id).unwrap_or_default();
    let fields = [length, id, place].map(u16::to_be_bytes);
    frame[ETH + 2..ETH + 8].copy_from_slice(fields.as_flattened());
    repair_header(&mut frame);
    frame
}

fn fragment_v6(headers: &[u8], payload: &[u8], id: u32, place: u16) -> Vec<u8> {
    let ([high, low], [a, b, c, d]) = (place.to_be_bytes(), id.to_be_bytes());
    let header = [headers[ETH + 6], 0, high, low, a, b, c, d];
    let mut frame = [headers, &header, payload].concat();
    frame[ETH + 6] = 44;
    let length = u16::try_from(header.len() + payload.len()).unwrap_or_default();
    frame[ETH + 4..ETH + 6].copy_from_slice(&length.to_be_bytes());
    frame
}

/// What may come back for a packet: its ends exchanged, without tags.
pub(super) fn reversed(frame: &[u8]) -> Option<Vec<u8>> {
    let mut frame = untagged(frame);
    let is_v4 = is_v4(&frame)?;
    let (source, size, at) = if is_v4 { (ETH + 12, 4, ETH + V4) } else { (ETH + 8, 16, ETH + V6) };
    exchange(&mut frame, 0, 6);
    exchange(&mut frame, source, size);
    let protocol = frame[if is_v4 { ETH + 9 } else { ETH + 6 }];
    if matches!(protocol, 6 | 17) && frame.len() >= at + 4 {
        exchange(&mut frame, at, 2);
    }
    Some(frame)
}

/// Exchanges two neighbours of a size.
fn exchange(frame: &mut [u8], at: usize, size: usize) {
    let (one, two) = frame[at..at + 2 * size].split_at_mut(size);
    one.swap_with_slice(two);
}

/// With other TCP flags, or none of its checksum in UDP.
pub(super) fn varied(rng: &mut Rng, mut frame: Vec<u8>) -> Vec<u8> {
    let Some(is_v4) = is_v4(&frame) else { return frame };
    let at = ETH + if is_v4 { V4 } else { V6 };
    match frame[if is_v4 { ETH + 9 } else { ETH + 6 }] {
        6 if frame.len() > at + 13 => {
            frame[at + 13] = pick(rng, &[0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04]);
            repair(&mut frame);
        }
        17 if frame.len() > at + 8 => frame[at + 6..at + 8].fill(0),
        _ => {}
    }
    frame
}
