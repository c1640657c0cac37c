//! Numbers that nobody else has, and nobody can guess: a keyed hash of a counter. The key is drawn from the system once,
//! so that a request costs a hash and no system call.

use std::cell::Cell;

use siphasher::sip128::SipHasher24;

/// Draws numbers of 128 bits. Each worker has its own.
pub(in crate::proxy) struct Ids {
    key: [u8; 16],
    drawn: Cell<u64>,
}

impl Ids {
    /// One with a key of its own.
    pub(in crate::proxy) fn new() -> Self {
        let mut key = [0; 16];
        // It fails on systems without randomness alone, and then TLS has none either.
        if aws_lc_rs::rand::fill(&mut key).is_err() {
            key = fastrand::u128(..).to_ne_bytes();
        }
        Self { key, drawn: Cell::new(0) }
    }

    /// A number that is not 0.
    pub(super) fn draw(&self) -> u128 {
        loop {
            let nth = self.drawn.get().wrapping_add(1);
            self.drawn.set(nth);
            let hash = SipHasher24::new_with_key(&self.key).hash(&nth.to_ne_bytes()).as_u128();
            if hash != 0 {
                return hash;
            }
        }
    }
}
