//! How many networks exist at a time: tests wait for their turn, so that load in one does not make
//! another miss its bounds.

use std::sync::{Condvar, Mutex, PoisonError};

const AT_ONCE: usize = 2;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Leave to build a network; returned on drop.
#[derive(Debug)]
pub struct Turn(());

impl Turn {
    /// Waits until fewer than two networks exist.
    pub fn take() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = ENDED
            .wait_while(running, |running| *running >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}
