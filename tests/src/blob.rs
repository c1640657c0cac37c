//! Data that both ends can make from a seed, so that the receiver can tell whether it is intact.

/// Pseudo-random bytes (xorshift64*, Vigna 2016); equal seeds give equal bytes.
pub fn blob(seed: u64, length: usize) -> Vec<u8> {
    // The generator never leaves zero.
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15 | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// What is wrong with bytes that should be those of a seed, if anything.
pub fn damage(seed: u64, length: usize, received: &[u8]) -> Option<String> {
    if received.len() != length {
        return Some(format!("{} of {length} bytes arrived", received.len()));
    }
    let wanted = blob(seed, length);
    let at = received.iter().zip(&wanted).position(|(got, want)| got != want)?;
    Some(format!("byte {at} of {length} is {:#04x} instead of {:#04x}", received[at], wanted[at]))
}

#[cfg(test)]
mod tests {
    use super::{blob, damage};

    #[test]
    fn damage_is_found() {
        let mut bytes = blob(7, 1001);
        assert_eq!(damage(7, 1001, &bytes), None);
        bytes[1000] ^= 1;
        assert!(damage(7, 1001, &bytes).expect("damaged").starts_with("byte 1000 of 1001 is"));
        assert_eq!(damage(7, 1001, &bytes[1..]).as_deref(), Some("1000 of 1001 bytes arrived"));
        assert_ne!(blob(8, 64), blob(7, 64));
    }
}
