//! The kernel's limit of remembered connections, which is one for all namespaces.

use std::fs;

use anyhow::{Context, Result};

const LIMIT: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// Raises the limit for as long as it lives.
#[derive(Debug)]
pub(crate) struct Raised {
    before: u32,
}

impl Raised {
    /// Lets the kernel remember so many connections. None if it does so already.
    pub(crate) fn to(wanted: u32) -> Result<Option<Self>> {
        let before = fs::read_to_string(LIMIT).context(LIMIT)?.trim().parse()?;
        if before >= wanted {
            return Ok(None);
        }
        fs::write(LIMIT, wanted.to_string()).with_context(|| {
            format!("{LIMIT} cannot be raised to {wanted}; run this where the limit can be set")
        })?;
        Ok(Some(Self { before }))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Err(error) = fs::write(LIMIT, self.before.to_string()) {
            eprintln!("{LIMIT} was {} and could not be put back: {error}", self.before);
        }
    }
}
