//! Ctrl-C and SIGTERM.
//!
//! The first signal ends every wait with an error, so that whoever waits unwinds and takes down
//! what it built. Later ones change nothing: taking down is bounded in time.

use std::sync::{
    Arc, LazyLock, Once,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Result, bail};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Listens to the signals from now on; further calls change nothing.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGINT, SIGTERM] {
            // Only forbidden signals (SIGKILL and the like) are refused.
            if let Err(error) = flag::register(signal, Arc::clone(&REQUESTED)) {
                eprintln!("signal {signal} will not be noticed: {error}");
            }
        }
    });
}

/// Whether a signal has come.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// An error if a signal has come.
pub fn check() -> Result<()> {
    if requested() {
        bail!("interrupted");
    }
    Ok(())
}
