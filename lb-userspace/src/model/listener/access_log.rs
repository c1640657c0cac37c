//! What is written of each request, and where to: `access-log` of a listener.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// An access log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessLog {
    /// Where lines go.
    pub to: LogTarget,
    /// What they look like.
    pub format: LogFormat,
}

/// Where the lines of an access log go.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogTarget {
    /// A file, which they are appended to.
    File(PathBuf),
    /// Standard output of the daemon.
    Stdout,
    /// The socket of a syslog daemon.
    Syslog(PathBuf),
}

/// What a line of an access log looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// As Apache and nginx write it.
    Combined,
    /// An object of JSON.
    Json,
}

/// Where the syslog daemon of a host listens.
pub const SYSLOG_SOCKET: &str = "/dev/log";

impl LogFormat {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdout => f.write_str("stdout"),
            Self::Syslog(path) if path.as_os_str() == SYSLOG_SOCKET => f.write_str("syslog"),
            Self::Syslog(path) => write!(f, "syslog:{}", path.display()),
        }
    }
}

impl fmt::Display for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.to, self.format.name())
    }
}
