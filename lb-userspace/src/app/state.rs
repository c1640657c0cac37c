//! The state directory: files that are replaced whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Why a state file could not be read or written.
#[derive(Debug, Error)]
pub(super) enum StateError {
    /// The directory or a file in it could not be used.
    #[error(
        "cannot use {path}: {source}; set `state-dir` in [daemon] to a directory that can be written"
    )]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file holds something else than this daemon writes.
    #[error("{path} is damaged ({source}); move it away to start without what it says")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Makes the directory.
pub(super) fn create_dir(path: &Path) -> Result<(), StateError> {
    fs::create_dir_all(path).map_err(|source| StateError::Io { path: path.to_owned(), source })
}

/// Reads a file; its default if there is none.
pub(super) fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, StateError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|source| StateError::Damaged { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(source) => Err(StateError::Io { path: path.to_owned(), source }),
    }
}

/// Replaces a file. After a crash it holds the old content or the new, never a part.
pub(super) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    replace(path, value).map_err(|source| StateError::Io { path: path.to_owned(), source })
}

fn replace<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
