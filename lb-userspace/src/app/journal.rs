//! Changes made by CLI or API: they survive a restart until the next `apply`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use tracing::{info, warn};

use super::state::{self, StateError};
use crate::model::{Change, Desired, Name, Prefix, Rule};

/// The changes made since the file was read.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    changes: Vec<Change>,
    /// What they were before the last ones.
    before: Vec<Change>,
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
        let before = changes.clone();
        Ok((Self { path, changes, before }, desired))
    }

    /// Records changes. Those of lists that undo an earlier one go with it: a list may be changed all the
    /// time, back and forth.
    pub(super) fn append(&mut self, changes: &[Change]) -> Result<(), StateError> {
        let longer = without_undone(&self.changes, changes);
        state::write(&self.path, &longer)?;
        self.before = std::mem::replace(&mut self.changes, longer);
        Ok(())
    }

    /// Takes back the changes recorded last.
    pub(super) fn take_back(&mut self) -> Result<(), StateError> {
        self.changes.clone_from(&self.before);
        state::write(&self.path, &self.changes)
    }

    /// Forgets all changes: the file is the truth again.
    pub(super) fn clear(&mut self) -> Result<(), StateError> {
        state::write(&self.path, &Vec::<Change>::new())?;
        self.changes.clear();
        self.before.clear();
        Ok(())
    }
}

/// Earlier changes and later ones, without those of lists that undo each other.
fn without_undone(earlier: &[Change], later: &[Change]) -> Vec<Change> {
    let mut kept: Vec<Option<&Change>> = Vec::new();
    // Where the last change of a prefix is, which there is one of at most.
    let mut places: HashMap<Listed<'_>, usize> = HashMap::new();
    for change in earlier.iter().chain(later) {
        let Some(listed) = listed(change) else {
            kept.push(Some(change));
            continue;
        };
        if let Some(place) = places.remove(&listed) {
            kept[place] = None;
        } else {
            places.insert(listed, kept.len());
            kept.push(Some(change));
        }
    }
    kept.into_iter().flatten().cloned().collect()
}

/// A prefix in a list of a service.
type Listed<'a> = (&'a Name, Rule, Prefix);

/// What a change of a list is about. Two that follow each other undo each other: what is there cannot be
/// added, and what is not there cannot be removed.
const fn listed(change: &Change) -> Option<Listed<'_>> {
    match change {
        Change::AddSource { service, list, prefix }
        | Change::RemoveSource { service, list, prefix } => Some((service, *list, *prefix)),
        _ => None,
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
