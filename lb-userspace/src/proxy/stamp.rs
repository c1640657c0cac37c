//! What tells whether a file has changed.

use std::{fs, path::Path, time::SystemTime};

/// The time of its last change and its length, if there is such a file.
pub(super) type Stamp = Option<(SystemTime, u64)>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let data = fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}
