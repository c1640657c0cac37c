//! Damage.

use fastrand::Rng;

use super::{
    checksums::{repair, repair_header},
    random::{bytes, one_in, pick},
};

/// The shortest frame that the kernel takes.
pub(super) const LEAST: usize = 14;
/// The longest that a test run takes.
pub(super) const MOST: usize = 3400;

/// Values that limits are near.
const EDGES: [u8; 16] = [0, 1, 2, 3, 4, 6, 7, 8, 15, 16, 17, 0x3f, 0x45, 0x7f, 0x80, 0xff];

/// Damages a frame in a few places; another may be spliced into it. Often the checksums are made right
/// again, so that the damage gets further than to them.
pub(super) fn mutated(rng: &mut Rng, mut frame: Vec<u8>, other: &[u8]) -> Vec<u8> {
    for _ in 0..rng.u32(1..=3) {
        mutate(rng, &mut frame, other);
    }
    match rng.u32(..4) {
        0 => {}
        1 => repair(&mut frame),
        _ => repair_header(&mut frame),
    }
    frame
}

fn mutate(rng: &mut Rng, frame: &mut Vec<u8>, other: &[u8]) {
    let at = place(rng, frame);
    match rng.u32(..12) {
        0..=2 => frame[at] ^= 1 << rng.u32(..8),
        3 | 4 => frame[at] = pick(rng, &EDGES),
        5 => frame[at] = rng.u8(..),
        // A length that is one more or less.
        6 => {
            let by = pick(rng, &[1, 2, 4, 8, 0xff, 0xfe, 0xfc]);
            frame[at] = frame[at].wrapping_add(by);
        }
        7 => frame.truncate(at.max(LEAST)),
        8 => {
            let more = rng.usize(1..40);
            frame.extend(bytes(rng, more));
        }
        9 => {
            let until = (at + rng.usize(1..=40)).min(frame.len());
            frame.drain(at..until);
        }
        // A header twice.
        10 => {
            let until = (at + pick(rng, &[4, 8, 20, 28, 40])).min(frame.len());
            let again = frame[at..until].to_vec();
            frame.splice(at..at, again);
        }
        _ => {
            frame.truncate(at);
            frame.extend_from_slice(other.get(at.min(other.len())..).unwrap_or_default());
        }
    }
    if frame.len() < LEAST {
        frame.resize(LEAST, 0);
    }
}

/// A place, most often in the headers.
fn place(rng: &mut Rng, frame: &[u8]) -> usize {
    let headers = if one_in(rng, 8) { frame.len() } else { frame.len().min(78) };
    // Where link addresses are is of little interest.
    if headers > 13 && !one_in(rng, 16) { rng.usize(12..headers) } else { rng.usize(..headers) }
}
