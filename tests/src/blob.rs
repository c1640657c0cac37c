//! Data that both ends can make from a seed, so that the receiver can tell whether it is intact.

use crate::random::Random;

/// Bytes that are made anew; the rest repeats them, because tests are built without optimisation.
const BLOCK: usize = 4096;

/// Pseudo-random bytes: equal seeds give equal bytes. Each block begins with its number, so that
/// exchanged blocks are noticed.
pub fn blob(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = block(seed).repeat(length.div_ceil(BLOCK));
    for (number, block) in bytes.chunks_exact_mut(BLOCK).enumerate() {
        block[..8].copy_from_slice(&(number as u64).to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn block(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(BLOCK);
    while bytes.len() < BLOCK {
        bytes.extend_from_slice(&random.next().to_be_bytes());
    }
    bytes
}

/// What is wrong with bytes that should be those of a seed, if anything.
pub fn damage(seed: u64, length: usize, received: &[u8]) -> Option<String> {
    if received.len() != length {
        return Some(format!("{} of {length} bytes arrived", received.len()));
    }
    let wanted = blob(seed, length);
    if received == wanted {
        return None;
    }
    let at = received.iter().zip(&wanted).position(|(got, want)| got != want)?;
    Some(format!("byte {at} of {length} is {:#04x} instead of {:#04x}", received[at], wanted[at]))
}

#[cfg(test)]
mod tests {
    use super::{blob, damage};

    #[test]
    fn damage_is_found() {
        let mut exchanged = blob(7, 8192);
        exchanged.rotate_left(4096);
        assert!(damage(7, 8192, &exchanged).is_some());
        let mut bytes = blob(7, 1001);
        assert_eq!(damage(7, 1001, &bytes), None);
        bytes[1000] ^= 1;
        assert!(damage(7, 1001, &bytes).expect("damaged").starts_with("byte 1000 of 1001 is"));
        assert_eq!(damage(7, 1001, &bytes[1..]).as_deref(), Some("1000 of 1001 bytes arrived"));
        assert_ne!(blob(8, 64), blob(7, 64));
    }
}
