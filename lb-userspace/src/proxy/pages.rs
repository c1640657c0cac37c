//! The error pages of a listener, read again when their files change.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use hyper::StatusCode;

use super::stamp::{Stamp, stamp};
use crate::page::{Page, PageError};

/// Pages by status, and what they were read from.
#[derive(Debug, Default)]
pub(super) struct Pages {
    by_status: BTreeMap<u16, Page>,
    settings: BTreeMap<u16, PathBuf>,
    stamps: Vec<Stamp>,
}

impl Pages {
    /// Reads the files.
    pub(super) fn new(settings: &BTreeMap<u16, PathBuf>) -> Result<Self, PageError> {
        let stamps = stamps(settings);
        let read = |(status, path): (&u16, &PathBuf)| Ok((*status, Page::read(path)?));
        let by_status = settings.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { by_status, settings: settings.clone(), stamps })
    }

    /// Whether they were read from these files.
    pub(super) fn is_of(&self, settings: &BTreeMap<u16, PathBuf>) -> bool {
        self.settings == *settings
    }

    /// The page for a status.
    pub(super) fn get(&self, status: StatusCode) -> Option<&Page> {
        self.by_status.get(&status.as_u16())
    }

    /// Their successors, if a file has changed. If they cannot be used, the reason, and the same with what the files
    /// looked like before they were read: they are not tried again until they change again.
    pub(super) fn reload(&self) -> Option<Result<Self, (PageError, Self)>> {
        let stamps = stamps(&self.settings);
        if stamps == self.stamps {
            return None;
        }
        let same = |error| {
            let (by_status, settings) = (self.by_status.clone(), self.settings.clone());
            (error, Self { by_status, settings, stamps })
        };
        Some(Self::new(&self.settings).map_err(same))
    }
}

fn stamps(settings: &BTreeMap<u16, PathBuf>) -> Vec<Stamp> {
    settings.values().map(|path| stamp(path)).collect()
}

/// The pages of all listeners.
pub(super) type AllPages = BTreeMap<crate::model::Name, Arc<Pages>>;
