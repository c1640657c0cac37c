//! Changes made by CLI or API: they survive a restart until the next `apply`.

use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::state::{self, StateError};
use crate::model::{Change, Desired};

/// The changes made since the file was read.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    changes: Vec<Change>,
}

impl Journal {
    /// Reads the journal, and makes its changes to what the file says. A change that the file has
    /// overtaken (its pool is gone, its backend is there already) is dropped, and said so.
    pub(super) fn replay(state_dir: &Path, file: &Desired) -> Result<(Self, Desired), StateError> {
        let path = state_dir.join("changes.json");
        let recorded: Vec<Change> = state::read(&path)?;
        // Changes made together may break a rule one by one, so all are tried at once first.
        let (changes, desired) = match file.with(&recorded) {
            Ok(desired) => (recorded, desired),
            Err(_) => one_by_one(recorded, file),
        };
        if !changes.is_empty() {
            info!("{} earlier changes made again; `shunt apply` undoes them", changes.len());
        }
        Ok((Self { path, changes }, desired))
    }

    /// Records changes.
    pub(super) fn append(&mut self, changes: &[Change]) -> Result<(), StateError> {
        let longer = [&self.changes, changes].concat();
        state::write(&self.path, &longer)?;
        self.changes = longer;
        Ok(())
    }

    /// Takes back the last changes recorded.
    pub(super) fn take_back(&mut self, count: usize) -> Result<(), StateError> {
        self.changes.truncate(self.changes.len().saturating_sub(count));
        state::write(&self.path, &self.changes)
    }

    /// Forgets all changes: the file is the truth again.
    pub(super) fn clear(&mut self) -> Result<(), StateError> {
        state::write(&self.path, &Vec::<Change>::new())?;
        self.changes.clear();
        Ok(())
    }
}

/// The changes that still fit, and what they come to.
fn one_by_one(recorded: Vec<Change>, file: &Desired) -> (Vec<Change>, Desired) {
    let mut desired = file.clone();
    let mut changes = Vec::new();
    for change in recorded {
        match desired.with(std::slice::from_ref(&change)) {
            Ok(next) => {
                desired = next;
                changes.push(change);
            }
            Err(error) => warn!("an earlier change no longer fits and is dropped: {error}"),
        }
    }
    (changes, desired)
}

#[cfg(test)]
mod tests;
