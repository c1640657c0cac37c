//! `[daemon]`: settings of the daemon itself.

use std::path::{Path, PathBuf};

use lb_common::limits::DEFAULT_PIN_DIR;
use thiserror::Error;

use crate::{
    config::{field::Field, findings::Findings, reader::Section},
    model::Daemon,
};

/// Unix socket of the API unless the configuration says otherwise.
pub const DEFAULT_ADMIN: &str = "/run/shunt/admin.sock";

/// State directory unless the configuration says otherwise.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/shunt";

/// Bytes of `sun_path` in a Unix socket address, less the NUL that ends it (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// Why a path was refused.
#[derive(Debug, Error)]
pub(super) enum PathError {
    #[error(
        "`{given}` is not an absolute path; begin it with `/`, so that it does not depend on where the daemon is started"
    )]
    Relative { given: String },
    #[error("`{given}` contains a NUL, which no path can; remove it")]
    Nul { given: String },
    #[error(
        "`{given}` is longer than the {LONGEST_SOCKET_PATH} bytes that the path of a Unix socket may have; use a shorter one"
    )]
    Socket { given: String },
}

/// What holds where the file says nothing.
pub(super) fn defaults() -> Daemon {
    Daemon {
        admin: DEFAULT_ADMIN.into(),
        state_dir: DEFAULT_STATE_DIR.into(),
        pin_dir: DEFAULT_PIN_DIR.into(),
        seed: 0,
    }
}

pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Daemon {
    let mut daemon = defaults();
    let targets = [
        ("admin", &mut daemon.admin),
        ("state-dir", &mut daemon.state_dir),
        ("pin-dir", &mut daemon.pin_dir),
    ];
    for (key, target) in targets {
        let parse = if key == "admin" { socket_path } else { absolute_path };
        if let Some(path) = section.get(key).and_then(|field| field.parsed(parse, findings)) {
            *target = path.value;
        }
    }
    if let Some(seed) = section.get("seed").and_then(|field| seed(&field, findings)) {
        daemon.seed = seed;
    }
    section.refuse_others(findings);
    daemon
}

fn seed(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<u64> {
    let given = field.integer(findings)?;
    let seed = u64::try_from(given).ok();
    if seed.is_none() {
        let message = format!("seed {given} is out of range; use 0 to {}", i64::MAX);
        findings.add(field.offset(), &message);
    }
    seed
}

pub(super) fn absolute_path(given: &str) -> Result<PathBuf, PathError> {
    let owned = || given.to_owned();
    if given.contains('\0') {
        Err(PathError::Nul { given: owned() })
    } else if Path::new(given).is_absolute() {
        Ok(given.into())
    } else {
        Err(PathError::Relative { given: owned() })
    }
}

pub(super) fn socket_path(given: &str) -> Result<PathBuf, PathError> {
    if given.len() > LONGEST_SOCKET_PATH {
        return Err(PathError::Socket { given: given.to_owned() });
    }
    absolute_path(given)
}
