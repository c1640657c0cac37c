//! Pages of one's own for answers that are errors: read from files, bounded, with their media type.
//!
//! They are held in memory, because they are sent when things go wrong.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use hyper::{body::Bytes, header::HeaderValue};
use thiserror::Error;

/// Bytes of the largest page.
const LARGEST: u64 = 256 << 10;

/// Media types by the end of the file's name; HTML for all others.
const TYPES: [(&str, &str); 4] = [
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("xml", "application/xml"),
];

/// A page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) body: Bytes,
    pub(crate) content_type: HeaderValue,
}

/// Why a page cannot be used.
#[derive(Debug, Error)]
pub enum PageError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}; give a file that the daemon can read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It is something else than a file.
    #[error("{} is no regular file; give one that holds the page", path.display())]
    NoFile {
        /// What was given.
        path: PathBuf,
    },
    /// It is too large.
    #[error("{} has more than {LARGEST} bytes, the most that a page may have; make it smaller", path.display())]
    Large {
        /// The file.
        path: PathBuf,
    },
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(path: &Path) -> Result<Self, PageError> {
        let unreadable = |source| PageError::Unreadable { path: path.to_owned(), source };
        // Before it is opened: to open a pipe would wait for who writes to it.
        if !path.metadata().map_err(unreadable)?.is_file() {
            return Err(PageError::NoFile { path: path.to_owned() });
        }
        let mut body = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(LARGEST + 1).read_to_end(&mut body).map_err(unreadable)?;
        if body.len() as u64 > LARGEST {
            return Err(PageError::Large { path: path.to_owned() });
        }
        Ok(Self { body: body.into(), content_type: content_type(path) })
    }
}

fn content_type(path: &Path) -> HeaderValue {
    let end = path.extension().unwrap_or_default().to_ascii_lowercase();
    let found = TYPES.iter().find(|(name, _)| end == *name);
    HeaderValue::from_static(found.map_or("text/html; charset=utf-8", |(_, kind)| kind))
}
