//! Files that a configuration names and that must be usable: certificates, keys, pages, logs.
//!
//! Each is read where it is named, so that what is wrong with it is told with the line and column of its path.
//! What was read is thrown away: those who use the files read them again, and later once more when they have changed.

use std::path::PathBuf;

use rustls::crypto::aws_lc_rs;
use toml_span::Spanned;

use crate::{
    access_log::Sink,
    model::listener::LogTarget,
    page::Page,
    tls::{TlsError, certified, trusted},
};

/// A file, or two that belong together.
pub(super) enum NamedFile {
    /// A certificate and its key.
    Pair(Spanned<PathBuf>, Spanned<PathBuf>),
    /// Certificates of those who are trusted.
    Trusted(Spanned<PathBuf>),
    /// A page.
    Page(Spanned<PathBuf>),
    /// A log.
    Log(Spanned<LogTarget>),
}

impl NamedFile {
    /// What is wrong with it, and where its path stands.
    pub(super) fn problem(&self) -> Option<(usize, String)> {
        match self {
            Self::Pair(certificate, key) => {
                let provider = aws_lc_rs::default_provider();
                let error = certified(&certificate.value, &key.value, &provider).err()?;
                let is_of_certificate =
                    matches!(&error, TlsError::File { path, .. } if *path == certificate.value);
                let at = if is_of_certificate { certificate } else { key };
                Some((at.span.start, error.to_string()))
            }
            Self::Trusted(path) => {
                trusted(&path.value).err().map(|error| (path.span.start, error.to_string()))
            }
            Self::Page(path) => {
                Page::read(&path.value).err().map(|error| (path.span.start, error.to_string()))
            }
            Self::Log(to) => {
                Sink::look_at(&to.value).err().map(|error| (to.span.start, error.to_string()))
            }
        }
    }
}
