//! Progress of a load: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Lines that are printed where there is no terminal.
const LINES: usize = 4;

/// Shows how far a load is. The bar goes away on drop.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
}

impl Progress {
    /// A load of so many connections.
    pub(super) fn new(total: usize) -> Self {
        Self { bar: stderr().is_terminal().then(|| bar(total)), total }
    }

    /// So many connections have ended.
    pub(super) fn set(&self, done: usize) {
        match &self.bar {
            Some(bar) => bar.set_position(done as u64),
            None if done.is_multiple_of(self.total.div_ceil(LINES)) => {
                println!("  {done} of {} done", self.total);
            }
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    if let Ok(style) = ProgressStyle::with_template("  [{bar:40}] {pos} of {len}") {
        bar.set_style(style.progress_chars("#>-"));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
